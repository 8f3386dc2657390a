"""Lengths and scripts of documents, counted for the report.

Does: count, for each source, documents by length and by their share of Japanese characters, and characters by script.
Does not: judge (filter.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igakulm.text.characters import SEPARATOR
from igakulm.text.mapped import codes_of

LENGTHS = (0, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
"""Lower ends of the classes of length, in characters."""
SCRIPTS = ("space", "hiragana", "katakana", "kanji", "latin", "greek", "digit", "other")
_TENTHS = 10


@cache
def _scripts() -> NDArray[np.uint8]:
    """Place in `SCRIPTS` of every code point."""
    table = np.full(0x110000, SCRIPTS.index("other"), np.uint8)
    for first, last, script in (
        (0x3041, 0x309F, "hiragana"), (0x30A1, 0x30FA, "katakana"), (0x30FC, 0x30FF, "katakana"),
        (0x31F0, 0x31FF, "katakana"), (0x3400, 0x4DBF, "kanji"), (0x4E00, 0x9FFF, "kanji"), (0xF900, 0xFAFF, "kanji"),
        (0x20000, 0x323AF, "kanji"), (0x3005, 0x3007, "kanji"), (0x41, 0x5A, "latin"), (0x61, 0x7A, "latin"),
        (0xC0, 0x24F, "latin"), (0x370, 0x3FF, "greek"), (0x30, 0x39, "digit"),
    ):  # fmt: skip
        table[first : last + 1] = SCRIPTS.index(script)
    table[[0x0A, 0x20, 0x3000, ord(SEPARATOR)]] = SCRIPTS.index("space")
    return table


class Histograms:
    """Counts of one corpus or a part of it."""

    def __init__(self) -> None:
        self._sources: dict[str, dict[str, Counter[str]]] = {}

    def add(self, sources: Sequence[str], texts: Sequence[str]) -> None:
        """Count documents; `sources` has the name of each one's source."""
        if not texts:
            return
        scripts = _scripts()[codes_of(SEPARATOR.join(texts) + SEPARATOR)]
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        starts = np.concatenate(([0], np.cumsum(sizes + 1)[:-1]))
        japanese = (scripts >= SCRIPTS.index("hiragana")) & (scripts <= SCRIPTS.index("kanji"))
        dark = np.add.reduceat((scripts != 0).astype(np.int64), starts)
        tenths = _TENTHS * np.add.reduceat(japanese.astype(np.int64), starts) // np.maximum(dark, 1)
        bins = np.searchsorted(np.array(LENGTHS), sizes, side="right") - 1
        names = np.array(sources)
        for source in dict.fromkeys(sources):
            own = names == source
            counts = np.bincount(scripts[np.repeat(own, sizes + 1)], minlength=len(SCRIPTS))
            counts[0] -= own.sum()  # the separators
            self._count(source, "lengths", {LENGTHS[place]: int(n) for place, n in _counted(bins[own])})
            self._count(source, "japanese_share", {place / _TENTHS: int(n) for place, n in _counted(tenths[own])})
            self._count(source, "scripts", dict(zip(SCRIPTS, counts.tolist(), strict=True)))

    def _count(self, source: str, what: str, counts: Mapping[Any, int]) -> None:
        kept = self._sources.setdefault(source, {}).setdefault(what, Counter())
        kept.update({str(name): number for name, number in counts.items()})

    def documents(self) -> int:
        """Documents counted."""
        return sum(groups["lengths"].total() for groups in self._sources.values())

    def clear(self) -> None:
        """Forget everything."""
        self._sources.clear()

    def merge(self, record: Mapping[str, Mapping[str, Mapping[str, int]]]) -> None:
        """Add what `as_json` of a part gave."""
        for source, groups in record.items():
            for what, counts in groups.items():
                self._count(source, what, counts)

    def as_json(self) -> dict[str, dict[str, dict[str, int]]]:
        """Source -> `lengths` by lower end, `japanese_share` by lower end of each tenth, `scripts`; zeros left out."""
        return {
            source: {
                "lengths": _ordered(groups["lengths"]),
                "japanese_share": _ordered(groups["japanese_share"]),
                "scripts": {name: groups["scripts"][name] for name in SCRIPTS if groups["scripts"][name]},
            }
            for source, groups in self._sources.items()
        }


def _counted(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    found, counts = np.unique(values, return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts, key=float) if counts[name]}
