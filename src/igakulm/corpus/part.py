"""The first pass over one part of the sources: read, clean, delete personal data, filter; the same under any executor.

Does: work through part `number` of a plan and leave four files in the plan's folder: the documents that passed, those
dropped with their reasons, arrays with what the later decisions need, and last a record with counts and hashes.
Does not: know other parts, or who runs it.

A part whose record is there and whose files have the hashes that it names is finished and is never worked on again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from igakulm.corpus.decontaminate import Match, build_index, guarded_items
from igakulm.corpus.dedup import DIGEST_BYTES, band_keys, has_ngrams
from igakulm.corpus.funnel import Funnel
from igakulm.corpus.plan import Part, Plan, load_plan
from igakulm.corpus.read import Row, read_source
from igakulm.corpus.repeated import Marks
from igakulm.corpus.shards import DROPPED_COLUMNS, RowWriter, row_writer, save_arrays
from igakulm.corpus.signatures import keys_name
from igakulm.corpus.work import Result, Worker
from igakulm.errors import InputError
from igakulm.files import DOC_COLUMNS, read_json, read_shard, sha256_file, write_json
from igakulm.recipe.schema import CorpusSection, NearDuplicates
from igakulm.text.broken import whole_characters

GENERATED_KIND = "medical"
_BATCH_CHARACTERS = 1 << 20
_BATCH_DOCUMENTS = 1024

Labelled = tuple[str, str, Row]
"""Source, kind, and the row."""


def part_file(folder: Path, number: int, suffix: str) -> Path:
    """One of the files of a part: `passed.parquet`, `dropped.parquet`, `npz` or `json`."""
    return folder / "parts" / f"{number:05d}.{suffix}"


def finished_record(folder: Path, number: int, key: str) -> dict[str, object] | None:
    """The record of a part that is finished and whole, else None."""
    path = part_file(folder, number, "json")
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = read_json(path)
        whole = all(sha256_file(path.parent / name) == digest for name, digest in record["sha256"].items())
        return record if record["key"] == key and whole else None
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None  # damaged: the part is worked on again


def work_part(folder: Path, number: int, advance: Callable[[int], None] = lambda _: None) -> None:
    """Work through one part of the plan in `folder`; nothing is done if it is finished.

    Args:
        folder: holds plan.json; gets parts/NNNNN.*.
        number: the part's place in the plan.
        advance: told the bytes that were read.

    Raises:
        InputError: a source that cannot be read or has no licence.
    """
    plan = load_plan(folder)
    if finished_record(folder, number, plan.key) is not None:
        return
    passed = part_file(folder, number, "passed.parquet")
    dropped = part_file(folder, number, "dropped.parquet")
    with row_writer(passed, DOC_COLUMNS) as kept, row_writer(dropped, DROPPED_COLUMNS) as gone:
        pass_ = _FirstPass(kept, gone)
        worker = _worker(plan.key, folder)
        for batch in _batches(_rows(plan, plan.parts[number], advance), pass_):
            texts, sources = [row.text for _, _, row in batch], [source for source, _, _ in batch]
            ids, metas = [row.id for _, _, row in batch], [row.meta for _, _, row in batch]
            pass_.add(batch, worker(texts, sources, ids, metas))
    arrays = part_file(folder, number, "npz")
    save_arrays(arrays, pass_.arrays(plan.corpus.near_duplicates))
    record = {
        "key": plan.key,
        "sha256": {path.name: sha256_file(path) for path in (passed, dropped, arrays)},
        "passed": kept.count,
        "dropped": gone.count,
        "matches": pass_.matches,
        "funnel": pass_.funnel.record(),
    }
    write_json(part_file(folder, number, "json"), record)


@lru_cache(maxsize=1)
def _worker(_key: str, folder: Path) -> Worker:
    plan = load_plan(folder)
    tasks = guarded_items(plan.benchmarks, plan.corpus.decontamination)
    return Worker(plan.corpus, build_index(tasks, plan.corpus.decontamination))


def _rows(plan: Plan, part: Part, advance: Callable[[int], None]) -> Iterator[Labelled]:
    if part.source is None:
        yield from _generated(part, plan.corpus)
        return
    source = plan.corpus.sources[part.source]
    if source.max_documents is not None:
        yield from ((source.name, source.kind, row) for row in read_source(source, advance))
        return
    for file in part.files:
        one = source.model_copy(update={"path": file})
        rows = read_source(one, advance, part.span, part.before) if part.span else read_source(one, advance)
        for row in rows:
            yield source.name, source.kind, row


def _generated(part: Part, corpus: CorpusSection) -> Iterator[Labelled]:
    """The documents of an earlier stage."""
    names = {source.name for source in corpus.sources}
    for file in part.files:
        for document in read_shard(Path(file)):
            if document.source in names:
                raise InputError(
                    f"the name {document.source!r} of a source is also that of generated documents",
                    where="corpus.sources",
                    hint="rename the source",
                )
            row = Row(document.id, document.text, document.licence, document.meta)
            yield document.source, GENERATED_KIND, row


def _batches(rows: Iterator[Labelled], pass_: _FirstPass) -> Iterator[list[Labelled]]:
    """Readable rows in batches; unreadable ones are dropped here."""
    batch: list[Labelled] = []
    size = 0
    for labelled in rows:
        if not pass_.read(labelled):
            continue
        batch.append(labelled)
        size += len(labelled[2].text)
        if size >= _BATCH_CHARACTERS or len(batch) >= _BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _FirstPass:
    """What a part leaves behind."""

    def __init__(self, kept: RowWriter, gone: RowWriter) -> None:
        self.funnel = Funnel()
        self.matches: dict[int, Match] = {}
        self._kept, self._gone = kept, gone
        self._unread: set[int] = set()
        self._names: dict[str, list[bytes]] = {"passed": [], "dropped": []}
        self._sizes: list[int] = []
        self._results: list[tuple[list[bytes], np.ndarray[Any, Any], Marks]] = []

    def read(self, labelled: Labelled) -> bool:
        """Count a row that was read; whether it can be read."""
        source, kind, row = labelled
        counts = self.funnel.source(source, kind)
        counts.passed("read", len(row.text))
        if row.error is None:
            counts.licences.add(row.licence)
            return True
        self._drop(source, row, "unreadable", row.error, row.text)
        return False

    def add(self, batch: list[Labelled], result: Result) -> None:
        """Take over a batch that was worked on."""
        for name, found in result.personal.items():
            self.funnel.personal.update(found)
            self.funnel.sources[name].personal.update(found)
        self.matches |= {self._kept.count + place: match for place, match in enumerate(result.matches) if match}
        for (source, _, row), text, reason in zip(batch, result.texts, result.reasons, strict=True):
            counts = self.funnel.sources[source]
            counts.passed("clean", len(text))
            if reason is not None:
                self._drop(source, row, *reason, text)
                continue
            counts.passed("filter", len(text))
            self._names["passed"].append(_name_hash(row.id))
            self._sizes.append(len(text.encode("utf-8")))
            self._kept.add((row.id, text, source, row.licence, row.meta))
        self._results.append((result.digests, result.signatures, result.marks))

    def _drop(self, source: str, row: Row, reason: str, detail: str, text: str) -> None:
        """A dropped document: `text` as it was judged, with the text as it was read if that differs."""
        before = row.text if row.text != text else ""
        self.funnel.drop(source, reason, row.id, text)
        self._names["dropped"].append(_name_hash(row.id))
        before = whole_characters(before)
        self._gone.add((row.id, source, reason, detail, text, before))

    def arrays(self, near: NearDuplicates) -> dict[str, Any]:
        """Everything that is decided upon later, one row a passed document; marks stay in their batches."""
        digests = b"".join(digest for group, _, _ in self._results for digest in group)
        found: dict[str, Any] = {
            "digests": np.frombuffer(digests, np.uint8).reshape(len(self._sizes), DIGEST_BYTES),
            "sizes": np.array(self._sizes, np.int64),
            "names_passed": np.frombuffer(b"".join(self._names["passed"]), "<u8"),
            "names_dropped": np.frombuffer(b"".join(self._names["dropped"]), "<u8"),
        }
        if self._results:
            signatures = np.concatenate([signatures for _, signatures, _ in self._results])
            found["signatures"], found["long_enough"] = signatures, has_ngrams(signatures)
            found |= {keys_name(band): keys for band, keys in enumerate(band_keys(signatures, near))}
        for place, field in enumerate(Marks._fields):
            columns = [marks[place] for _, _, marks in self._results]
            found[f"marks_{field}"] = np.concatenate(columns) if columns else np.zeros(0, np.uint64)
            found[f"counts_{field}"] = np.array([column.size for column in columns], np.int64)
        return found


def marks_of(arrays: dict[str, Any]) -> list[Marks]:
    """The marks of a part, batch by batch."""
    columns = [np.split(arrays[f"marks_{field}"], np.cumsum(arrays[f"counts_{field}"])[:-1]) for field in Marks._fields]
    return [Marks(*batch) for batch in zip(*columns, strict=True)] if arrays["counts_sites"].size else []


def _name_hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8"), digest_size=8).digest()
