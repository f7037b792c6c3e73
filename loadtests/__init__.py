"""Load from outside: bidders as programs, recorded sales replayed, and what it all costs."""
