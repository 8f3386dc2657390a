"""Models and baselines on all test items, to a scoreboard and a file of answers for each task.

Does: put columns (task and split) together, ask baselines and models, hand the answers to the board (board.py).
Does not: open models itself (they are handed in), tune anything, or draw the report (report.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.asking.client import ResponseStore
from igakulm.errors import InputError
from igakulm.evaluation import baselines
from igakulm.evaluation.ask_items import Asked, ask, identity_of, precision_of, prompt_style
from igakulm.evaluation.board import Board, Column
from igakulm.evaluation.intervals import FEW
from igakulm.evaluation.item_files import BASELINE, CHANCE, Answered
from igakulm.evaluation.kept import KeptAnswers
from igakulm.evaluation.leakage import leaked_items
from igakulm.evaluation.manner import Manner
from igakulm.evaluation.published import published_rows
from igakulm.progress import Progress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection
from igakulm.tasks.benchmarks.registry import chosen
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import LEFT_OUT_FILE, Screen, counts, write_left_out
from igakulm.tasks.load import Split, load_folds, load_split
from igakulm.tasks.splits import leakage, shared_items

STORE = Path("logs") / "answers.sqlite"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to be scored: how to open it (one is open at a time), and how to ask it (a function of what it is)."""

    open: Callable[[], Asked]
    manners: tuple[Manner, ...] | Callable[[Asked], tuple[Manner, ...]]


def evaluate(
    config: EvaluateSection,
    benchmarks: BenchmarksSection,
    split: str,
    candidates: Mapping[str, Candidate],
    lexicon_dir: Path | None,
    out_dir: Path,
    progress: Progress,
    *,
    strict: bool = False,
) -> dict[str, object]:
    """Run baselines and models over all tasks; write the scoreboard and the files of answers.

    A folder that holds the answers of an earlier, broken run (`logs/answers.sqlite`) is gone on with.

    Args:
        config: the recipe's section `evaluate`.
        benchmarks: the recipe's section `benchmarks`.
        split: the split whose training rows the models have seen; they are asked its test items.
        candidates: the models by name.
        lexicon_dir: the lexicon stage's folder for the baseline `dictionary`, or None.
        out_dir: the folder that is written.
        progress: where progress is shown.
        strict: refuse a file with an odd row instead of leaving the row out.

    Returns:
        {"tasks": {task: items}, "models": {name: {task: headline value}}, "truncated": prompts that were cut,
        "cut": answers that were cut, "unanswered": items without an answer, "unparsed": answers that could not be
        read}.

    Raises:
        InputError: no task is configured, a benchmark file is wrong, or a model cannot be asked.
    """
    own = _loaded(config, benchmarks, split, strict=strict)
    _tell_left_out(own, out_dir, progress)
    board = Board(out_dir, config.bootstrap_samples, config.seed or 0)
    terms = baselines.read_terms(lexicon_dir) if "dictionary" in config.baselines else {}
    others = [name for name in _split_names(config, split) if name != split]
    splits = {split: own} | {name: _loaded(config, benchmarks, name, strict=strict) for name in others}
    # Models first: what is wrong with one shows at once, while baselines take minutes.
    with closing(ResponseStore(out_dir / STORE)) as store:
        for name, candidate in candidates.items():
            _add_model(board, name, candidate, columns_of(benchmarks, own), KeptAnswers(store), progress)
    for name, loaded in splits.items():
        columns = [column for column in columns_of(benchmarks, loaded) if name == split or column.train]
        if columns:
            _add_baselines(board, config, columns, terms, progress, name)
    _add_folds(board, config, benchmarks, terms, progress)
    _tell_few(board, progress)
    _tell_unanswered(board, own.screen, out_dir, progress)
    written = board.write(list(own.test), _context(splits, own.screen, config.max_items))
    return _summary(own.test, written["rows"])


def _split_names(config: EvaluateSection, split: str) -> list[str]:
    """The models' split, and the baselines' where there are baselines."""
    return list(dict.fromkeys([split, *(config.baseline_splits if config.baselines else ())]))


def _tell_left_out(split: Split, out_dir: Path, progress: Progress) -> None:
    """Say on the screen what was left out, and list it in a file."""
    for line in split.screen.lines():
        progress.say(line)
    if found := split.screen.rows + split.screen.missing:
        write_left_out(out_dir / LEFT_OUT_FILE, found)


def _tell_unanswered(board: Board, screen: Screen, out_dir: Path, progress: Progress) -> None:
    """Say how many items a model gave no answer to, and list them beside what was left out of the files."""
    if board.unanswered:
        for line in Screen(rows=board.unanswered).lines():
            progress.say(line)
        write_left_out(out_dir / LEFT_OUT_FILE, screen.rows + screen.missing + board.unanswered)


def _tell_few(board: Board, progress: Progress) -> None:
    """Say which columns have too few documents for their intervals."""
    few = {(row["task"], row["split"]): row["documents"] for row in board.rows if row["few_documents"]}
    for (task, split), documents in few.items():
        progress.say(f"{task}, {split}: only {documents} documents; its intervals are too narrow (fewer than {FEW})")


def _loaded(config: EvaluateSection, benchmarks: BenchmarksSection, split: str, *, strict: bool) -> Split:
    loaded = load_split(benchmarks, split, strict=strict, need_train=bool(config.baselines))
    if not any(loaded.test.values()):
        hint = "give jmed, igakuqa or rows with a test file; to tune only, run with --until finetune"
        raise InputError("no benchmark with test items is configured", where="benchmarks", hint=hint)
    # A fold can be without items of a task that has few documents.
    test = {task: list(items[: config.max_items]) for task, items in loaded.test.items() if items}
    return Split(loaded.name, test, loaded.train, loaded.screen)


def columns_of(benchmarks: BenchmarksSection, split: Split) -> list[Column]:
    """The columns of a split; tasks without training rows are named for what they hold."""
    shared = shared_items(split.train, split.test)
    named = {
        task: (benchmark.without_images if one.text_only else benchmark.with_images)
        or (split.name if benchmark.load_train else "test")
        for benchmark, one in chosen(benchmarks)
        for task in benchmark.tasks
    }
    columns = []
    for task, items in split.test.items():
        name = named.get(task) or (split.name if task in split.train else "test")
        columns.append(Column(task, name, items, split.train.get(task, ()), frozenset(shared[task])))
    return columns


def _add_baselines(
    board: Board,
    config: EvaluateSection,
    columns: Sequence[Column],
    terms: Mapping[str, Sequence[str]],
    progress: Progress,
    split: str,
) -> None:
    for baseline in config.baselines:
        with progress.task(f"baseline {baseline}, {split}", len(columns), "tasks") as bar:
            for column in columns:
                setting = baselines.Setting(column.train, config.seed or 0, terms)
                found = _predicted(board, baseline, column, setting)
                if found is not None:
                    board.add(column, _baseline(baseline, found))
                bar.advance()


def _predicted(board: Board, baseline: str, column: Column, setting: baselines.Setting) -> baselines.Predictions | None:
    """A baseline's answers; blind choice among options is scored by what it gives on average instead."""
    found = baselines.predict(baseline, column.items, setting)
    if found is not None and baseline == CHANCE and column.items[0].kind in ("choice", "number"):
        board.add_chance(column, found)
        return None
    return found


def _baseline(name: str, found: baselines.Predictions) -> Answered:
    return Answered(name, "baseline", BASELINE, "", found, found)


def _add_folds(
    board: Board,
    config: EvaluateSection,
    benchmarks: BenchmarksSection,
    terms: Mapping[str, Sequence[str]],
    progress: Progress,
) -> None:
    """Baselines by grouped k-fold over all rows of the tasks whose document-disjoint training rows are too few, or all
    have the same answer.
    """
    if not config.baselines or not config.fold_below:
        return
    train = load_split(benchmarks, "document-disjoint").train
    small = [
        task
        for task, rows in train.items()
        if len(rows) < config.fold_below or len({row.answer for row in rows if row.kind == "choice"}) == 1
    ]
    if not small:
        return
    folds = load_folds(benchmarks, config.folds)
    setting = baselines.Setting((), config.seed or 0, terms)
    with progress.task(f"baselines, {config.folds}-fold", len(small) * len(config.baselines), "tasks") as bar:
        for task in small:
            items = [item for fold in folds for item in fold.test[task]]
            column = Column(task, f"{config.folds}-fold", items)
            for baseline in config.baselines:
                found = baselines.predict_folds(baseline, task, folds, setting)
                if found is not None and baseline == CHANCE and items[0].kind in ("choice", "number"):
                    board.add_chance(column, found)
                elif found is not None:
                    board.add(column, _baseline(baseline, found))
                bar.advance()


def _add_model(
    board: Board, name: str, candidate: Candidate, columns: Sequence[Column], kept: KeptAnswers, progress: Progress
) -> None:
    model = candidate.open()
    board.models[name] = identity_of(model)
    try:
        for manner in candidate.manners(model) if callable(candidate.manners) else candidate.manners:
            for column in columns:
                _ask_column(board, name, model, manner, column, kept, progress)
    finally:
        close = getattr(model, "close", None)
        if close:
            close()


def _ask_column(
    board: Board, name: str, model: Asked, manner: Manner, column: Column, kept: KeptAnswers, progress: Progress
) -> None:
    style = prompt_style(model, manner, column.items[0])
    with progress.task(f"{name}: {column.task}", len(column.items), "items") as bar:
        answers = ask(model, column.items, manner, kept, bar.advance)
    for mode, replies in answers.items():
        known = any(
            (file["model"], file["task"], file["split"], file["answer_mode"]) == (name, column.task, column.split, mode)
            for file in board.files
        )
        if known:
            continue  # entities are generated in every mode
        parsed, upstream = [reply.parsed for reply in replies], [reply.upstream for reply in replies]
        wording = manner.wording.origin(column.items[0]) if style.startswith("published") else ""
        who = Answered(name, "model", mode, style, parsed, upstream, replies, wording, precision_of(model))
        board.add(column, who)


def _context(splits: Mapping[str, Split], screen: Screen, max_items: int | None) -> dict[str, Any]:
    """What stands beside the scores: published figures, what test and training rows share, what was left out."""
    names = {name for split in splits.values() for name in split.test}
    published = next((split for split in splits.values() if split.name == "published"), None)
    return {
        "published": published_rows(names),
        "leakage": [
            {"split": name} | row for name, split in splits.items() for row in leakage(split.train, split.test)
        ],
        "leaked_items": leaked_items(published.train, published.test) if published else [],
        "left_out": counts(screen.rows),
        "missing": counts(screen.missing),
        "max_items": max_items,
    }


def _summary(test: Mapping[str, Sequence[Item]], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    headlines: dict[str, dict[str, float]] = {}
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        if first.setdefault((row["model"], row["task"]), row) is row:
            headlines.setdefault(row["model"], {})[row["task"]] = row["value"]
    return {
        "tasks": {task: len(items) for task, items in test.items()},
        "models": headlines,
        "truncated": sum(row["truncated"] for row in first.values()),
        "cut": sum(row["cut"] for row in first.values()),
        "unanswered": sum(row["unanswered"] for row in first.values()),
        "unparsed": round(sum(row["unparsed"] * row["n"] for row in first.values() if row["role"] == "model")),
    }
