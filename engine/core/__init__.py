"""The pure part: (state, log time, command) in, events out.  No clock, no die, no wire."""
