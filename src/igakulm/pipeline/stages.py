"""The table of stages: which sections of the recipe each one reads, which earlier stages it needs, what it calls.

Does: bind plain stage functions to recipe sections; imports them only when called, so that the CLI stays quick.
Does not: run anything (run.py does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.progress import Progress
from igakulm.recipe.schema import Recipe

Inputs = Mapping[str, Path]
Build = Callable[[Recipe, Inputs, Path, Progress], dict[str, Any]]


def _always(recipe: Recipe) -> bool:
    return True


def _pretrains(recipe: Recipe) -> bool:
    """Text is read only where something is pretrained on it."""
    return not recipe.from_base


@dataclass(frozen=True)
class Stage:
    """One step of a run. Raise `version` whenever the code changes what a stage writes for the same input.

    `resumable` stages find their own unfinished work in the output folder after a kill; others start afresh.
    `shared` stages are called by every process that a launcher started; the leading one alone writes.
    `runs_in` says whether a recipe has the stage; `needs` that it does not have are left out of `inputs`.
    """

    name: str
    version: int
    sections: tuple[str, ...]
    needs: tuple[str, ...]
    build: Build
    purpose: str
    resumable: bool = False
    shared: bool = False
    runs_in: Callable[[Recipe], bool] = _always


def _lexicon(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.synth.lexicon import build_lexicon

    return build_lexicon(recipe.lexicon, out, progress)


def _synth(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.synth.generate import ANSWERS, generate_texts

    # The answers stand beside the stages, so that a recipe with another number of terms does not pay for them again.
    answers = Path(recipe.runs_folder) / recipe.name / ANSWERS
    return generate_texts(recipe.synth, inputs["lexicon"], out, progress, benchmarks=recipe.benchmarks, answers=answers)


def _corpus(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.corpus.build_corpus import build_corpus

    return build_corpus(recipe.corpus, recipe.benchmarks, inputs["synth"] / "documents", out, progress)


def _tokenizer(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
    from igakulm.tokenizer.build_tokenizer import build_tokenizer

    return build_tokenizer(recipe.tokenizer, inputs.get("corpus"), inputs["lexicon"], out, progress)


def _pack(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.training.pack import build_packed

    return build_packed(recipe.pack, inputs["corpus"], inputs["tokenizer"], out, progress)


def _pretrain(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.training.base import take_base
    from igakulm.training.pretrain import pretrain

    if recipe.from_base:
        return take_base(recipe.model, inputs["tokenizer"], out, progress)
    return pretrain(recipe.model, recipe.pretrain, inputs["pack"], inputs["tokenizer"], out, progress)


def _finetune(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.training.finetune import finetune

    return finetune(
        recipe.model, recipe.finetune, recipe.benchmarks, inputs["pretrain"], inputs["tokenizer"], out, progress
    )


def _evaluate(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.evaluation.evaluate import Candidate, evaluate
    from igakulm.evaluation.manner import Manner
    from igakulm.inference.open import open_model

    config = recipe.evaluate
    models = {"base": inputs["pretrain"] / "model", "tuned": inputs["finetune"] / "model"}
    candidates: dict[str, Candidate] = {}
    for name in config.models:
        manners = tuple(
            Manner(config.prompts, answer, config.max_new_tokens, plain=name == "base") for answer in config.answers
        )
        opened = partial(
            open_model, models[name], "weights", precision=config.precision, batch_tokens=config.batch_tokens
        )
        candidates[name] = Candidate(opened, manners)
    split = recipe.finetune.split
    return evaluate(config, recipe.benchmarks, split, candidates, inputs["lexicon"], out, progress)


def _export(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, object]:
    from igakulm.bundle.export import export

    model = inputs["finetune"] / "model"
    return export(recipe.export, model, inputs.get("corpus"), inputs["evaluate"], out, progress)


def _report(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
    from igakulm.report.build_report import build_report

    return build_report(recipe, inputs, out)


STAGES: tuple[Stage, ...] = (
    Stage("lexicon", 2, ("lexicon",), (), _lexicon, "disease and drug names in one table"),
    Stage(
        "synth",
        5,
        ("synth", "benchmarks"),
        ("lexicon",),
        _synth,
        "textbooks and exam items written by other models",
        resumable=True,
        runs_in=_pretrains,
    ),
    Stage(
        "corpus",
        6,
        ("corpus", "benchmarks"),
        ("synth",),
        _corpus,
        "sources to clean documents, with reasons",
        resumable=True,
        runs_in=_pretrains,
    ),
    Stage("tokenizer", 3, ("tokenizer",), ("corpus", "lexicon"), _tokenizer, "MeCab pre-split Unigram, or the base's"),
    Stage(
        "pack",
        1,
        ("pack",),
        ("corpus", "tokenizer"),
        _pack,
        "documents to rows of token ids",
        resumable=True,
        runs_in=_pretrains,
    ),
    Stage(
        "pretrain",
        4,
        ("model", "pretrain"),
        ("pack", "tokenizer"),
        _pretrain,
        "a base model",
        resumable=True,
        shared=True,
    ),
    Stage(
        "finetune",
        9,
        ("model", "finetune", "benchmarks"),
        ("pretrain", "tokenizer"),
        _finetune,
        "an instruct model, loss on answers only",
        resumable=True,
        shared=True,
    ),
    Stage(
        "evaluate",
        7,
        ("evaluate", "benchmarks", "finetune"),
        ("pretrain", "finetune", "lexicon"),
        _evaluate,
        "scores with intervals beside baselines",
        resumable=True,
    ),
    Stage("export", 7, ("export",), ("finetune", "corpus", "evaluate"), _export, "Hugging Face folder and GGUF"),
    Stage(
        "report",
        5,
        ("report",),
        ("lexicon", "synth", "corpus", "tokenizer", "pack", "pretrain", "finetune", "evaluate", "export"),
        _report,
        "one HTML page about all of it",
    ),
)


def stage_named(name: str) -> Stage:
    """The stage of that name."""
    return next(stage for stage in STAGES if stage.name == name)


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """The stages that a recipe has, in running order."""
    return tuple(stage for stage in STAGES if stage.runs_in(recipe))


def stages_for(target: str, recipe: Recipe) -> tuple[Stage, ...]:
    """The target and everything it needs, in running order.

    Raises:
        InputError: the recipe has no such stage.
    """
    if not stage_named(target).runs_in(recipe):
        raise InputError(
            f"this recipe has no stage {target}: it takes its base model as it is",
            where="pretrain.steps = 0",
            hint="set pretrain.steps to pretrain",
        )
    wanted = {target}
    for stage in reversed(stages_of(recipe)):
        if stage.name in wanted:
            wanted.update(stage.needs)
    return tuple(stage for stage in stages_of(recipe) if stage.name in wanted)
