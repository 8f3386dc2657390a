"""Engines: ask a model for scores, greedy text or a stream."""
