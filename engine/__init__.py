"""The engine: decides every bid in one order, and writes down what it decided."""
