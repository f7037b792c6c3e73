"""Tests of what happens to photographs."""
