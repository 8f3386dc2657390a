"""Models on chosen benchmarks, outside of a recipe: `igakulm evaluate jmed|igakuqa|exam|task`.

Does: run the evaluation in a locked folder that a killed run can go on with, write the report and the manifest.
Does not: open models or choose how they are asked (target.py), or ask and score (evaluation/evaluate.py).
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from igakulm.asking.client import ResponseStore, endpoint_url
from igakulm.errors import InputError
from igakulm.evaluation.ask_items import Asked
from igakulm.evaluation.evaluate import Candidate, evaluate
from igakulm.evaluation.item_files import plain_name
from igakulm.evaluation.learning_curve import CURVE
from igakulm.evaluation.manner import Manner
from igakulm.evaluation.scoreboard import SCOREBOARD, read_scoreboard
from igakulm.evaluation.target import Options, Target, manners_for, open_target
from igakulm.files import MANIFEST, explain_os_error, locked, read_json, sha256_json, write_text
from igakulm.manifest import (
    Manifest,
    content_digest,
    describe_files,
    provenance,
    read_manifest,
    write_manifest,
)
from igakulm.progress import Progress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection, RowTask
from igakulm.report.evaluation import build_evaluation_report
from igakulm.report.markdown import render_markdown
from igakulm.report.numbers import Language
from igakulm.tasks.benchmarks.registry import benchmark_of
from igakulm.tasks.left_out import LEFT_OUT_FILE
from igakulm.tasks.load import load_split
from igakulm.tasks.wording import told

STAGE = "evaluation"
RowKind = Literal["classification", "extraction", "similarity", "exam", "free-text"]
"""What the rows of a user's own file ask."""
OF_OWN_TASKS = (CURVE, "errors.xlsx", "errors.csv")
"""What `beside` may write, for own tasks."""
RESULTS = (MANIFEST, SCOREBOARD, "scoreboard.md", "report.html", LEFT_OUT_FILE)
OURS = {*RESULTS, *OF_OWN_TASKS, "items", "logs", "lock"}
"""Everything that an evaluation's folder holds."""


def default_folder(benchmark: str, model: str) -> Path:
    """Where results go when nothing is said.

    >>> default_folder("jmed", "org/model").as_posix()
    'evaluations/jmed-org-model-c87c0c64'
    """
    return Path("evaluations") / f"{plain_name(benchmark)}-{plain_name(model)}"


def row_task(data: Path, kind: RowKind, train: Path | None = None, by: Sequence[str] = ()) -> RowTask:
    """A file of rows as a task of its own: its name is the file's, as part of a path, and never that of a published
    benchmark.

    >>> row_task(Path("rows/my ward.jsonl"), "extraction").name, row_task(Path("igakuqa.jsonl"), "exam").name
    ('my-ward', 'exam-igakuqa')
    """
    name = re.sub(r"[^\w.-]+", "-", data.stem).strip("-.") or "exam"
    return RowTask(
        name=f"exam-{name}" if benchmark_of(name) else name,
        kind="entities" if kind == "extraction" else kind,
        test=str(data),
        train=str(train) if train else None,
        by=tuple(by),
    )


def evaluate_model(
    benchmarks: BenchmarksSection,
    target: Target,
    options: Options,
    out_dir: Path,
    progress: Progress,
    language: Language = "ja",
    more: Sequence[Target] = (),
    beside: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Score a model, and `more` models beside it, and write `scoreboard.json`, `scoreboard.md`, `items/`, `report.html`
    (in the given language) and `manifest.json`; `beside` writes further results before the report is made.

    Returns:
        The scoreboard.

    Raises:
        InputError: bad input, another process at work in `out_dir`, or a folder that holds something else.
    """
    targets = {one.label(): one for one in (target, *more)}
    if len(targets) <= len(more):
        raise InputError("two models have one name", where=", ".join(targets), hint="evaluate them one by one, --name")
    stores = {name: out_dir / "logs" / store_name(one) for name, one in targets.items() if one.endpoint}
    # Read twice, here and by `evaluate`, so that a wrong file shows before anything is opened or replaced.
    found = load_split(benchmarks, options.split, strict=options.strict, need_train=options.baselines)
    if not any(found.test.values()):
        raise InputError("there is no test item", where=options.split, hint="choose another benchmark or split")
    _check_folder(out_dir)
    with _claimed(out_dir), ExitStack() as opened:
        start = time.monotonic()
        manners: dict[str, tuple[Manner, ...]] = {}
        candidates = {
            name: _candidate(name, one, options, _store(stores.get(name), opened), manners)
            for name, one in targets.items()
        }
        first, *_ = targets
        model = candidates[first].open()
        candidates[first] = Candidate(lambda: model, candidates[first].manners)
        manners[first] = manners_for(model, options)  # a file that is wrong shows before results are replaced
        for line in told(manners[first][0].wording):
            progress.say(line)
        _remove_results(out_dir)
        evaluate(
            _config(options), benchmarks, options.split, candidates, None, out_dir, progress, strict=options.strict
        )
        beside()
        board: dict[str, Any] = read_json(out_dir / SCOREBOARD)
        write_text(out_dir / "scoreboard.md", render_markdown(read_scoreboard(out_dir)))
        build_evaluation_report(out_dir, ", ".join(targets), language)
        _finish(out_dir, _ingredients(benchmarks, targets, options, manners), start)
    return board


def _store(path: Path | None, opened: ExitStack) -> ResponseStore | None:
    """The store of an endpoint's answers."""
    return opened.enter_context(closing(ResponseStore(path))) if path else None


def _candidate(
    name: str, target: Target, options: Options, store: ResponseStore | None, manners: dict[str, tuple[Manner, ...]]
) -> Candidate:
    """A model that is opened when its turn comes; `manners` is told how it was asked."""

    def asked(model: Asked) -> tuple[Manner, ...]:
        manners[name] = manners_for(model, options)
        return manners[name]

    return Candidate(lambda: open_target(target, name, store), asked)


def store_name(target: Target) -> str:
    """The file of an endpoint's answers: one for each address, since two servers may know models by one name."""
    return f"responses-{sha256_json(endpoint_url(target.endpoint or 'http://-'))[:8]}.sqlite"


def _check_folder(out_dir: Path) -> None:
    """Refuse a folder that an evaluation did not make: everything in it may be replaced.

    Raises:
        InputError: it holds other files, or what a recipe's run or `igakulm scoreboard` wrote.
    """
    try:
        if out_dir.exists() and not out_dir.is_dir():
            raise InputError("this is not a folder", where=str(out_dir), hint="choose another --out")
        found = {path.name for path in out_dir.iterdir()} if out_dir.exists() else set()
    except OSError as error:
        raise explain_os_error(error, out_dir) from error
    if not found:
        return
    manifest = read_manifest(out_dir) if found <= OURS and "lock" in found else None
    if not found <= OURS or "lock" not in found or (manifest and manifest.stage != STAGE):
        raise InputError(
            "the folder holds something else", where=str(out_dir), hint="choose an empty folder with --out"
        )


@contextmanager
def _claimed(out_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; a folder that was made for an evaluation that could not begin goes away again.

    Raises:
        InputError: another process is at work in it, or it cannot be written.
    """
    new = not out_dir.exists()
    with locked(out_dir, hint="wait for it, or choose another --out"):
        try:
            yield
        except InputError:
            if new and [path.name for path in out_dir.iterdir()] == ["lock"]:
                shutil.rmtree(out_dir)
            raise


def _remove_results(out_dir: Path) -> None:
    """Remove an earlier evaluation's results; answers that were kept stay."""
    for name in (*RESULTS, *OF_OWN_TASKS):
        (out_dir / name).unlink(missing_ok=True)
    if (out_dir / "items").exists():
        shutil.rmtree(out_dir / "items")


def _config(options: Options) -> EvaluateSection:
    values: dict[str, Any] = {
        "bootstrap_samples": options.samples,
        "seed": options.seed,
        "max_items": options.max_items,
    }
    if not options.baselines:
        values["baselines"] = ()
    values |= {"folds": options.folds} if options.folds else {"fold_below": 0}
    return EvaluateSection(**values)


def _ingredients(
    benchmarks: BenchmarksSection,
    targets: Mapping[str, Target],
    options: Options,
    manners: Mapping[str, tuple[Manner, ...]],
) -> dict[str, object]:
    """What was asked for, as a record; the endpoint's address is no part of it."""
    records = []
    for name, target in targets.items():
        plain = _plain(asdict(target))
        plain["endpoint"], plain["recorded"] = bool(target.endpoint), bool(target.recorded)
        asked = [{**asdict(manner), "shots": len(manner.shots)} for manner in manners.get(name, ())]
        records.append({"target": plain, "manners": asked})
    return {
        "benchmarks": benchmarks.model_dump(mode="json"),
        **records[0],
        **({"more": records[1:]} if len(records) > 1 else {}),
        "options": _plain(asdict(options)),
    }


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """Paths as text that UTF-8 can hold."""
    return {
        key: os.fsencode(value).decode("utf-8", "replace") if isinstance(value, Path) else value
        for key, value in values.items()
    }


def _finish(out_dir: Path, ingredients: Mapping[str, object], start: float) -> None:
    files = {name: entry for name, entry in describe_files(out_dir).items() if name != "lock"}
    manifest = Manifest(
        stage=STAGE,
        version=1,
        fingerprint=sha256_json(ingredients),
        ingredients=ingredients,
        digest=content_digest(files),
        files=files,
        summary={},
        seconds=round(time.monotonic() - start, 2),
        finished=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        provenance=provenance(),
    )
    write_manifest(out_dir, manifest)
