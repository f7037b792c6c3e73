"""The pure part: a bidder's session, a view of a lot, a recorded auction.  No clock, no wire."""
