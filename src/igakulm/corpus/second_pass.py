"""The second pass: what stays is written to the shards of the corpus, what goes to `dropped/` with its reason.

Does: write one range of documents (`choose.Range`), without the lines and sentences that are repeated elsewhere; keep a
record with counts and hashes, so that a finished range is not written again. Does not: decide about documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from igakulm.corpus.choose import BENCHMARK, EXACT, KEPT, NEAR, Range, renamed
from igakulm.corpus.funnel import Funnel
from igakulm.corpus.histograms import Histograms
from igakulm.corpus.part import part_file
from igakulm.corpus.plan import load_plan
from igakulm.corpus.repeated import Repeats, boilerplate_reason, site_of, strip_repeated
from igakulm.corpus.shards import DROPPED_COLUMNS, Rows, RowWriter, arrays_of, read_rows, row_writer, save_arrays
from igakulm.corpus.source_filters import filters_by_source
from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, write_json
from igakulm.recipe.schema import CorpusSection

_BATCH_ROWS = 1024
_STEPS_PASSED = {EXACT: (), NEAR: ("exact",), BENCHMARK: ("exact", "near"), KEPT: ("exact", "near", "decontamination")}


def save_repeats(folder: Path, repeats: Repeats) -> None:
    """Keep what is to be taken out where the processes of the second pass find it."""
    arrays = {"lines": repeats.lines, "sentences": repeats.sentences, "first": repeats.first}
    save_arrays(folder / "repeats.npz", arrays)


@lru_cache(maxsize=1)
def _repeats(folder: Path, _key: str) -> Repeats:
    return Repeats(**arrays_of(folder / "repeats.npz"))


def record_file(folder: Path, number: int) -> Path:
    """The record of a range that was written."""
    return folder / "chosen" / f"{number:05d}.json"


def written_record(folder: Path, out_dir: Path, number: int, key: str) -> dict[str, object] | None:
    """The record of a range whose files are whole, else None."""
    try:
        record: dict[str, Any] = read_json(record_file(folder, number))
        whole = all(sha256_file(out_dir / name) == digest for name, digest in record["sha256"].items())
        return record if record["key"] == key and whole else None
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None


def write_range(folder: Path, out_dir: Path, documents: str, range_: Range, key: str) -> None:
    """Write one shard.

    Args:
        folder: the plan's folder, with parts/ and repeats.npz; gets chosen/NNNNN.json.
        out_dir: gets `documents`/NNNNN.parquet and, if anything is dropped, dropped/chosen-NNNNN.parquet.
        documents: the folder's name, relative to `out_dir`.
        range_: which documents, and what becomes of them.
        key: what the record names; a range with a whole record of this key is not written again.

    Raises:
        InputError: the disk is full.
    """
    if written_record(folder, out_dir, range_.number, key) is not None:
        return
    plan = load_plan(folder)
    kept_path = out_dir / documents / f"{range_.number:05d}.parquet"
    gone_path = out_dir / "dropped" / f"chosen-{range_.number:05d}.parquet"
    with row_writer(kept_path) as kept, row_writer(gone_path, DROPPED_COLUMNS) as gone:
        second = _SecondPass(plan.corpus, kept, gone)
        for start, rows in _rows(folder, range_):
            second.add(start, rows, range_, _repeats(folder, key))
    written = [kept_path]
    if gone.count:
        written.append(gone_path)
    else:
        gone_path.unlink()
    record = {
        "key": key,
        "sha256": {path.relative_to(out_dir).as_posix(): sha256_file(path) for path in written},
        "kept": kept.count,
        "funnel": second.funnel.record(),
        "histograms": second.histograms.as_json(),
    }
    write_json(record_file(folder, range_.number), record)


def _rows(folder: Path, range_: Range) -> Iterator[tuple[int, Rows]]:
    """Batches of rows with the number of the first."""
    start = range_.start
    for part, first, end in range_.pieces:
        for rows in read_rows(part_file(folder, part, "passed.parquet"), first, end):
            for low in range(0, len(rows), _BATCH_ROWS):
                yield start + low, rows[low : low + _BATCH_ROWS]
            start += len(rows)


class _SecondPass:
    """Writes and counts the documents of one range."""

    def __init__(self, corpus: CorpusSection, kept: RowWriter, gone: RowWriter) -> None:
        self.funnel, self.histograms = Funnel(), Histograms()
        self._corpus, self._kept, self._gone = corpus, kept, gone
        self._filters = filters_by_source(corpus)
        self._kinds = {source.name: source.kind for source in corpus.sources}

    def add(self, start: int, rows: Rows, range_: Range, repeats: Repeats) -> None:
        """One batch of documents; `start` is the number of the first."""
        codes = range_.codes[start - range_.start : start - range_.start + len(rows)]
        living = np.flatnonzero(codes == KEPT).tolist()
        for place in np.flatnonzero(codes != KEPT).tolist():
            number = start + place
            row = (renamed(rows[place][0], range_.again.get(number)), *rows[place][1:])
            self._count(row, _STEPS_PASSED[int(codes[place])])
            self._drop(row, *range_.details[number])
        texts = [rows[place][1] for place in living]
        sites = [site_of(rows[place][2], rows[place][4], self._corpus.repeated) for place in living]
        numbers = [start + place for place in living]
        stripped = strip_repeated(texts, sites, numbers, repeats, self._corpus.repeated)
        stay: list[tuple[str, ...]] = []
        for place, number, one in zip(living, numbers, stripped, strict=True):
            identifier = renamed(rows[place][0], range_.again.get(number))
            self._count((identifier, *rows[place][1:]), _STEPS_PASSED[KEPT])
            reason = boilerplate_reason(one, self._filters.get(rows[place][2], self._corpus.filters))
            row = (identifier, one.text, *rows[place][2:])
            if reason is None:
                self._count(row, ("boilerplate",))
                self._kept.add(row)
                stay.append(row)
            else:
                self._drop(row, *reason, before=rows[place][1])
        self.histograms.add([row[2] for row in stay], [row[1] for row in stay])

    def _count(self, row: tuple[str, ...], steps: tuple[str, ...]) -> None:
        counts = self.funnel.source(row[2], self._kinds.get(row[2], "medical"))
        for step in steps:
            counts.passed(step, len(row[1]))

    def _drop(self, row: tuple[str, ...], reason: str, detail: str, before: str = "") -> None:
        self.funnel.drop(row[2], reason, row[0], row[1])
        self._gone.add((row[0], row[2], reason, detail, row[1], before))
