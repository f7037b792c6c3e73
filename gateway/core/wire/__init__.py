"""What the HTTP APIs take and answer, as types: one module for each dialect.  Pure."""
