"""The gateway: takes bids to the engine, and shows everyone what was decided."""
