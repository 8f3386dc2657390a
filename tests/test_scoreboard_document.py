"""The scoreboard run's files: every figure says what it is of, and the document is what the script makes of them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def page() -> Any:
    """benchmarks/scoreboard_page.py as a module."""
    spec = importlib.util.spec_from_file_location("scoreboard_page", ROOT / "benchmarks" / "scoreboard_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(page: Any) -> Any:
    """docs/results/scoreboard.json, read by its typed model."""
    return page.ScoreboardRun.model_validate(json.loads((ROOT / "docs/results/scoreboard.json").read_text("utf-8")))


def test_every_figure_says_what_it_is_of(run: Any) -> None:
    assert run.scores and run.commit and len(run.recipe_sha256) == 64
    for score in run.scores:
        assert score.n and score.split and score.metric
        assert score.low is not None and score.high is not None and score.low <= score.value <= score.high
    for pair in run.comparisons:
        assert pair["n"] and pair["low"] <= pair["difference"] <= pair["high"] and pair["p"] <= pair["p_holm"] <= 1


def test_the_document_shows_these_figures(page: Any, run: Any) -> None:
    text = (ROOT / "docs" / "results" / f"{run.date}-scoreboard.md").read_text("utf-8")
    for score in run.scores:
        if score.model in (page.TUNED, page.POOLED) and score.split == run.split and score.metric == "kappa":
            assert f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]" in text
    for line in run.not_run:
        assert line in text
