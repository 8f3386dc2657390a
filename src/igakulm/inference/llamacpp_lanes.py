"""How many answers llama.cpp works on at once.

Does: choose by the memory that keys and values take. Does not: measure speed: decoding reads all weights for each
step, so that two answers at once take little longer than one.
"""

from __future__ import annotations

from igakulm.machine import free_memory
from igakulm.tokenizer.gguf_header import GgufHeader

MOST = 4
BUDGET = 256 << 20
"""Bytes for keys and values of all lanes together: 1.2 B weights at Q4_K_M (750 MB) get two lanes of 2,048 tokens, and
the child stays at 1.15 GB."""
_BYTES = 2  # float16


def lane_bytes(header: GgufHeader, context_length: int) -> int:
    """Bytes of keys and values of one lane in float16."""
    return header.cache_width * context_length * _BYTES


def default_lanes(header: GgufHeader, context_length: int) -> int:
    """Lanes that fit into the budget and into a quarter of the free memory: 1 to `MOST`."""
    free = free_memory()
    budget = BUDGET if free is None else min(BUDGET, free // 4)
    return max(1, min(MOST, budget // max(1, lane_bytes(header, context_length))))
