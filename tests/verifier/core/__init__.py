"""The verifier's pure part."""
