"""The pictures of README and docs are of the quickstart as it is: recipe, samples, and figures where it was run."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

AGAIN = "run `make quickstart` and `make pictures`"


@pytest.fixture(scope="module")
def sidecar(project: Path) -> dict[str, Any]:
    return dict(json.loads((project / "docs" / "pictures.json").read_text(encoding="utf-8")))


def test_every_picture_is_the_one_that_was_made(project: Path, sidecar: dict[str, Any]) -> None:
    texts = [project / "README.md", project / "README.ja.md", *(project / "docs").glob("*.md")]
    shown = {Path(name).name for path in texts for name in re.findall(r"\(([^()\s]+\.png)\)", path.read_text("utf-8"))}
    assert shown == set(sidecar["pictures"]) == {path.name for path in (project / "docs").glob("*.png")}
    for name, entry in sidecar["pictures"].items():
        assert hashlib.sha256((project / "docs" / name).read_bytes()).hexdigest() == entry["sha256"], AGAIN
    assert sum((project / "docs" / name).stat().st_size for name in shown) < 1_000_000


def test_the_pictures_are_of_this_recipe_and_these_samples(
    project: Path, sidecar: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("playwright")
    monkeypatch.syspath_prepend(str(project / "benchmarks"))
    found = importlib.import_module("pictures").sources_digest(project)
    assert found == sidecar["sources"], AGAIN


def test_the_figures_are_those_of_the_last_quickstart(project: Path, sidecar: dict[str, Any]) -> None:
    """A figure of the same model differs from machine to machine in its last digits, not in what is said of it."""
    manifest = project / "runs" / "quickstart" / "latest" / "report" / "manifest.json"
    if not manifest.is_file():
        pytest.skip("no quickstart was run here")
    now = json.loads(manifest.read_text(encoding="utf-8"))["summary"]
    if now["tokens_finetune"] < 100_000:
        pytest.skip("the quickstart that was run here was a short one")
    then = sidecar["figures"]
    assert {name: row["verdict"] for name, row in now["headline"].items()} == {
        name: row["verdict"] for name, row in then["headline"].items()
    }, AGAIN
    assert now["above_best_baseline"] == then["above_best_baseline"], AGAIN
    for name, row in now["headline"].items():
        assert row["tuned"] == pytest.approx(then["headline"][name]["tuned"], abs=0.15), (name, AGAIN)


def test_the_readme_claims_no_more_than_the_run(project: Path, sidecar: dict[str, Any]) -> None:
    says_none = "on no task is it shown to be better" in " ".join((project / "README.md").read_text("utf-8").split())
    assert says_none == (sidecar["figures"]["above_best_baseline"] == 0)
    assert sidecar["figures"]["headline"]["nursing"]["verdict"] == "above"  # "finds words far better than guessing"
