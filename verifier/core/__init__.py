"""The verifier's rules, computed: no clock, no chance, no wire, no disk."""
