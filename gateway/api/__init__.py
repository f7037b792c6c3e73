"""The HTTP APIs: consumer, running sales, operator; one table of routes (routes.py)."""
