"""Photographs: opened safely, made comparable, and compared, all in a process of its own."""
