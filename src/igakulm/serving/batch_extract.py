"""Findings and medicines out of many records: `igakulm extract`.

Does: ask every task about every record, keep each record's answer in a journal beside the result, go on from it after
a kill, write the result once all is done. Does not: keep several records under way (batch_answers.py), read the input's
format (batch_records.py), lay out the result (findings.py) or serve.

Records are asked greedily. One after the other (`at_once` 1), the same input, bundle and engine give the same bytes;
several at once do so but for what docs/engines.md says of streams beside others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from igakulm.answering.extraction import ANSWER_TOKENS, Extraction
from igakulm.answering.lists import HOLD
from igakulm.answering.tasks import check_task, extract
from igakulm.errors import InputError, did_you_mean
from igakulm.files import is_stream, sha256_file, sha256_json
from igakulm.inference.engine import EngineFailed
from igakulm.inference.model import NOT_TUNED, Model
from igakulm.inference.open import open_model
from igakulm.progress import Progress
from igakulm.serving.batch_answers import TRIES, Answered, answer_all, tried
from igakulm.serving.batch_journal import Journal
from igakulm.serving.batch_records import Record, Records, open_records
from igakulm.serving.findings import check_format, write_findings
from igakulm.tasks.kinds.registry import kinds
from igakulm.tasks.layouts import Task

JOURNAL = ".journal"


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch reads, asks and writes.

    Attributes:
        column, id_column, encoding: see `open_records`.
        tasks: names; empty = every task of the bundle that extracts.
        form: "csv", "jsonl" or "fhir".
        limit: only so many records from the beginning, for a trial.
        excel: a byte-order mark and line ends for Excel.
        max_new_tokens: longest answer to a piece of a record.
        at_once: records asked at once.
    """

    column: str | None = None
    id_column: str | None = None
    encoding: str = "utf-8"
    tasks: tuple[str, ...] = ()
    form: str = "csv"
    limit: int | None = None
    excel: bool = False
    max_new_tokens: int = ANSWER_TOKENS
    at_once: int = 1


def batch_extract(
    source: Path,
    bundle: Path,
    out: Path,
    options: BatchOptions,
    progress: Progress,
    *,
    engine: str = "auto",
    open_bundle: Callable[[Path, str], Model] = open_model,
) -> dict[str, Any]:
    """Ask about every record of a file and write what was found.

    Args:
        source: CSV, TSV or JSON Lines.
        bundle: whose model is asked.
        out: the result; it appears when all records are done, and replaces an older one. Until then `OUT.journal`
            beside it holds what is done, and the same call goes on from there.
        options: how.
        progress: where to show it.
        engine: "auto", "llamacpp" or "transformers".
        open_bundle: opens the bundle.

    Returns:
        {"records", "broken", "tasks", "items", "unplaced", "cut", "unreadable", "failed", "resumed", "out"}: counts
        over the whole result; `resumed` records were done before this call.

    Raises:
        InputError: an input that cannot be read, an unknown task or format, another batch's journal, an engine that
            fails again and again (what is done is kept).
    """
    form = check_format(options.form)
    if source.resolve() == out.resolve():
        raise InputError("the result would replace its own input", where=str(out), hint="give another --out")
    if out.is_dir():
        raise InputError("the result is a file, and this is a folder", where=str(out), hint="name a file in it")
    records = open_records(source, column=options.column, id_column=options.id_column, encoding=options.encoding)
    opened = open_bundle(bundle, engine)
    try:
        tasks = chosen_tasks(opened.tasks, options.tasks)
        if not opened.tuned_tasks:
            progress.say(NOT_TUNED)
        for task in tasks:
            check_task(opened, task, options.max_new_tokens)
        work = _work(records, tasks, opened, options)
        with Journal(journal_of(source, out), work) as journal:
            resumed = len(journal)
            progress.say(_plan(records, tasks, resumed))
            _ask_all(records, tasks, opened, journal, options, progress)
            write_findings(out, journal.entries(options.limit), form, excel=options.excel)
            summary = _summary(journal.entries(options.limit), tasks)
            journal.remove()
    finally:
        opened.close()
    return {**summary, "resumed": resumed, "out": str(out)}


def journal_of(source: Path, out: Path) -> Path:
    """Where a batch keeps what is done: beside its result, or beside its input when the result is a stream."""
    place = source if is_stream(out) else out
    return place.with_name(place.name + JOURNAL)


def chosen_tasks(tasks: Sequence[Task], names: Sequence[str], kind: str = "extract") -> list[Task]:
    """The tasks of these names, in this order; without names all of the kind.

    Raises:
        InputError: an unknown name, a task of another kind, or none of this kind.
    """
    known = {task.name: task for task in tasks if task.kind == kind}
    does = kinds()[kind].DOES
    for name in names:
        if name not in known:
            close = did_you_mean(name, known)
            hint = f"did you mean {close!r}?" if close else f"choose of: {', '.join(known)}"
            raise InputError(f"the bundle has no task {name!r} that {does}", where="--task", hint=hint)
    if not known:
        raise InputError(f"the bundle's model was tuned on no task that {does}", hint="igakulm ask asks it in chat")
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def _work(records: Records, tasks: Sequence[Task], opened: Model, options: BatchOptions) -> dict[str, object]:
    """What decides the answers; the layout of the result does not."""
    return {
        "input": sha256_file(records.path),
        "columns": [records.encoding, records.delimiter, records.column, records.id_column],
        "tasks": sha256_json([asdict(task) for task in tasks]),
        "model": opened.identity,
        "tokenizer": opened.encoder.identity,
        "preparation": opened.preparation,
        "engine": opened.kind,
        "length of answers": options.max_new_tokens,
        "held to": HOLD,
    }


def _plan(records: Records, tasks: Sequence[Task], resumed: int) -> str:
    broken = f", {records.broken:,} of them broken" if records.broken else ""
    done = f"; {resumed:,} are done already" if resumed else ""
    names = ", ".join(task.name for task in tasks)
    return f"{records.count:,} records{broken}{done}; {len(tasks)} tasks each: {names}"


def _ask_all(
    records: Records,
    tasks: Sequence[Task],
    opened: Model,
    journal: Journal,
    options: BatchOptions,
    progress: Progress,
) -> None:
    total = records.count if options.limit is None else min(records.count, options.limit)
    items = 0
    left = sum(number not in journal for number in range(1, total + 1))  # else rate and time left would be wrong
    with progress.task("extract", left, "records") as bar:
        note = bar.note if options.at_once == 1 else (lambda text: None)

        def advance(answered: Answered) -> None:
            nonlocal items
            items += sum(len(result["items"]) for result in answered.entry["results"])
            bar.advance()
            bar.note(f"{items:,} items")

        def answer(record: Record) -> Answered:
            return _answered(record, tasks, opened, options.max_new_tokens, note)

        numbered = ((record.number, record) for record in _until(records, total))
        answer_all(numbered, answer, journal, options.at_once, advance)


def _until(records: Records, total: int) -> Iterator[Record]:
    for record in records:
        if record.number > total:
            return
        yield record


def _answered(record: Record, tasks: Sequence[Task], opened: Model, most: int, note: Callable[[str], None]) -> Answered:
    results: list[dict[str, Any]] = []
    problem, failed = record.problem, False
    try:
        for task in () if problem else tasks:
            results.append(_result(task, _asked(record, task, opened, most, note)))
    except EngineFailed:
        # Its own words may quote the record.
        problem, failed, results = f"the model's process failed {TRIES} times", True, []
    except InputError as error:
        problem, results = error.what, []
    entry = {"id": record.id, "problem": problem, "failed": failed, "results": results}
    return Answered(entry, problem if failed else "")


def _asked(record: Record, task: Task, opened: Model, most: int, note: Callable[[str], None]) -> Extraction:
    def done(finished: int, pieces: int) -> None:
        if pieces > 1:
            note(f"record {record.number}: piece {finished} of {pieces}")

    return tried(lambda: extract(opened, task, record.text, max_new_tokens=most, done=done))


def _result(task: Task, found: Extraction) -> dict[str, object]:
    return {
        "task": task.name,
        "kind": task.kind_of_item,
        "items": [asdict(item) for item in found.items],
        "unplaced": list(found.unplaced),
        "raw": found.raw,
        "cut": found.cut,
        "unreadable": found.unreadable,
    }


def _summary(entries: Iterator[Mapping[str, Any]], tasks: Sequence[Task]) -> dict[str, Any]:
    counts = dict.fromkeys(("records", "broken", "failed", "items", "unplaced", "cut", "unreadable"), 0)
    for entry in entries:
        counts["records"] += 1
        counts["failed"] += bool(entry["failed"])
        counts["broken"] += bool(entry["problem"]) and not entry["failed"]
        for result in entry["results"]:
            counts["items"] += len(result["items"])
            counts["unplaced"] += len(result["unplaced"])
            counts["cut"] += bool(result["cut"])
            counts["unreadable"] += bool(result["unreadable"])
    return {**counts, "tasks": [task.name for task in tasks]}
