"""A loopback server in front of an engine."""
