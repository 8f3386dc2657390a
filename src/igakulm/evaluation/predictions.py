"""Finished answers in a file, whoever gave them: read, checked, and scored without a model.

Does: read JSON Lines of raw answers for a published benchmark or a task file, and score them with the published and the
corrected metrics. Does not: ask a model, or write files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.answering.reading import Prediction, parse_answer, upstream_letter, upstream_list
from igakulm.errors import InputError, did_you_mean
from igakulm.evaluation.details import class_rows, subgroup_rows
from igakulm.evaluation.intervals import Resampler
from igakulm.evaluation.metrics import measure, measure_upstream
from igakulm.evaluation.passing import group_rows
from igakulm.files import numbered_jsonl
from igakulm.recipe.schema import BenchmarkSet, BenchmarksSection, Jmed, RowTask
from igakulm.tasks.benchmarks import registry
from igakulm.tasks.benchmarks.jmed import TASKS, load_test
from igakulm.tasks.fields import check_fields
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import Screen, counts
from igakulm.tasks.rows import read_rows
from igakulm.text.broken import whole_characters

NO_ANSWER = 'write "text": "" for items without an answer'


@dataclass(frozen=True, slots=True)
class Finished:
    """One task answered: its items, the raw texts, our readings and the published scorer's."""

    items: list[Item]
    texts: list[str]
    parsed: list[Prediction]
    upstream: list[Prediction]


def read_jmed_predictions(data: Path, predictions: Path, tasks: Sequence[str] = ()) -> dict[str, Finished]:
    """The answers of a file with lines `{"task": "crade", "row": 0, "text": "raw answer"}`, in JMED-LLM's order.

    Args:
        data: JMED-LLM's folder of CSV files.
        predictions: the file; `row` counts the rows of the task's test file from 0. A task is answered wholly or not
            at all.
        tasks: only these tasks; empty = all that occur in the file.

    Raises:
        InputError: a wrong line (file and line are named), a row answered twice or not at all, a task without answers.
    """
    for task in tasks:
        _check_task(task, "--task")
    given: dict[str, dict[int, tuple[str, str]]] = {}
    for number, line in numbered_jsonl(predictions):
        where = f"{predictions}, line {number}"
        check_fields(line, ("task", "row", "text"), where)
        task, row = _check_task(line.get("task"), where), line.get("row")
        if not isinstance(row, int) or isinstance(row, bool):
            raise InputError("`row` is not a whole number", where=where, hint="give the test file's row, from 0")
        if row in given.setdefault(task, {}):
            raise InputError(f"row {row} of {task} is answered twice", where=where, hint="give one answer for each row")
        given[task][row] = _text(line, where), where
    absent = next((task for task in tasks if task not in given), None)
    if absent or not given:
        raise InputError(f"no answers of {absent}" if absent else "the file holds no answers", where=str(predictions))
    chosen = tuple(task for task in TASKS if task in given and (not tasks or task in tasks))
    items = load_test(Jmed(path=str(data), tasks=chosen))
    return {task: _finished_rows(items[task], given[task], task, predictions) for task in chosen}


def _finished_rows(
    items: Sequence[Item], given: Mapping[int, tuple[str, str]], task: str, predictions: Path
) -> Finished:
    for row, (_, where) in given.items():
        if not 0 <= row < len(items):
            raise InputError(f"{task} has no row {str(row)[:20]}", where=where, hint=f"rows are 0 to {len(items) - 1}")
    _check_complete([row for row in range(len(items)) if row not in given], len(items), f"rows of {task}", predictions)
    return finish(items, [given[row][0] for row in range(len(items))])


def _check_task(task: object, where: str) -> str:
    if isinstance(task, str) and task in TASKS:
        return task
    close = did_you_mean(task, TASKS) if isinstance(task, str) else None
    hint = f"did you mean {close}?" if close else "known tasks: " + ", ".join(TASKS)
    raise InputError(f"JMED-LLM has no task {str(task)[:40]!r}", where=where, hint=hint)


def _text(line: Mapping[str, object], where: str) -> str:
    text = line.get("text")
    if not isinstance(text, str):
        raise InputError("`text` is not a text", where=where, hint=NO_ANSWER)
    return whole_characters(text)


def _check_complete(missing: Sequence[object], total: int, what: str, predictions: Path) -> None:
    if missing:
        raise InputError(
            f"{len(missing)} of {total} {what} have no answer; the first is {missing[0]}",
            where=str(predictions),
            hint=NO_ANSWER,
        )


def finish(items: Sequence[Item], texts: Sequence[str]) -> Finished:
    """Read raw answers both ways; `texts` in the order of the items."""
    published: dict[str, Callable[[str], Prediction]] = {"entities": upstream_list}
    return Finished(
        items=list(items),
        texts=list(texts),
        parsed=[parse_answer(item, text) for item, text in zip(items, texts, strict=True)],
        upstream=[published.get(item.kind, upstream_letter)(text) for item, text in zip(items, texts, strict=True)],
    )


def score_jmed_predictions(
    data: Path, predictions: Path, *, tasks: Sequence[str] = (), samples: int = 2000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Score a file of answers to JMED-LLM's published test rows (see `read_jmed_predictions`).

    Args:
        data: JMED-LLM's folder of CSV files.
        predictions: the file of answers.
        tasks: only these tasks; empty = all that occur in the file.
        samples: bootstrap samples.
        seed: of the bootstrap.

    Returns:
        task -> {"n", "documents", "split", "unparsed": share of answers that could not be read, the published metrics
        (`*_upstream`) as numbers, the corrected ones as {"value", "low", "high"}}.

    Raises:
        InputError: as `read_jmed_predictions`.
    """
    found = {}
    for task, finished in read_jmed_predictions(data, predictions, tasks).items():
        upstream = {metric.name: metric.value for metric in measure_upstream(finished.items, finished.upstream)}
        found[task] = _scores(finished, "published", upstream, samples, seed)
    return found


def score_row_predictions(
    task: RowTask, predictions: Path, *, strict: bool = False, samples: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Score a file of answers to a task file (see `read_row_predictions`).

    Returns:
        {"n", "documents", "split", "unparsed", metrics as {"value", "low", "high"}, "groups": points by year where rows
        have one, "classes" and "subgroups" (see details.py) where there are any, "left_out": reason -> rows}.

    Raises:
        InputError: as `read_row_predictions`.
    """
    screen = Screen(strict)
    finished = read_row_predictions(task, predictions, screen)
    groups = group_rows(finished.items, finished.parsed)
    left_out = counts(screen.rows).get(task.name, {})
    more = {
        "classes": class_rows(finished.items, finished.parsed),
        "subgroups": subgroup_rows(finished.items, finished.parsed, samples, seed),
    }
    scores = _scores(finished, "test", {}, samples, seed) | {key: rows for key, rows in more.items() if rows}
    return {**scores, "groups": groups, "left_out": left_out}


def read_row_predictions(task: RowTask, predictions: Path, screen: Screen) -> Finished:
    """The answers of a file with lines `{"id": "q1", "text": "raw answer"}` to a task file (see `read_rows`).

    Answers to rows that were left out of the task file do not count.

    Raises:
        InputError: a wrong line (file and line are named), or a question answered twice or not at all.
    """
    if task.test is None:
        raise InputError("the task has no test file", where=task.name, hint="give one")
    items = read_rows(Path(task.test), task, screen)
    return _matched(items, predictions, screen, task.test)


def read_benchmark_predictions(chosen: BenchmarkSet, predictions: Path, screen: Screen) -> dict[str, Finished]:
    """The answers of a file with lines `{"id": "120A-1", "text": "raw answer"}` to a published benchmark, by task.

    Tasks of which no question is answered are left away; a task is answered wholly or not at all.

    Raises:
        InputError: no copy of the benchmark there, a wrong line, or a question answered twice or not at all.
    """
    ((benchmark, one),) = registry.chosen(BenchmarksSection(sets=(chosen,)))
    tasks = benchmark.load_test(one, screen)
    answered = {_identifier(line.get("id")) for _, line in numbered_jsonl(predictions)}
    tasks = {task: items for task, items in tasks.items() if any(item.id in answered for item in items)} or tasks
    everything = [item for items in tasks.values() for item in items]
    finished = _matched(everything, predictions, screen, chosen.path)
    texts = dict(zip([id(item) for item in everything], finished.texts, strict=True))
    return {task: finish(items, [texts[id(item)] for item in items]) for task, items in tasks.items()}


def score_benchmark_predictions(
    chosen: BenchmarkSet, predictions: Path, *, strict: bool = False, samples: int = 2000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Score a file of answers to a published benchmark (see `read_benchmark_predictions`): task -> as
    `score_jmed_predictions`, with "left_out" (reason -> rows), and the published metrics where its scorer has some.

    Raises:
        InputError: as `read_benchmark_predictions`.
    """
    screen = Screen(strict)
    jmed_scorer = registry.benchmark_named(chosen.name, "benchmark").jmed_scorer
    found = {}
    for task, finished in read_benchmark_predictions(chosen, predictions, screen).items():
        measured = measure_upstream(finished.items, finished.upstream) if jmed_scorer else []
        upstream = {metric.name: metric.value for metric in measured}
        found[task] = _scores(finished, "test", upstream, samples, seed)
        found[task]["left_out"] = counts(screen.rows).get(task, {})
    return found


def _matched(items: Sequence[Item], predictions: Path, screen: Screen, source: str) -> Finished:
    """Answers by id; `source` holds the questions."""
    known, without = {item.id for item in items}, {row.id for row in screen.rows}
    given: dict[str, str] = {}
    for number, line in numbered_jsonl(predictions):
        where = f"{predictions}, line {number}"
        check_fields(line, ("id", "text"), where)
        identifier = _identifier(line.get("id"))
        if identifier in without and (identifier not in known or identifier in given):
            continue
        if identifier not in known:
            what = f"there is no question {identifier[:40]!r} that text can answer"
            close = did_you_mean(identifier, known)
            hint = f"did you mean {close!r}?" if close else f"give the ids of {source}"
            raise InputError(what, where=where, hint=hint)
        if identifier in given:
            raise InputError(f"the question {identifier!r} is answered twice", where=where)
        given[identifier] = _text(line, where)
    _check_complete([item.id for item in items if item.id not in given], len(items), "questions", predictions)
    return finish(items, [given[item.id] for item in items])


def _identifier(value: object) -> str:
    """An id as task files have it; "" where there is none."""
    return str(value).strip() if isinstance(value, str) or type(value) is int else ""


def _scores(
    finished: Finished, split: str, upstream: Mapping[str, float], samples: int, seed: int
) -> dict[str, object]:
    resampler = Resampler(finished.items, samples, seed)
    scores: dict[str, Any] = {
        "n": len(finished.items),
        "documents": resampler.documents,
        "split": split,
        "unparsed": sum(answer is None for answer in finished.parsed) / len(finished.items),
        **upstream,
    }
    for metric in measure(finished.items, finished.parsed):
        low, high = resampler.interval(metric.statistics, metric.combine, metric.bounds)
        scores[metric.name] = {"value": metric.value, "low": low, "high": high}
    return scores
