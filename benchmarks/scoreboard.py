"""The scoreboard run as a document: figures of the run's files, and the tuned model pooled with n-grams.

    python benchmarks/scoreboard.py recipes/scoreboard-base.yaml --out docs/results --date 2026-12-01
    python benchmarks/scoreboard.py recipes/scoreboard-base.yaml --judges-only     # the slow half of the pooling

Reads what `igakulm run` left (finetune, evaluate), asks the tuned model the held-out training rows of the choice tasks,
chooses for each task the weight of a pool with the n-gram classifier on them, scores the pool on the test rows by the
board of the evaluation, and writes DATE-scoreboard.md and scoreboard.json. No number is typed by hand.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scoreboard_page import POOLED, SEVERAL, TUNED, Page, PoolRow, ScoreboardRun, Sweep

from igakulm.evaluation.baselines import Setting, ngram_shares
from igakulm.evaluation.board import Board as Growing
from igakulm.evaluation.board import Column
from igakulm.evaluation.comparisons import Pair, pairs_of
from igakulm.evaluation.evaluate import columns_of
from igakulm.evaluation.item_files import Answered
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import read_scoreboard
from igakulm.evaluation.stacking import Fitted, fit_weight, likeliest, pool
from igakulm.files import read_json, read_jsonl, write_json
from igakulm.machine import fast_in_bfloat16
from igakulm.manifest import read_manifest
from igakulm.progress import SilentProgress
from igakulm.recipe.loading import load_recipe
from igakulm.recipe.schema import Recipe
from igakulm.tasks.items import Item
from igakulm.tasks.load import load_split


def held_out_items(recipe: Recipe, run: Path, train: Mapping[str, Sequence[Item]]) -> set[tuple[str, str]]:
    """(task, id) of the training rows that the tuning held out: the same function on the same rows."""
    from igakulm.tokenizer.open import load_encoder
    from igakulm.training.finetune import form_of_rows
    from igakulm.training.tuning_rows import hold_out, render_rows

    section, encoder = recipe.finetune, load_encoder(run / "latest" / "tokenizer")
    form = form_of_rows(section, run / "latest" / "pretrain" / "model", encoder)
    rows, _ = render_rows(train, encoder, section.max_length, SilentProgress(), form=form)
    _, held = hold_out(rows, section.validation_share, section.seed or 0)
    return {(row.task, row.name.removeprefix(f"{row.task}/")) for row in held}


def classifier_shares(columns: Sequence[Column], held: set[tuple[str, str]], seed: int, path: Path) -> dict[str, Any]:
    """The n-gram classifier on held-out rows (fitted without them) and on test rows (fitted on all), kept in a file."""
    if path.is_file():
        return dict(read_json(path))
    found: dict[str, Any] = {}
    for column in columns:
        known = [item for item in column.train if (item.task, item.id) not in held]
        asked = [item for item in column.train if (item.task, item.id) in held]
        found[column.task] = {
            "held": (ngram_shares(asked, Setting(known, seed)) if asked else None) or [],
            "test": ngram_shares(column.items, Setting(column.train, seed)),
        }
        print(f"n-grams: {column.task}, {len(asked)} held out", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def held_rows(choices: Sequence[Column], held: set[tuple[str, str]]) -> dict[str, list[Item]]:
    """The held-out rows of each choice task that has any."""
    found = {column.task: [item for item in column.train if (item.task, item.id) in held] for column in choices}
    return {task: rows for task, rows in found.items() if rows}


def model_shares(
    run: Path, recipe: Recipe, asked: Mapping[str, Sequence[Item]], path: Path
) -> dict[str, list[tuple[float, ...]]]:
    """The tuned model's probabilities of the options of held-out rows, kept in a file beside the model's digest."""
    manifest = read_manifest((run / "latest" / "finetune").resolve())
    digest = manifest.digest if manifest else ""
    if path.is_file() and (kept := read_json(path))["model"] == digest:
        return {task: [tuple(row) for row in rows] for task, rows in kept["shares"].items()}
    found = _ask_held_out(run, recipe, asked)
    write_json(path, {"model": digest, "shares": found})
    return found


def _ask_held_out(run: Path, recipe: Recipe, asked: Mapping[str, Sequence[Item]]) -> dict[str, list[tuple[float, ...]]]:
    from igakulm.evaluation.ask_items import ask
    from igakulm.evaluation.kept import KeptAnswers
    from igakulm.evaluation.manner import Manner
    from igakulm.inference.open import open_model

    config = recipe.evaluate
    model = open_model(
        run / "latest" / "finetune" / "model", "weights", precision=config.precision, batch_tokens=config.batch_tokens
    )
    try:
        found = {}
        for task, items in asked.items():
            replies = ask(model, items, Manner(config.prompts), KeptAnswers(), lambda _: None)
            found[task] = [reply.shares for reply in next(iter(replies.values()))]
        return found
    finally:
        model.close()


def pools(
    columns: Sequence[Column], held: set[tuple[str, str]], run: Path, recipe: Recipe, work: Path
) -> tuple[list[PoolRow], Board]:
    """Choose a weight for every choice task and score the pool beside its two parts."""
    choices = [column for column in columns if column.items[0].kind == "choice" and column.train]
    grams = classifier_shares(choices, held, recipe.evaluate.seed or 0, work / "ngram.json")
    asked = held_rows(choices, held)
    ours = model_shares(run, recipe, asked, work / "model.json")
    growing = Growing(work, recipe.evaluate.bootstrap_samples, recipe.evaluate.seed or 0)
    made: list[PoolRow] = []
    for column in choices:
        rows = asked.get(column.task, [])
        fitted = fit_weight(rows, ours[column.task], grams[column.task]["held"]) if rows else Fitted(0.5, (), 0)
        weight = fitted.weight if fitted.n >= SEVERAL else 0.5
        made.append(
            PoolRow(
                task=column.task,
                weight=weight,
                losses=tuple(round(loss, 4) for loss in fitted.losses),
                held_out=fitted.n,
                chosen=fitted.n >= SEVERAL,
            )
        )
        _score(growing, column, run, grams[column.task]["test"], weight)
    growing.write([column.task for column in choices], {})
    return made, Board(read_scoreboard(work), work)


def _score(growing: Growing, column: Column, run: Path, grams: Sequence[Sequence[float]], weight: float) -> None:
    path = run / "latest" / "evaluate" / f"items/{TUNED}/{column.task}.{column.split}.options-letter.jsonl"
    rows = {row["id"]: row for row in read_jsonl(path)}
    ours = [tuple(rows[item.id]["probabilities"]) for item in column.items]
    both = [(likeliest(pool(one, other, weight)),) for one, other in zip(ours, grams, strict=True)]
    alone = [(likeliest(one),) for one in ours]
    grams_alone = [(likeliest(other),) for other in grams]
    growing.add(column, Answered(POOLED, "model", "pool", "", both, both))
    growing.add(column, Answered(TUNED, "model", "options-letter", "", alone, alone))
    growing.add(column, Answered("ngram", "baseline", "baseline", "", grams_alone, grams_alone))


def result(
    recipe_path: Path, sweeps: Path | None, work: Path, date: str, commit: str = ""
) -> tuple[ScoreboardRun, Board, Board]:
    """All figures of the run, and the two boards that they come from."""
    recipe = load_recipe(recipe_path)
    run = Path("runs") / recipe.name
    split = load_split(recipe.benchmarks, recipe.finetune.split)
    columns = columns_of(recipe.benchmarks, split)
    board = Board(read_scoreboard(run / "latest" / "evaluate"), run / "latest" / "evaluate")
    rows, pooled = pools(columns, held_out_items(recipe, run, split.train), run, recipe, work)
    metrics = read_json(run / "latest" / "finetune" / "metrics.json")
    steps = list(read_jsonl(run / "latest" / "finetune" / "logs" / "steps.jsonl"))
    scores = [score for task in board.tasks for score in task.scores]
    scores += [score for task in pooled.tasks for score in task.scores if score.model == POOLED]
    pairs = [*pairs_of(board), *(pair for pair in pairs_of(pooled) if POOLED in (pair.first[0], pair.second[0]))]
    found = ScoreboardRun(
        date=date,
        commit=commit or _git("rev-parse", "HEAD"),
        evaluated_at=_git("rev-parse", "HEAD"),
        recipe=recipe_path.as_posix(),
        recipe_sha256=hashlib.sha256(recipe_path.read_bytes()).hexdigest(),
        base_sha256=hashlib.sha256(Path(str(recipe.model.from_folder)).read_bytes()).hexdigest(),
        seed=recipe.finetune.seed or 0,
        split=recipe.finetune.split,
        machine=machine(run),
        seconds=_seconds(run),
        training={
            **{name: metrics.get(name) for name in TRAINING},
            "mean_tokens_a_second": round(sum(r["tokens"] for r in steps) / sum(r["seconds"] for r in steps), 1),
            "hours": round(sum(row["seconds"] for row in steps) / 3600, 3),
        },
        flop=flop(run, steps),
        scores=tuple(score for score in scores if score.split in (recipe.finetune.split, "published-unshared")),
        comparisons=tuple(_pair(pair) for pair in pairs if pair.split == recipe.finetune.split),
        pools=tuple(rows),
        sweeps=tuple(Sweep.model_validate(row) for row in read_json(sweeps)) if sweeps else (),
        not_run=NOT_RUN,
    )
    return found, board, pooled


TRAINING = (
    "steps",
    "tokens",
    "loss_tokens",
    "loss_first",
    "loss_last",
    "rows",
    "validation_rows",
    "epochs",
    "shares_by_task",
    "validation",
)
NOT_RUN = (
    "The document-disjoint split: the model has seen documents of the test rows (see the unshared figures).",
    "Further seeds of the tuning: nothing here says how much another seed would differ.",
    "recipes/scoreboard-own.yaml (a model of our own from nothing): the worth of pretraining is not measured.",
    "IgakuQA.",
    "Sweeps of the loss (by row), the sampling of tasks and classes, label words, adapters and trained embeddings: "
    "taken over from a rehearsal or from reason, not compared here; the learning rate alone was.",
)


def machine(run: Path) -> dict[str, Any]:
    """What the tuning ran on, by its manifest, and what this processor offers."""
    import torch

    manifest = read_manifest((run / "latest" / "finetune").resolve())
    said = dict(manifest.provenance) if manifest else {}
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "processor": names[0] if names else "",
        "cores": said.get("cores"),
        "arithmetic": said.get("arithmetic"),
        "amx": "amx_bf16" in flags,
        "fast_in_bf16": fast_in_bfloat16(torch.device("cpu")),
        "python": said.get("python"),
        "torch": (said.get("packages") or {}).get("torch"),
    }


def flop(run: Path, steps: Sequence[Mapping[str, Any]]) -> float:
    """Forward and backward of all tokens, the head counted at every token (it is computed at answers alone)."""
    from igakulm.model.presets import load_folder
    from igakulm.training.model_size import size_of_model

    size = size_of_model(load_folder(run / "latest" / "finetune" / "model"))
    return float(sum(row["tokens"] for row in steps) * size.flops_per_token(200))


def _seconds(run: Path) -> dict[str, float]:
    found = {}
    for link in sorted((run / "latest").iterdir()):
        manifest = read_manifest(link.resolve())
        if manifest:
            found[link.name] = round(manifest.seconds, 1)
    return found


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "task": pair.task,
        "metric": pair.metric,
        "first": list(pair.first),
        "second": list(pair.second),
        "difference": round(pair.difference, 4),
        "low": pair.low,
        "high": pair.high,
        "p": pair.p,
        "p_holm": pair.adjusted,
        "n": pair.n,
    }


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    parser.add_argument("--work", type=Path, default=Path("evaluations/scoreboard-pool"))
    parser.add_argument("--sweeps", type=Path, help="arms of sweeps, as a JSON list")
    parser.add_argument("--commit", default="", help="of the tuning, where it is not the one of now")
    parser.add_argument("--judges-only", action="store_true", help="ask both judges the held-out rows, write nothing")
    options = parser.parse_args()
    if options.judges_only:
        recipe = load_recipe(options.recipe)
        run, split = Path("runs") / recipe.name, load_split(recipe.benchmarks, recipe.finetune.split)
        held = held_out_items(recipe, run, split.train)
        columns = [c for c in columns_of(recipe.benchmarks, split) if c.items[0].kind == "choice" and c.train]
        classifier_shares(columns, held, recipe.evaluate.seed or 0, options.work / "ngram.json")
        model_shares(run, recipe, held_rows(columns, held), options.work / "model.json")
        return
    found, board, pooled = result(options.recipe, options.sweeps, options.work, options.date, options.commit)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scoreboard.json").write_text(
        json.dumps(found.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    name = f"{options.date}-scoreboard.md"
    (options.out / name).write_text(Page(found, board, pooled).text(), encoding="utf-8")
    print(f"{options.out / name}, {options.out / 'scoreboard.json'}")


if __name__ == "__main__":
    main()
