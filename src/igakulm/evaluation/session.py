"""One model on chosen benchmarks, outside of a recipe: `igakulm evaluate jmed|igakuqa|exam`.

Does: open the model or endpoint, choose how it is asked, run the evaluation in a locked folder that a killed run can go
on with, write the report and the manifest. Does not: parse command lines, or ask and score (build.py).
"""

from __future__ import annotations

import datetime
import os
import shutil
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from igakulm.benchmarks.load import load_split
from igakulm.benchmarks.wording import Wording, read_shots, read_wording
from igakulm.errors import InputError
from igakulm.evaluation.ask import Model
from igakulm.evaluation.baselines import BASELINES
from igakulm.evaluation.build import Candidate, evaluate
from igakulm.evaluation.item_files import plain_name
from igakulm.evaluation.manner import Answer, Manner, Style
from igakulm.evaluation.recorded import Recorded
from igakulm.evaluation.report_evaluation import build_evaluation_report
from igakulm.evaluation.scoreboard import render_markdown
from igakulm.files import MANIFEST, explain_os_error, locked, read_json, sha256_json, write_text
from igakulm.inference.codec import OwnCodec
from igakulm.inference.open import OpenedModel, open_model
from igakulm.llm import ResponseStore, endpoint_url
from igakulm.manifest import (
    Manifest,
    content_digest,
    describe_files,
    provenance,
    read_manifest,
    write_manifest,
)
from igakulm.progress import Progress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection

SCOREBOARD = "scoreboard.json"
STAGE = "evaluation"
OURS = {SCOREBOARD, "scoreboard.md", "report.html", MANIFEST, "items", "logs", "lock"}
"""Everything that an evaluation's folder holds."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: a local folder or GGUF file (`model`), or an OpenAI-compatible server (`endpoint` and `name`); or
    nobody, when the answers are there already (`recorded`).
    """

    model: Path | None = None
    endpoint: str | None = None
    name: str | None = None
    route: Literal["chat", "completions"] = "chat"
    system_role: bool = True
    tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    concurrency: int = 8
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    batch_tokens: int = 16_384
    threads: int | None = None
    recorded: Recorded | None = None

    def label(self) -> str:
        """The name in the scoreboard.

        Raises:
            InputError: neither or both of model and endpoint, an endpoint without a model's name, or a name that no
                scoreboard can show.
        """
        label = self._label()
        if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in label):
            raise InputError("the model's name holds control characters", where=ascii(label), mend="give a --name")
        if label in BASELINES:
            raise InputError("this is the name of a baseline", where=label, mend="give another --name")
        return label

    def _label(self) -> str:
        if self.recorded is not None:
            return self.name or self.recorded.name
        if (self.model is None) == (self.endpoint is None):
            raise InputError(
                "give either a model or an endpoint", mend="--model FOLDER_OR_GGUF, or --endpoint URL --name NAME"
            )
        if self.endpoint is not None:
            if not self.name:
                raise InputError("the endpoint's model is not named", mend="add --name NAME, as the server calls it")
            return self.name
        assert self.model is not None
        return self.name or self.model.resolve().name.removesuffix(".gguf")


@dataclass(frozen=True, slots=True)
class Options:
    """How it is asked; None = what fits the model (our own: our chat format; others: the published layout)."""

    answers: tuple[Answer, ...] = ()
    prompts: Style | None = None
    wording: Path | None = None
    shots: Path | None = None
    max_new_tokens: int | None = None
    split: str = "published"
    baselines: bool = True
    folds: int = 0
    max_items: int | None = None
    samples: int = 2000
    seed: int = 0


def default_folder(benchmark: str, model: str) -> Path:
    """Where results go when nothing is said.

    >>> default_folder("jmed", "org/model").as_posix()
    'evaluations/jmed-org-model-c87c0c64'
    """
    return Path("evaluations") / f"{plain_name(benchmark)}-{plain_name(model)}"


def evaluate_model(
    benchmarks: BenchmarksSection, target: Target, options: Options, out_dir: Path, progress: Progress
) -> dict[str, Any]:
    """Score one model and write `scoreboard.json`, `scoreboard.md`, `items/`, `report.html` and `manifest.json`.

    Returns:
        The scoreboard.

    Raises:
        InputError: bad input, another process at work in `out_dir`, or a folder that holds something else.
    """
    name, path = target.label(), out_dir / "logs" / store_name(target)
    # Read twice, here and by `evaluate`, so that a wrong file shows before anything is opened or replaced.
    if not any(load_split(benchmarks, options.split).test.values()):
        raise InputError("there is no test item", where=options.split, mend="choose another benchmark or split")
    _check_folder(out_dir)
    with _claimed(out_dir):
        start = time.monotonic()
        with closing(ResponseStore(path)) if target.endpoint else nullcontext() as store:
            model = open_target(target, name, store)
            manners, config = manners_for(model, options), _config(options)
            _remove_results(out_dir)
            candidates = {name: Candidate(lambda: model, manners)}
            evaluate(config, benchmarks, options.split, candidates, None, out_dir, progress)
        board: dict[str, Any] = read_json(out_dir / SCOREBOARD)
        write_text(out_dir / "scoreboard.md", render_markdown(board))
        build_evaluation_report(out_dir, name)
        _finish(out_dir, _ingredients(benchmarks, target, options, manners), start)
    return board


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
            raise InputError("this is not a folder", where=str(out_dir), mend="choose another --out")
        found = {path.name for path in out_dir.iterdir()} if out_dir.exists() else set()
    except OSError as error:
        raise explain_os_error(error, out_dir) from error
    if not found:
        return
    manifest = read_manifest(out_dir) if found <= OURS and "lock" in found else None
    if not found <= OURS or "lock" not in found or (manifest and manifest.stage != STAGE):
        raise InputError(
            "the folder holds something else", where=str(out_dir), mend="choose an empty folder with --out"
        )


@contextmanager
def _claimed(out_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; a folder that was made for an evaluation that could not begin goes away again.

    Raises:
        InputError: another process is at work in it, or it cannot be written.
    """
    new = not out_dir.exists()
    with locked(out_dir, mend="wait for it, or choose another --out"):
        try:
            yield
        except InputError:
            if new and [path.name for path in out_dir.iterdir()] == ["lock"]:
                shutil.rmtree(out_dir)
            raise


def _remove_results(out_dir: Path) -> None:
    """Remove an earlier evaluation's results; answers that were kept stay."""
    for name in (MANIFEST, SCOREBOARD, "scoreboard.md", "report.html"):
        (out_dir / name).unlink(missing_ok=True)
    if (out_dir / "items").exists():
        shutil.rmtree(out_dir / "items")


def open_target(target: Target, name: str, store: ResponseStore | None) -> Model:
    """The model behind a target.

    Raises:
        InputError: it cannot be opened, or the address is wrong.
    """
    if target.recorded is not None:
        return target.recorded
    if target.endpoint is None:
        assert target.model is not None
        model = open_model(
            target.model, precision=target.precision, batch_tokens=target.batch_tokens, threads=target.threads
        )
        # Answers are kept by identity: those of another precision are not this model's.
        if isinstance(model, OpenedModel):
            return replace(model, identity=f"{model.identity} {target.precision}")
        return model
    from igakulm.inference.endpoint import Endpoint

    return Endpoint(
        target.endpoint,
        name,
        store,
        concurrency=target.concurrency,
        route=target.route,
        system_role=target.system_role,
        tokens_parameter=target.tokens_parameter,
    )


def manners_for(model: Model, options: Options) -> tuple[Manner, ...]:
    """How a model is asked: as the options say, else our own models in our chat format by their options' letters, other
    local models in the published layout by the letters, and models that take text by free answers.

    Raises:
        InputError: a file of the options is wrong, or examples are wanted in another layout than the published one.
    """
    local = isinstance(model, OpenedModel)
    own = isinstance(model, OpenedModel) and isinstance(model.codec, OwnCodec)
    style = options.prompts or ("chat" if own else "published")
    if options.shots and style != "published":
        raise InputError("worked examples belong to the published layout", mend="add --prompts published")
    manner = Manner(
        style=style,
        max_new_tokens=options.max_new_tokens or (512 if style == "published" else 128),
        wording=read_wording(options.wording) if options.wording else Wording(),
        shots=read_shots(options.shots) if options.shots else (),
    )
    answers: tuple[Answer, ...] = options.answers or (("options",) if local else ("generate",))
    return tuple(
        Manner(manner.style, answer, manner.max_new_tokens, manner.plain, manner.wording, manner.shots)
        for answer in dict.fromkeys(answers)
    )


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
    benchmarks: BenchmarksSection, target: Target, options: Options, manners: tuple[Manner, ...]
) -> dict[str, Any]:
    """What was asked for, as a record; the endpoint's address is no part of it."""
    plain = _plain(asdict(target))
    plain["endpoint"], plain["recorded"] = bool(target.endpoint), bool(target.recorded)
    return {
        "benchmarks": benchmarks.model_dump(mode="json"),
        "target": plain,
        "options": _plain(asdict(options)),
        "manners": [{**asdict(manner), "shots": len(manner.shots)} for manner in manners],
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Paths as text that UTF-8 can hold."""
    return {
        key: os.fsencode(value).decode("utf-8", "replace") if isinstance(value, Path) else value
        for key, value in values.items()
    }


def _finish(out_dir: Path, ingredients: Mapping[str, Any], start: float) -> None:
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
