"""How many rows a hospital needs: NRNER as if it were one's own rows, 50 to all, document-disjoint from the test.

Does: score methods without a language model on nested subsets, with 95 % intervals over test documents; with `--base`
also tune a base on each subset by the ordinary stages, and compare it with the best method by the paired test.
Does not: choose settings on test rows: those of `igakulm task train` are taken.

    python benchmarks/own_rows.py --data JMED_FOLDER --out FOLDER [--base DIR_OR_GGUF] [--sizes 50 100 200 500 0]

JMED-LLM is not shipped; its NRNER is CC BY-NC-SA 4.0 and may not be copied into results.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from igakulm.evaluation.baselines import Setting, predict
from igakulm.evaluation.intervals import Resampler, document_groups
from igakulm.evaluation.item_files import read_items
from igakulm.evaluation.metrics import measure
from igakulm.evaluation.scoreboard import read_scoreboard
from igakulm.evaluation.significance import paired
from igakulm.files import write_json
from igakulm.pipeline.own_task import finetune_settings
from igakulm.pipeline.run import Runner, run_folder
from igakulm.progress import for_this_output
from igakulm.recipe.loading import load_recipe
from igakulm.recipe.schema import BenchmarksSection
from igakulm.tasks.item_rows import write_item_rows
from igakulm.tasks.items import Item
from igakulm.tasks.load import load_split
from igakulm.tasks.splits import nested_order

METHODS = ("majority", "nearest", "dictionary", "tagger")
SAMPLES, SEED = 2000, 0
VALIDATION = 0.1


def main() -> None:
    """Measure all sizes; a size whose run is there is gone on with."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 500, 0], help="0 = all rows")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    config = BenchmarksSection.model_validate({"jmed": {"path": given.data, "tasks": ["nrner"]}})
    split = load_split(config, "document-disjoint")
    train, test = split.train["nrner"], split.test["nrner"]
    order = nested_order(train, SEED)
    for size in given.sizes:
        rows = [train[place] for place in order[: size or len(train)]]
        path = given.out / f"{len(rows)}.json"
        found = json.loads(path.read_text()) if path.is_file() else {"rows": len(rows), "n": len(test)}
        found["documents"] = len({row.document for row in rows})
        if "methods" not in found:
            found["methods"] = [of_method(name, rows, test) for name in METHODS]
        if given.base and "model" not in found:
            found["model"] = of_model(rows, test, given.base, given.out / f"run-{len(rows)}")
        write_json(path, found)
        print(json.dumps(found, ensure_ascii=False), flush=True)
    print(table(given.out))


def table(folder: Path) -> str:
    """All sizes that are there, as Markdown: overlap F1 [95 % interval], CPU seconds in brackets."""
    found = sorted((json.loads(path.read_text()) for path in folder.glob("*.json")), key=lambda one: one["rows"])
    lines = ["| rows | documents | " + " | ".join(METHODS) + " | tuned model |", "|---" * (len(METHODS) + 3) + "|"]
    for one in found:
        cells = [f"{_figure(way['overlap_f1'])} ({way['cpu_seconds']:g} s)" for way in one["methods"]]
        model = one.get("model")
        tuned = "not run"
        if model:
            tuned = f"{_figure(model['overlap_f1'])} ({model['cpu_minutes']:g} min; {model['steps']} steps)"
            tuned += f"; minus {model['against']} {_figure(model['difference'])}, p {model['p']:.3g}"
        lines.append(f"| {one['rows']:,} | {one['documents']:,} | {' | '.join(cells)} | {tuned} |")
    return "\n".join(lines)


def _figure(three: Sequence[float]) -> str:
    value, low, high = (f"{one:.3f}".replace("0.", ".", 1) for one in three)
    return f"{value} [{low}, {high}]"


def of_method(name: str, rows: Sequence[Item], test: Sequence[Item]) -> dict[str, Any]:
    """Scores of a method without a language model, and the CPU seconds that learning and answering take."""
    start = time.process_time()
    said = predict(name, test, Setting(rows, SEED))
    assert said is not None
    return {"method": name, "cpu_seconds": round(time.process_time() - start, 1), **scores(test, said)}


def scores(test: Sequence[Item], said: Sequence[Any]) -> dict[str, Any]:
    """Overlap and exact F1 with 95 % intervals."""
    resampler = Resampler(test, SAMPLES, SEED)
    found = {}
    for one in measure(test, said):
        if one.name in ("overlap_f1", "exact_f1"):
            low, high = resampler.interval(one.statistics, one.combine, one.bounds)
            found[one.name] = [round(value, 4) for value in (one.value, low, high)]
    return found


def of_model(rows: Sequence[Item], test: Sequence[Item], base: Path, folder: Path) -> dict[str, Any]:
    """Tune by the ordinary stages, score, and compare with the best of the methods on the same items."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "nrner-rows.train.jsonl", folder / "nrner-rows.test.jsonl"
    for path, items in zip(paths, (rows, test), strict=True):
        write_item_rows(path, items)
    watched = round(len(rows) * VALIDATION)
    stored: Any = {"tasks": ["nrner-rows"], "rows": {"train": len(rows) - watched, "validation": watched}}
    row_task = {"name": "nrner-rows", "kind": "items", "train": str(paths[0]), "test": str(paths[1])}
    recipe = {
        "name": "nrner",
        "runs_folder": str(folder),
        "model": {"from_folder": str(base.resolve()), "dropout": 0.0},
        "pretrain": {"steps": 0},
        "finetune": finetune_settings(stored),
        "benchmarks": {"rows": [row_task]},
        "evaluate": {"models": ["tuned"], "baseline_splits": ["published"], "fold_below": 0},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    loaded = load_recipe(folder / "recipe.yaml")
    wall, before = time.monotonic(), cpu_seconds()
    Runner(loaded, for_this_output()).run("evaluate")
    spent = {
        "wall_minutes": round((time.monotonic() - wall) / 60, 1),
        "cpu_minutes": round((cpu_seconds() - before) / 60, 1),
    }
    evaluation = run_folder(loaded) / "latest" / "evaluate"
    answers = {one.model: evaluation / one.file for one in read_scoreboard(evaluation).items}
    items, said = read_items(answers["tuned"])
    own = measure(items, said)[0]
    others = {name: measure(*read_items(path))[0] for name, path in answers.items() if name in METHODS}
    best = max(others, key=lambda name: others[name].value)
    result = paired(own, others[best], document_groups(items), SAMPLES, SEED)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        **scores(items, said),
        "steps": loaded.finetune.steps,
        **spent,
        "peak_gib": round(peak, 2),
        "against": best,
        "difference": [round(value, 4) for value in (result.difference, result.low, result.high)],
        "p": round(result.p, 4),
    }


def cpu_seconds() -> float:
    """Of this process and its children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
