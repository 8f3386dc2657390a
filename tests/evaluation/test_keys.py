"""Every key of evaluation has an effect: two values, another scoreboard or another way of asking.

`tests/recipe/test_every_key.py` knows which test is for which key, and that it fails when code ignores the key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.evaluation.evaluate import evaluate
from igakulm.pipeline.stages import stage_named
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, EvaluateSection, Recipe, RowTask


def rows(count: int, first: int) -> str:
    lines = []
    for number in range(first, first + count):
        text = f"咳が出る{number}" if number % 2 else f"記事を読む{number}"
        row = {
            "id": f"p{number}",
            "document": text,
            "choices": ["咳である", "咳でない"],
            "answer": ["AB"[number % 3 % 2]],
        }
        lines.append(json.dumps(row, ensure_ascii=False))
    return "\n".join(lines)


@pytest.fixture
def benchmarks(tmp_path: Path) -> BenchmarksSection:
    (tmp_path / "test.jsonl").write_text(rows(8, 0), encoding="utf-8")
    (tmp_path / "train.jsonl").write_text(rows(30, 4), encoding="utf-8")
    train, test = (str(tmp_path / f"{name}.jsonl") for name in ("train", "test"))
    return BenchmarksSection(rows=(RowTask(name="posts", kind="classification", train=train, test=test),))


def board(folder: Path, benchmarks: BenchmarksSection, **keys: Any) -> str:
    """The scoreboard of the baselines alone."""
    lexicon = folder.with_name("lexicon")
    lexicon.mkdir(exist_ok=True)
    (lexicon / "terms.tsv").write_text("term\tkind\n発熱\tdisease\n", encoding="utf-8")
    folder.mkdir()
    usual = {"bootstrap_samples": 50, "seed": 1, "folds": 3, "baselines": ("chance", "majority", "nearest")}
    config = EvaluateSection.model_validate({**usual, **keys})
    evaluate(config, benchmarks, "published", {}, lexicon, folder, SilentProgress())
    return (folder / "scoreboard.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("baselines", ("chance",)),
        ("baseline_splits", ("published",)),
        ("folds", 4),
        ("fold_below", 0),
        ("bootstrap_samples", 60),
        ("max_items", 5),
        ("seed", 2),
    ],
)
def test_the_scoreboard(key: str, value: object, benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    assert board(tmp_path / "usual", benchmarks) != board(tmp_path / "changed", benchmarks, **{key: value})


def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> str:
    """How the stage has models asked: which ones, in which manners, opened how."""
    seen: list[Any] = []

    def remember(_: object, __: object, ___: object, candidates: dict[str, Any], *others: object) -> dict[str, Any]:
        seen.extend((name, candidate.open.keywords, candidate.manners) for name, candidate in candidates.items())
        return {}

    monkeypatch.setattr("igakulm.evaluation.evaluate.evaluate", remember)
    source = {"name": "s", "path": "s.jsonl", "licence": "CC0"}
    recipe = Recipe.model_validate({"name": "r", "corpus": {"sources": [source]}, "evaluate": keys})
    inputs = {name: tmp_path / name for name in ("pretrain", "finetune", "lexicon")}
    stage_named("evaluate").build(recipe, inputs, tmp_path, SilentProgress())
    return repr(seen)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("models", ["tuned"]),
        ("answers", ["generate"]),
        ("prompts", "published"),
        ("max_new_tokens", 7),
        ("precision", "bf16"),
        ("batch_tokens", 99),
    ],
)
def test_how_models_are_asked(key: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(tmp_path, monkeypatch) != asked(tmp_path, monkeypatch, **{key: value})
