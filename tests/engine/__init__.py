"""The engine, from its pure core outwards."""
