"""Packing, the one training loop, checkpoints, plans."""
