"""The verifier, from its pure core outwards."""
