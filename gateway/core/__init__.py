"""The gateway's pure part: what may be seen, a connection's state machine, the wire's words."""
