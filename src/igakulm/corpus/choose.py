"""Which of the documents that passed the filters stay: the decisions that need all documents at once.

Does: find duplicates, benchmark texts, repeated lines and ids that occur twice, from what the parts left behind; cut
what is left into ranges, one for each shard of the corpus. Does not: read or write texts.

Documents are numbered through all parts in reading order, the passed ones only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.decontaminate import Match
from igakulm.corpus.dedup import DIGEST_BYTES, find_duplicates
from igakulm.corpus.part import marks_of, part_file
from igakulm.corpus.repeated import Marks, Repeats, decide
from igakulm.corpus.shards import arrays_of, read_column
from igakulm.corpus.signatures import PartSignatures
from igakulm.recipe.schema import CorpusSection

KEPT, EXACT, NEAR, BENCHMARK = range(4)
"""What becomes of a document, in the order in which it is asked."""
_BY_PART = ("digests", "sizes", "names_passed", "names_dropped", "marks_", "counts_")
"""Arrays of a part that are kept in memory, by the beginning of their names; signatures are read when asked."""
REASONS = {EXACT: "exact_duplicate", NEAR: "near_duplicate"}


@dataclass(frozen=True)
class Passed:
    """What the parts left behind. `starts[p]` is the number of the first document of part p, with the total behind."""

    starts: NDArray[np.int64]
    digests: NDArray[np.uint8]
    signatures: PartSignatures
    marks: list[Marks]
    sizes: NDArray[np.int64]
    matches: dict[int, Match]
    again: Again


@dataclass(frozen=True)
class Again:
    """Rows whose id an earlier row has: how many rows had it, this one included, by number or by (part, row)."""

    passed: dict[int, int]
    dropped: dict[int, dict[int, int]]


def load_passed(folder: Path, records: Sequence[Mapping[str, Any]], corpus: CorpusSection) -> Passed:
    """Read the arrays of all parts; `records` are those of the parts in order."""
    starts = np.cumsum([0, *(record["passed"] for record in records)]).astype(np.int64)
    width = corpus.near_duplicates.bands * corpus.near_duplicates.rows
    total = int(starts[-1])
    files = [part_file(folder, number, "npz") for number in range(len(records))]
    signatures = PartSignatures(files, starts, width)
    digests = np.zeros((total, DIGEST_BYTES), np.uint8)
    passed = Passed(starts, digests, signatures, [], np.zeros(total, np.int64), {}, Again({}, {}))
    names: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []
    for number, record in enumerate(records):
        arrays = arrays_of(files[number], _BY_PART)
        own = slice(int(starts[number]), int(starts[number + 1]))
        digests[own] = arrays["digests"]
        passed.sizes[own] = arrays["sizes"]
        passed.marks.extend(marks_of(arrays))
        passed.matches.update({own.start + int(place): Match(*match) for place, match in record["matches"].items()})
        names.append((arrays["names_passed"], arrays["names_dropped"]))
    _find_again(names, starts, passed.again)
    return passed


def _find_again(
    names: Sequence[tuple[NDArray[np.uint64], NDArray[np.uint64]]], starts: NDArray[np.int64], again: Again
) -> None:
    """Ids must be unique, but a source may be cut into parts that do not know each other's ids."""
    blocks = [(part, place == 0, block) for part, pair in enumerate(names) for place, block in enumerate(pair)]
    joined = np.concatenate([block for _, _, block in blocks]) if blocks else np.zeros(0, np.uint64)
    borders = np.cumsum([0, *(block.size for _, _, block in blocks)])
    order = np.argsort(joined, kind="stable")
    repeats = np.flatnonzero(joined[order][1:] == joined[order][:-1]) + 1
    counts: dict[int, int] = {}
    for place in repeats.tolist():
        counts[place] = counts.get(place - 1, 1) + 1
        row = int(order[place])
        block = int(np.searchsorted(borders, row, side="right")) - 1
        part, passed, _ = blocks[block]
        if passed:
            again.passed[int(starts[part]) + row - int(borders[block])] = counts[place]
        else:
            again.dropped.setdefault(part, {})[row - int(borders[block])] = counts[place]


def renamed(identifier: str, count: int | None) -> str:
    """The id of a row whose id occurred before; `count` is None if it did not.

    >>> renamed("web:7", 2), renamed("web:7", None)
    ('web:7#repeat-2', 'web:7')
    """
    return identifier if count is None else f"{identifier}#repeat-{count}"


@dataclass(frozen=True)
class Chosen:
    """The decision: a code for each document, and for duplicates the number of the document that each one repeats."""

    codes: NDArray[np.uint8]
    repeated: NDArray[np.int64]
    repeats: Repeats

    def counts(self) -> Counter[str]:
        """Dropped documents for each reason."""
        names = {**REASONS, BENCHMARK: "benchmark"}
        return Counter({name: count for code, name in names.items() if (count := int((self.codes == code).sum()))})


def choose(passed: Passed, corpus: CorpusSection) -> Chosen:
    """Decide about all documents; the earliest of several alike stays."""
    survivors = find_duplicates(passed.digests, passed.signatures, corpus.near_duplicates)
    own = np.arange(survivors.exact.size)
    codes = np.full(own.size, KEPT, np.uint8)
    codes[np.fromiter(passed.matches, np.int64, len(passed.matches))] = BENCHMARK
    codes[survivors.near != own] = NEAR
    codes[survivors.exact != own] = EXACT
    repeated = np.where(codes == EXACT, survivors.exact, survivors.near)
    return Chosen(codes, repeated, decide(passed.marks, codes == KEPT, corpus.repeated))


@dataclass(frozen=True)
class Range:
    """Consecutive documents that become one shard: rows first..end-1 of each part, and what becomes of each."""

    number: int
    start: int
    pieces: tuple[tuple[int, int, int], ...]
    codes: NDArray[np.uint8]
    details: dict[int, tuple[str, str]] = field(default_factory=dict)
    again: dict[int, int] = field(default_factory=dict)


def ranges(folder: Path, passed: Passed, chosen: Chosen, shard_bytes: int) -> Iterator[Range]:
    """Cut all documents into ranges whose kept texts have about `shard_bytes` of UTF-8; there is at least one."""
    kept_bytes = np.cumsum(np.where(chosen.codes == KEPT, passed.sizes, 0))
    names = _survivor_names(folder, passed, chosen)
    start = number = done = 0
    total = chosen.codes.size
    while start < total or number == 0:
        end = min(int(np.searchsorted(kept_bytes, done + shard_bytes)) + 1, total)
        if end < total and kept_bytes[end - 1] == kept_bytes[-1]:
            end = total  # only dropped documents would follow
        yield Range(
            number,
            start,
            tuple(_pieces(passed.starts, start, end)),
            chosen.codes[start:end],
            dict(_details(passed, chosen, names, start, end)),
            {place: count for place, count in passed.again.passed.items() if start <= place < end},
        )
        done = int(kept_bytes[end - 1]) if end else 0
        start, number = end, number + 1


def _pieces(starts: NDArray[np.int64], start: int, end: int) -> Iterator[tuple[int, int, int]]:
    part = max(int(np.searchsorted(starts, start, side="right")) - 1, 0)
    while start < end:
        stop = min(int(starts[part + 1]), end)
        if stop > start:
            yield part, start - int(starts[part]), stop - int(starts[part])
        start, part = max(start, stop), part + 1


def _details(
    passed: Passed, chosen: Chosen, names: Mapping[int, str], start: int, end: int
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Reason and detail of each dropped document."""
    for place in (np.flatnonzero(chosen.codes[start:end] != KEPT) + start).tolist():
        code = int(chosen.codes[place])
        if code == BENCHMARK:
            match = passed.matches[place]
            yield place, (f"benchmark:{match.task}", f"{match.item}: {match.shared} of {match.of} n-grams")
        else:
            yield place, (REASONS[code], names[int(chosen.repeated[place])])


def _survivor_names(folder: Path, passed: Passed, chosen: Chosen) -> dict[int, str]:
    """Ids of the documents that others repeat."""
    named = np.unique(chosen.repeated[(chosen.codes == EXACT) | (chosen.codes == NEAR)])
    names: dict[int, str] = {}
    for part in np.unique(np.searchsorted(passed.starts, named, side="right") - 1).tolist():
        start, end = int(passed.starts[part]), int(passed.starts[part + 1])
        column = read_column(part_file(folder, part, "passed.parquet"), "id")
        for place in named[(named >= start) & (named < end)].tolist():
            names[place] = renamed(column[place - start], passed.again.passed.get(place))
    return names
