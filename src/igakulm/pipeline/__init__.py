"""Stage table, fingerprints, runner."""
