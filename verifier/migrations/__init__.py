"""The steps by which the verifier's tables come to be."""
