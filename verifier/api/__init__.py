"""The verifier's HTTP API: the table of calls, and who answers each of them."""
