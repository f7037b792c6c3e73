"""The verifier: proves what was sold, and passes title on.  Nothing is in it yet."""
