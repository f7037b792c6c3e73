"""The whole house, with real processes, tested from the contract and not from the code."""
