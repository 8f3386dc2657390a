"""The corpus stage: raw sources to clean documents, and a reason for every document dropped (sections 2.1, 2.2.1).

Does: read, clean, delete personal data, filter, drop duplicates and benchmark texts, take out repeated lines, judge
quality by a model if the recipe says so; write shards, sources.json, funnel.json and statistics.json.
Does not: crawl.

Two passes, so that memory does not grow with the text: the first works on the sources part by part (part.py, under any
executor) and keeps what passes the filters in checkpoints/; then all duplicates are decided; the second writes the
shards. A killed run goes on where it was: finished parts and shards are recognised by their hashes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.corpus.choose import KEPT, Passed, choose, load_passed, ranges, renamed
from igakulm.corpus.decontaminate import build_index, guarded_items
from igakulm.corpus.executors import process_count, run_parts, run_processes
from igakulm.corpus.funnel import STEPS, Funnel
from igakulm.corpus.histograms import Histograms
from igakulm.corpus.judged import apply_quality, check_quality
from igakulm.corpus.part import part_file
from igakulm.corpus.personal_data import SourceCleaner, personal_data_of
from igakulm.corpus.plan import PART_BYTES, Plan, make_plan, save_plan
from igakulm.corpus.read import describe_left_out
from igakulm.corpus.second_pass import record_file, save_repeats, write_range
from igakulm.corpus.shards import DROPPED_COLUMNS, read_rows, row_writer
from igakulm.errors import InputError
from igakulm.files import read_json, sha256_json, write_json
from igakulm.progress import Progress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection

_CHECKPOINTS = "checkpoints"
_FINISHED = "finished.json"
UNREADABLE_SHARE = 0.05
"""A source with more records that cannot be read is told of."""


def build_corpus(
    corpus: CorpusSection,
    benchmarks: BenchmarksSection,
    extra_documents: Path | None,
    out_dir: Path,
    progress: Progress,
) -> dict[str, object]:
    """Build the corpus into `out_dir`; the result depends neither on `corpus.workers` nor on `corpus.executor`.

    Args:
        corpus: sources and rules.
        benchmarks: whose test items are kept out of the corpus.
        extra_documents: a folder of document shards (synthetic textbooks) that count as medical sources, or None.
        out_dir: gets documents/, dropped/, sources.json, funnel.json and statistics.json; an unfinished build of the
            same sources and rules in it goes on.
        progress: shows what is done.

    Returns:
        Counts: documents read, kept and dropped, characters kept, and documents dropped for each reason.

    Raises:
        InputError: a source that cannot be read or has no licence, or no document is left.
    """
    _check_names(corpus)
    SourceCleaner(corpus)  # a key file that cannot be used is told before anything is read
    check_quality(corpus, extra_documents)
    plan = make_plan(corpus, benchmarks, extra_documents, PART_BYTES)
    key = sha256_json([plan.key, corpus.shard_mebibytes, corpus.quality.model_dump(mode="json")])
    folder = out_dir / _CHECKPOINTS
    finished = folder / _FINISHED
    if finished.is_file() and (known := read_json(finished)).get("key") == key:
        _sweep(out_dir)
        return dict(known["summary"])
    save_plan(folder, plan)
    for source in corpus.sources:
        if listed := describe_left_out(source):
            progress.say(f"source {source.name!r} reads {source.format}; other files of its folder: {listed}")
    records = run_parts(plan, folder, corpus, progress)
    steps = [step for step in STEPS if step != "quality" or corpus.quality.enabled]
    funnel, histograms = Funnel(steps), Histograms()
    for record in records:
        funnel.add(record["funnel"])
    rows = sum(record["passed"] + record["dropped"] for record in records)
    _same("rows that the parts left", rows, funnel.total("read"))
    _check_readable(funnel, folder, progress)
    passed = load_passed(folder, records, corpus)
    _second_pass(corpus, plan, passed, funnel, histograms, out_dir, key, progress)
    for number in range(len(plan.parts)):
        _copy_dropped(folder, number, out_dir / "dropped", passed.again.dropped.get(number, {}))
    return _finish(corpus, benchmarks, funnel, histograms, out_dir, key)


def _check_names(corpus: CorpusSection) -> None:
    names = [source.name for source in corpus.sources]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two sources are named {name!r}", where="corpus.sources", hint="give each its own name")


def _second_pass(
    corpus: CorpusSection,
    plan: Plan,
    passed: Passed,
    funnel: Funnel,
    histograms: Histograms,
    out_dir: Path,
    key: str,
    progress: Progress,
) -> None:
    """Decide duplicates and benchmark texts, and write what is kept."""
    folder = out_dir / _CHECKPOINTS
    progress.say(f"comparing {passed.sizes.size:,} documents with each other")
    chosen = choose(passed, corpus)
    if not (chosen.codes == KEPT).any():
        _no_document(funnel, chosen.counts(), corpus, folder)
    save_repeats(folder, chosen.repeats)
    documents = f"{_CHECKPOINTS}/candidates" if corpus.quality.enabled else "documents"
    wanted = list(ranges(folder, passed, chosen, corpus.shard_mebibytes * 2**20))
    with progress.task("write documents", passed.sizes.size, "documents") as task:
        run_processes(
            write_range,
            [(folder, out_dir, documents, one, key) for one in wanted],
            process_count(corpus.workers),
            lambda place: task.advance(wanted[place].codes.size),
        )
    written = 0
    for one in wanted:
        record = read_json(record_file(folder, one.number))
        funnel.add(record["funnel"])
        histograms.merge(record["histograms"])
        written += record["kept"]
    _same("documents written", written, funnel.total("boilerplate"))
    if corpus.quality.enabled:
        histograms.clear()
        apply_quality(corpus.quality, out_dir / documents, out_dir, folder, funnel, histograms, progress)
    if not funnel.total(funnel.steps[-1]):
        _no_document(funnel, {}, corpus, folder)


def _check_readable(funnel: Funnel, folder: Path, progress: Progress) -> None:
    """Say of which sources much cannot be read.

    Raises:
        InputError: no record of a source can be read.
    """
    for source in funnel.sources.values():
        lost, read = source.dropped["unreadable"], source.documents["read"]
        if lost <= UNREADABLE_SHARE * read:
            continue
        example = _example(folder, "unreadable", f"{source.name}:")
        if lost == read:
            raise InputError(
                f"no record of source {source.name!r} can be read",
                where=f"unreadable: {lost:,}{example}",
                hint="set the source's `format`, or take it out of corpus.sources",
            )
        progress.say(f"source {source.name!r}: {lost:,} of {read:,} records cannot be read{example}")


def _same(what: str, found: int, counted: int) -> None:
    """Files and counts are made apart, so that a mistake in one shows in the other."""
    if found != counted:
        raise RuntimeError(f"{what}: {found}, but {counted} were counted")


def _no_document(funnel: Funnel, more: Mapping[str, int], corpus: CorpusSection, folder: Path) -> None:
    reasons = funnel.reasons
    reasons.update(more)
    listed = ", ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common())
    example = _example(folder, reasons.most_common(1)[0][0]) if listed else ""
    if not corpus.quality.enabled:  # a model's answers are dear; the rest would only come out again
        shutil.rmtree(folder, ignore_errors=True)
    raise InputError(
        "no document is left in the corpus",
        where=f"dropped because {listed}{example}" if listed else "nothing was read: all files are empty",
        hint="look at the sources, or loosen corpus.filters" if listed else "look at the sources",
    )


def _example(folder: Path, reason: str, prefix: str = "") -> str:
    """The first document that a part dropped for this reason, of those whose id begins so."""
    for path in sorted((folder / "parts").glob("*.dropped.parquet")):
        for batch in read_rows(path, 0, 1 << 62, ("id", "reason", "detail")):
            for identifier, why, detail in batch:
                if why == reason and identifier.startswith(prefix):
                    return f"; the first: {identifier} ({detail})"
    return ""


def _copy_dropped(folder: Path, number: int, out: Path, again: dict[int, int]) -> None:
    """The documents that a part dropped; of the parts without any, the first leaves an empty file."""
    path = part_file(folder, number, "dropped.parquet")
    rows = [row for batch in read_rows(path, 0, 1, DROPPED_COLUMNS) for row in batch]
    if not rows and number:
        return
    target = out / f"read-{number:05d}.parquet"
    if not again:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        shutil.copyfile(path, temporary)
        temporary.replace(target)
        return
    place = 0
    with row_writer(target, DROPPED_COLUMNS) as writer:
        for batch in read_rows(path, 0, 1 << 62, DROPPED_COLUMNS):
            for row in batch:
                writer.add((renamed(row[0], again.get(place)), *row[1:]))
                place += 1


def _finish(
    corpus: CorpusSection,
    benchmarks: BenchmarksSection,
    funnel: Funnel,
    histograms: Histograms,
    out_dir: Path,
    key: str,
) -> dict[str, object]:
    """Write the counts, and give the checkpoints back."""
    funnel.check()
    _same("documents in the histograms", histograms.documents(), funnel.total(funnel.steps[-1]))
    tasks = guarded_items(benchmarks, corpus.decontamination)
    unchecked = build_index(tasks, corpus.decontamination).unchecked
    described = funnel.sources_json()
    known = {source.name: source for source in corpus.sources}
    for name, entry in described.items():
        replaced = dict(sorted(funnel.sources[name].personal.items()))
        entry["personal_data"] = personal_data_of(known.get(name), corpus, replaced)
    write_json(out_dir / "sources.json", described)
    write_json(out_dir / "funnel.json", funnel.as_json(list(tasks), unchecked))
    write_json(out_dir / "statistics.json", histograms.as_json())
    summary = _summary(funnel)
    folder = out_dir / _CHECKPOINTS
    # Written before the rest goes: a run killed after this moment has nothing left to do.
    write_json(folder / _FINISHED, {"key": key, "summary": summary})
    _sweep(out_dir)
    return summary


def _sweep(out_dir: Path) -> None:
    """Remove checkpoints of a finished corpus, and what killed processes left half-written."""
    for path in (out_dir / _CHECKPOINTS).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _FINISHED:
            path.unlink()
    for path in out_dir.rglob(".*.tmp"):
        path.unlink()


def _summary(funnel: Funnel) -> dict[str, Any]:
    sources = funnel.sources.values()
    return {
        "read": funnel.total("read"),
        "documents": funnel.total(funnel.steps[-1]),
        "characters": sum(source.characters[funnel.steps[-1]] for source in sources),
        "dropped": dict(sorted(funnel.reasons.items())),
        "personal_data_deleted": dict(sorted(funnel.personal.items())),
    }
