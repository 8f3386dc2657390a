"""How many answers llama.cpp works on at once.

Does: choose by the memory that keys and values take. Does not: measure speed: decoding reads all weights for each
step, so that two answers at once take little longer than one.
"""

from __future__ import annotations

import os
from pathlib import Path

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
    budget = min(BUDGET, _free_memory() // 4)
    return max(1, min(MOST, budget // max(1, lane_bytes(header, context_length))))


def _free_memory() -> int:
    """Bytes that the system can give to new work; a large number where it does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            lines = dict(line.split(":") for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if "SC_PHYS_PAGES" in names else 1 << 40
