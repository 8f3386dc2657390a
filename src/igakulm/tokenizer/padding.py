"""How many rows an embedding has for a vocabulary. Light: the plan needs it without a tokenizer."""

from __future__ import annotations

VOCABULARY_MULTIPLE = 64
"""Matrices whose sizes are multiples of this are multiplied faster on GPUs."""


def padded(entries: int) -> int:
    """A number of entries rounded up to a multiple of `VOCABULARY_MULTIPLE`.

    >>> padded(32_768), padded(32_771)
    (32768, 32832)
    """
    return -(-entries // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
