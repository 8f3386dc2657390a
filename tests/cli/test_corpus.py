"""`igakulm corpus`, `corpus funnel` and `corpus explain` as a stranger uses them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from small_corpus import write_sources
from small_evaluation import igakulm


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    corpus = write_sources(folder / "raw", files=2)
    section = corpus.model_dump(mode="json", exclude_unset=True)
    path = folder / "recipe.yaml"
    value = {"name": "trial", "runs_folder": str(folder / "runs"), "corpus": section}
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
    done = igakulm("corpus", "--recipe", path)
    assert done.code == 0, done.err
    return path


def test_funnel(recipe: Path) -> None:
    done = igakulm("corpus", "funnel", "--recipe", recipe)
    assert done.code == 0, done.err
    assert "documents after  read" in done.out and "exact_duplicate" in done.out
    found = igakulm("corpus", "funnel", "--recipe", recipe, "--json").json
    assert [row["source"] for row in found["table"]] == ["web", "articles", "all"]
    assert found["table"][0]["tokens"] is None  # there is no tokenizer yet
    kept = sum(sum(source["lengths"].values()) for source in found["statistics"].values())
    assert found["table"][-1]["documents"] == kept


def test_explain(recipe: Path) -> None:
    found = igakulm("corpus", "explain", "articles:7", "--recipe", recipe).json
    assert found["kept"] and found["steps"][0]["step"] == "read"
    wrong = igakulm("corpus", "explain", "articles:70", "--recipe", recipe)
    assert wrong.code == 2 and "the corpus has no document 'articles:70'" in wrong.err


def test_the_executor_does_not_change_the_result(recipe: Path) -> None:
    # An Unhashed key: the finished stage is found again under another executor.
    done = igakulm("corpus", "--recipe", recipe, "--set", "corpus.executor=slurm")
    assert done.code == 0, done.err
    assert "done before" in done.err
