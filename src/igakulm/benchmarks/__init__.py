"""Benchmarks: items, prompts, splits and training rows."""
