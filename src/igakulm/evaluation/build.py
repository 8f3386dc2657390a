"""The stage "evaluate": models and baselines on all test items, to a scoreboard and one file of answers for each task.

Does: ask, score with intervals, write `scoreboard.json` and `items/MODEL/TASK.jsonl`. Does not: load engines itself
(they are handed in), tune anything, or draw the report (report.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.benchmarks.igakuqa import TASK as IGAKUQA
from igakulm.benchmarks.items import Item
from igakulm.benchmarks.jmed import TASKS as JMED_TASKS
from igakulm.benchmarks.load import load_test_items, load_train_items
from igakulm.benchmarks.prompts import prompt_sha256
from igakulm.benchmarks.splits import leakage
from igakulm.errors import InputError
from igakulm.evaluation import baselines
from igakulm.evaluation.answers import Prediction
from igakulm.evaluation.ask import GENERATE, OPTIONS, Asker, Reply, ask
from igakulm.evaluation.intervals import Resampler
from igakulm.evaluation.metrics import Measured, entity_metrics, is_right, measure, measure_upstream
from igakulm.evaluation.published import published_rows
from igakulm.files import write_json, write_jsonl
from igakulm.inference.engine import Engine
from igakulm.progress import Progress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection
from igakulm.tokenizer.encode import TextEncoder

BASE = "base"
"""The model of this name has no chat tokens and is asked in plain text."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model or baseline answered to one task; `replies` is empty for baselines."""

    model: str
    role: str
    parsed: list[Prediction]
    upstream: list[Prediction]
    replies: list[Reply]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One task with what is needed to score it."""

    name: str
    items: list[Item]
    train: Sequence[Item]
    split: str
    resampler: Resampler


def evaluate(
    config: EvaluateSection,
    benchmarks: BenchmarksSection,
    models: Mapping[str, Path],
    lexicon_dir: Path | None,
    out_dir: Path,
    progress: Progress,
    load_engine: Callable[[Path], Engine],
) -> dict[str, Any]:
    """Run baselines and models over all tasks and write the scoreboard.

    Args:
        config: the recipe's section `evaluate`.
        benchmarks: the recipe's section `benchmarks`.
        models: model name to a folder with a Hugging Face model and its tokenizer files. "base" is asked in plain
            text, every other one in the chat format.
        lexicon_dir: the lexicon stage's folder for the baseline `dictionary`, or None.
        out_dir: the stage's folder.
        progress: where progress is shown.
        load_engine: opens a model folder; one model is open at a time.

    Returns:
        {"tasks": {task: items}, "models": {name: {task: headline value}}, "truncated": prompts that were cut,
        "unparsed": answers that could not be read}.

    Raises:
        InputError: no task is configured, or a benchmark file is wrong.
    """
    tasks = _benchmarks(config, benchmarks)
    setting = baselines.read_terms(lexicon_dir) if "dictionary" in config.baselines else {}
    rows: list[dict[str, Any]] = []
    for answers, task in _all_answers(config, tasks, setting, models, progress, load_engine):
        write_jsonl(out_dir / "items" / answers.model / f"{task.name}.jsonl", _item_rows(task.items, answers))
        rows += _score_rows(task, answers)
    order = {task.name: place for place, task in enumerate(tasks)}
    rows.sort(key=lambda row: order[row["task"]])
    board = {
        "rows": rows,
        "published": [row for row in published_rows() if row["task"] in order],
        "leakage": leakage({task.name: task.train for task in tasks}, {task.name: task.items for task in tasks}),
        "bootstrap": {"samples": config.bootstrap_samples, "seed": config.seed or 0, "unit": "document"},
    }
    write_json(out_dir / "scoreboard.json", board)
    return _summary(tasks, rows)


def _benchmarks(config: EvaluateSection, benchmarks: BenchmarksSection) -> list[Benchmark]:
    test = load_test_items(benchmarks)
    if not test:
        raise InputError("no benchmark is configured", where="benchmarks", mend="give jmed, igakuqa or rows")
    train = load_train_items(benchmarks, config.split)
    tasks = []
    for name, items in test.items():
        chosen = items[: config.max_items]
        if not chosen:
            raise InputError(f"the task {name} holds no items", where="benchmarks")
        split: str = config.split
        if name == IGAKUQA and benchmarks.igakuqa:
            split = "text-only" if benchmarks.igakuqa.text_only else "all questions"
        resampler = Resampler(chosen, config.bootstrap_samples, config.seed or 0)
        tasks.append(Benchmark(name, chosen, train.get(name, ()), split, resampler))
    return tasks


def _all_answers(
    config: EvaluateSection,
    tasks: Sequence[Benchmark],
    terms: Mapping[str, Sequence[str]],
    models: Mapping[str, Path],
    progress: Progress,
    load_engine: Callable[[Path], Engine],
) -> Iterable[tuple[Answers, Benchmark]]:
    for baseline in config.baselines:
        with progress.task(f"baseline {baseline}", len(tasks), "tasks") as bar:
            for task in tasks:
                setting = baselines.Setting(task.train, config.seed or 0, terms)
                found = baselines.predict(baseline, task.items, setting)
                if found is not None:
                    yield Answers(baseline, "baseline", found, found, []), task
                bar.advance()
    for name, folder in models.items():
        asker = _asker(config, name, folder, load_engine)
        for task in tasks:
            with progress.task(f"{name}: {task.name}", len(task.items), "items") as bar:
                replies = ask(asker, task.items, bar.advance)
            parsed = [reply.parsed for reply in replies]
            yield Answers(name, "model", parsed, [reply.upstream for reply in replies], replies), task
        del asker  # frees this model before the next one is opened


def _asker(config: EvaluateSection, name: str, folder: Path, load_engine: Callable[[Path], Engine]) -> Asker:
    return Asker(load_engine(folder), TextEncoder.load(folder), name != BASE, config.answer, config.max_new_tokens)


def _measures(task: Benchmark, answers: Answers) -> list[Measured]:
    """Our metrics, headline first; then the published ones where they can differ from ours (JMED-LLM only)."""
    found = measure(task.items, answers.parsed)
    generated = any(reply.mode == GENERATE for reply in answers.replies)
    if task.name in JMED_TASKS and (task.items[0].kind == "entities" or generated):
        found += measure_upstream(task.items, answers.upstream)
    return found


def _score_rows(task: Benchmark, answers: Answers) -> list[dict[str, Any]]:
    prompts = [reply.prompt for reply in answers.replies]
    modes = {reply.mode for reply in answers.replies}
    mode = (OPTIONS if OPTIONS in modes else GENERATE) if modes else "baseline"
    rows = []
    for measured in _measures(task, answers):
        low, high = task.resampler.interval(measured.statistics, measured.combine)
        rows.append(
            {
                "model": answers.model,
                "task": task.name,
                "kind": task.items[0].kind,
                "metric": measured.name,
                "value": measured.value,
                "low": low,
                "high": high,
                "n": len(task.items),
                "split": task.split,
                "prompt_sha256": prompt_sha256(prompts) if prompts else "",
                "answer_mode": mode,
                "unparsed": sum(prediction is None for prediction in answers.parsed) / len(task.items),
                "role": answers.role,
                "truncated": sum(reply.truncated for reply in answers.replies),
                "documents": task.resampler.documents,
            }
        )
    return rows


def _item_rows(items: Sequence[Item], answers: Answers) -> Iterable[dict[str, Any]]:
    """One object for each item; `score` is 1 or 0 for choices and the overlap F1 of the row for entities."""
    for place, (item, parsed) in enumerate(zip(items, answers.parsed, strict=True)):
        reply = answers.replies[place] if answers.replies else None
        score = entity_metrics([item], [parsed])[0].value if item.kind == "entities" else float(is_right(item, parsed))
        yield {
            "id": item.id,
            "tag": item.tag,
            "group": item.group,
            "prompt": reply.prompt if reply else "",
            "truncated": bool(reply and reply.truncated),
            "answer": reply.text if reply else "",
            "answer_mode": reply.mode if reply else "baseline",
            "parsed": None if parsed is None else list(parsed),
            "gold": list(item.answer),
            "score": score,
        }


def _summary(tasks: Sequence[Benchmark], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    headlines: dict[str, dict[str, float]] = {}
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        if first.setdefault((row["model"], row["task"]), row) is row:
            headlines.setdefault(row["model"], {})[row["task"]] = row["value"]
    return {
        "tasks": {task.name: len(task.items) for task in tasks},
        "models": headlines,
        "truncated": sum(row["truncated"] for row in first.values()),
        "unparsed": round(sum(row["unparsed"] * row["n"] for row in first.values() if row["role"] == "model")),
    }
