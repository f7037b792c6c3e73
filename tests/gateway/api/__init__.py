"""Tests of ``gateway.api``."""
