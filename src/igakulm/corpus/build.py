"""The corpus stage: raw sources to clean documents, and a reason for every document dropped (sections 2.1, 2.2.1).

Does: read, clean, delete personal data, filter, drop duplicates and benchmark texts, write shards, sources.json and
funnel.json. Does not: crawl, or judge quality by a model.

Two passes, so that memory does not grow with the text: the first writes what passes the filters to a temporary folder
and keeps signatures only; then all duplicates are decided; the second copies what is kept.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from igakulm.benchmarks.load import load_test_items
from igakulm.corpus.decontaminate import Match, build_index
from igakulm.corpus.dedup import Signatures, Survivors, find_duplicates
from igakulm.corpus.funnel import STEPS, Funnel
from igakulm.corpus.lookup import clean_stream, explain
from igakulm.corpus.read import Row, read_source, source_files
from igakulm.corpus.work import Result, Settings, work_through
from igakulm.errors import InputError
from igakulm.files import Doc, read_documents, write_documents, write_json, write_table
from igakulm.progress import Progress, Task
from igakulm.recipe.schema import BenchmarksSection, CorpusSection

__all__ = ["build_corpus", "clean_stream", "explain"]

_BATCH_CHARACTERS = 1 << 20
_BATCH_DOCUMENTS = 1024
_DROPPED_CHARACTERS = 1 << 24
_DROPPED_COLUMNS = ("id", "source", "reason", "detail", "text", "before")
_EXTRA_KIND = "medical"


@dataclass(frozen=True)
class _Source:
    """Rows of one name."""

    name: str
    kind: str
    rows: Iterator[Row]


@dataclass
class _Passed:
    """What is remembered of the documents that passed the filters, in order."""

    digests: list[bytes] = field(default_factory=list)
    signatures: list[Signatures] = field(default_factory=list)
    matches: dict[int, Match] = field(default_factory=dict)
    count: int = 0


class _Dropped:
    """Writes dropped documents in shards; memory holds one shard."""

    def __init__(self, folder: Path, funnel: Funnel) -> None:
        self._folder, self._funnel = folder, funnel
        self._rows: list[tuple[str, ...]] = []
        self._size = self._shard = 0

    def add(self, row: Row, source: str, reason: str, detail: str, text: str, before: str = "") -> None:
        """One dropped document: `text` as it was judged, `before` as it was read if that differs and is known."""
        before = before if before != text else ""
        self._funnel.drop(source, reason, row.id, text)
        self._rows.append((row.id, source, reason, detail, text, before))
        self._size += len(text) + len(before)
        if self._size >= _DROPPED_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting; the first shard is written even if it is empty."""
        if not self._rows and self._shard:
            return
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(_DROPPED_COLUMNS)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._shard:05d}.parquet"
        write_table(path, {name: list(values) for name, values in zip(_DROPPED_COLUMNS, columns, strict=True)})
        self._rows, self._size, self._shard = [], 0, self._shard + 1


def build_corpus(
    corpus: CorpusSection,
    benchmarks: BenchmarksSection,
    extra_documents: Path | None,
    out_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Build the corpus into `out_dir`; the result does not depend on `corpus.workers`.

    Args:
        corpus: sources and rules.
        benchmarks: whose test items are kept out of the corpus.
        extra_documents: a folder of document shards (synthetic textbooks) that count as medical sources, or None.
        out_dir: gets documents/, dropped/, sources.json and funnel.json.
        progress: shows what is done.

    Returns:
        Counts: documents read, kept and dropped, characters kept, and documents dropped for each reason.

    Raises:
        InputError: a source that cannot be read or has no licence, or no document is left.
    """
    _check_names(corpus)
    tasks = load_test_items(benchmarks) if corpus.decontamination.enabled else {}
    settings = Settings(
        corpus.privacy, corpus.filters, corpus.near_duplicates, build_index(tasks, corpus.decontamination)
    )
    funnel = Funnel()
    dropped = _Dropped(out_dir / "dropped", funnel)
    spill = out_dir / "spill.tmp"
    try:
        passed = _first_pass(corpus, settings, extra_documents, funnel, dropped, spill, progress)
        _second_pass(corpus, passed, funnel, dropped, spill, out_dir / "documents", progress)
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    dropped.flush()
    funnel.check()
    write_json(out_dir / "sources.json", funnel.sources_json())
    write_json(out_dir / "funnel.json", funnel.as_json(list(tasks), dict(settings.index.unchecked)))
    return _summary(funnel)


def _check_names(corpus: CorpusSection) -> None:
    names = [source.name for source in corpus.sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two sources are named {name!r}", where="corpus.sources", mend="give each its own name")


def _first_pass(
    corpus: CorpusSection,
    settings: Settings,
    extra: Path | None,
    funnel: Funnel,
    dropped: _Dropped,
    spill: Path,
    progress: Progress,
) -> _Passed:
    """Read, clean and filter; what passes goes to `spill`."""
    passed = _Passed()
    total = sum(path.stat().st_size for source in corpus.sources for path in source_files(source))
    with progress.task("read, clean and filter", total / 2**20, "MiB") as task:
        sources = [*_recipe_sources(corpus, task), *_extra_sources(extra, corpus)]
        batches = _batches(sources, funnel, dropped)
        results = work_through(batches, settings, corpus.workers)
        write_documents(spill, _passing(results, passed, funnel, dropped), shard_bytes=64 * 2**20)
    return passed


def _recipe_sources(corpus: CorpusSection, task: Task) -> Iterator[_Source]:
    for source in corpus.sources:
        yield _Source(source.name, source.kind, read_source(source, lambda count: task.advance(count / 2**20)))


def _extra_sources(folder: Path | None, corpus: CorpusSection) -> Iterator[_Source]:
    """The shards of an earlier stage, one source for each run of documents of one name."""
    if folder is None or not folder.is_dir():
        return
    names = {source.name for source in corpus.sources}
    for document in read_documents(folder):
        if document.source in names:
            raise InputError(
                f"the name {document.source!r} of a source is also that of generated documents",
                where="corpus.sources",
                mend="rename the source",
            )
        row = Row(document.id, document.text, document.licence, document.meta)
        yield _Source(document.source, _EXTRA_KIND, iter((row,)))


_Label = list[tuple[str, Row]]


def _batches(sources: Iterable[_Source], funnel: Funnel, dropped: _Dropped) -> Iterator[tuple[_Label, list[str]]]:
    """Readable rows in batches; unreadable ones are dropped here."""
    label: _Label = []
    size = 0
    for source in sources:
        counts = funnel.source(source.name, source.kind)
        for row in source.rows:
            counts.passed("read", len(row.text))
            if row.error is not None:
                dropped.add(row, source.name, "unreadable", row.error, row.text)
                continue
            counts.licences.add(row.licence)
            label.append((source.name, row))
            size += len(row.text)
            if size >= _BATCH_CHARACTERS or len(label) >= _BATCH_DOCUMENTS:
                yield label, [row.text for _, row in label]
                label, size = [], 0
    if label:
        yield label, [row.text for _, row in label]


def _passing(
    results: Iterable[tuple[_Label, Result]], passed: _Passed, funnel: Funnel, dropped: _Dropped
) -> Iterator[Doc]:
    """Documents that pass the filters; remembers what the later steps need of them."""
    for label, result in results:
        funnel.personal.update(result.personal)
        passed.digests += result.digests
        passed.signatures.append(result.signatures)
        passed.matches |= {passed.count + place: match for place, match in enumerate(result.matches) if match}
        for (source, row), text, reason in zip(label, result.texts, result.reasons, strict=True):
            counts = funnel.sources[source]
            counts.passed("clean", len(text))
            if reason is not None:
                dropped.add(row, source, *reason, text, row.text)
                continue
            counts.passed("filter", len(text))
            passed.count += 1
            yield Doc(row.id, text, source, row.licence, row.meta)


def _second_pass(
    corpus: CorpusSection,
    passed: _Passed,
    funnel: Funnel,
    dropped: _Dropped,
    spill: Path,
    folder: Path,
    progress: Progress,
) -> None:
    """Decide duplicates and benchmark texts, and copy what is kept."""
    progress.say(f"comparing {passed.count:,} documents with each other")
    width = corpus.near_duplicates.bands * corpus.near_duplicates.rows
    signatures = np.concatenate(passed.signatures) if passed.signatures else np.zeros((0, width), np.uint16)
    verdicts = _Verdicts(find_duplicates(passed.digests, signatures, corpus.near_duplicates), passed.matches)
    if not (verdicts.reasons == _KEPT).any():
        reasons = verdicts.counts() + funnel.reasons
        raise InputError(
            "no document is left in the corpus",
            where=", ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common()) or "nothing was read",
            mend="look at the sources, or loosen corpus.filters",
        )
    with progress.task("write documents", passed.count, "documents") as task:
        kept = _kept(_advancing(read_documents(spill), task), verdicts, funnel, dropped)
        write_documents(folder, kept, shard_bytes=corpus.shard_mebibytes * 2**20)


_KEPT, _EXACT, _NEAR, _BENCHMARK = range(4)


class _Verdicts:
    """What becomes of each document that passed the filters."""

    def __init__(self, survivors: Survivors, matches: dict[int, Match]) -> None:
        own = np.arange(survivors.exact.size)
        self.survivors, self.matches = survivors, matches
        self.reasons = np.full(own.size, _KEPT, np.uint8)
        found = np.fromiter(matches, np.int64, len(matches))
        self.reasons[found] = _BENCHMARK
        self.reasons[survivors.near != own] = _NEAR
        self.reasons[survivors.exact != own] = _EXACT
        repeated = np.concatenate((survivors.exact[survivors.exact != own], survivors.near[survivors.near != own]))
        self.named = set(repeated.tolist())

    def counts(self) -> Counter[str]:
        """Documents for each reason."""
        names = {_EXACT: "exact_duplicate", _NEAR: "near_duplicate", _BENCHMARK: "benchmark"}
        found = {name: int((self.reasons == code).sum()) for code, name in names.items()}
        return Counter({name: count for name, count in found.items() if count})


def _advancing(documents: Iterable[Doc], task: Task) -> Iterator[Doc]:
    for document in documents:
        yield document
        task.advance()


def _kept(documents: Iterable[Doc], verdicts: _Verdicts, funnel: Funnel, dropped: _Dropped) -> Iterator[Doc]:
    """Documents that stay; the others go to `dropped`, a duplicate with the id of the one that it repeats."""
    names: dict[int, str] = {}
    for index, document in enumerate(documents):
        if index in verdicts.named:
            names[index] = document.id
        reason = int(verdicts.reasons[index])
        counts = funnel.sources[document.source]
        for step in STEPS[3 : 3 + (reason - 1 if reason != _KEPT else 3)]:
            counts.passed(step, len(document.text))
        if reason == _KEPT:
            yield document
            continue
        if reason == _BENCHMARK:
            match = verdicts.matches[index]
            code, detail = f"benchmark:{match.task}", f"{match.item}: {match.shared} of {match.of} n-grams"
        elif reason == _EXACT:
            code, detail = "exact_duplicate", names[int(verdicts.survivors.exact[index])]
        else:
            code, detail = "near_duplicate", names[int(verdicts.survivors.near[index])]
        dropped.add(
            Row(document.id, document.text, document.licence, document.meta),
            document.source,
            code,
            detail,
            document.text,
        )


def _summary(funnel: Funnel) -> dict[str, Any]:
    sources = funnel.sources.values()
    return {
        "read": sum(source.documents["read"] for source in sources),
        "documents": sum(source.documents[STEPS[-1]] for source in sources),
        "characters": sum(source.characters[STEPS[-1]] for source in sources),
        "dropped": dict(sorted(funnel.reasons.items())),
        "personal_data_deleted": dict(sorted(funnel.personal.items())),
    }
