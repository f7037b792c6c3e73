"""The pure core: scripts, a naive reference, replays, and faults planted on purpose."""
