"""Recipes: every error names file, line and key; every shipped recipe loads."""

from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe import load_recipe
from igakulm.recipe.loading import data_files, data_paths

MINIMAL = """\
name: small
seed: 7
corpus:
  sources:
    - name: a
      path: a.jsonl
      licence: CC0-1.0
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_minimal_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, MINIMAL))
    assert recipe.tokenizer.vocabulary_size == 32_768
    assert recipe.pretrain.seed == recipe.finetune.seed == 7
    assert recipe.corpus.sources[0].path == str(tmp_path / "a.jsonl")


def test_unknown_key_suggests_the_near_one_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "tokenizer:\n  vocabulary_sise: 9\n")
    with pytest.raises(InputError, match="did you mean 'vocabulary_size'") as caught:
        load_recipe(path)
    assert "line 9" in str(caught.value)


def test_unknown_key_inside_a_list(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "      lisence: x\n")
    with pytest.raises(InputError, match="did you mean 'licence'"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("pretrain: {steps: 0}\n", "pretrain.steps"),
        ("pretrain: {steps: many}\n", "many"),
        ("model: {preset: huge}\n", "model.preset"),
        ("x: [\n", "YAML"),
    ],
)
def test_wrong_values(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_recipe(write(tmp_path, MINIMAL + more))


def test_no_sources(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"corpus\.sources"):
        load_recipe(write(tmp_path, "name: x\ncorpus: {sources: []}\n"))


def test_pretraining_needs_text_and_a_base_as_it_is_needs_a_name(tmp_path: Path) -> None:
    base = "name: x\nmodel: {from_folder: base.gguf}\n"
    with pytest.raises(InputError, match=r"corpus\.sources") as caught:
        load_recipe(write(tmp_path, base))
    assert "pretrain.steps: 0" in str(caught.value)
    recipe = load_recipe(write(tmp_path, base + "pretrain: {steps: 0}\n"))
    assert recipe.from_base and recipe.tokenizer.from_folder == str(tmp_path / "base.gguf")
    kept = load_recipe(write(tmp_path, base + "pretrain: {steps: 0}\ntokenizer: {from_folder: other}\n"))
    assert kept.tokenizer.from_folder == str(tmp_path / "other")
    with pytest.raises(InputError, match="no base model"):
        load_recipe(write(tmp_path, "name: x\npretrain: {steps: 0}\n"))
    with pytest.raises(InputError, match=r"finetune\.steps"):
        load_recipe(write(tmp_path, base + "pretrain: {steps: 0}\nfinetune: {steps: 0}\n"))


def test_overrides_reach_lists_and_new_sections(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    overrides = ["pretrain.steps=5", "corpus.sources.0.kind=medical", "model.preset=tiny"]
    recipe = load_recipe(path, overrides)
    assert (recipe.pretrain.steps, recipe.corpus.sources[0].kind, recipe.model.preset) == (5, "medical", "tiny")
    for wrong in ("pretrain.step=5", "pretrain", "name.x=1"):
        with pytest.raises(InputError):
            load_recipe(path, [wrong])


@pytest.mark.parametrize(
    "wrong", ["corpus.sources.9.kind=medical", "corpus.sources.x.kind=medical", "a.b=[", "corpus.sources.9=1"]
)
def test_malformed_overrides_are_input_errors(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(InputError):
        load_recipe(write(tmp_path, MINIMAL), [wrong])


def test_environment_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MINIMAL.replace("a.jsonl", "${SOME_DATA:-fallback}/a.jsonl")
    monkeypatch.delenv("SOME_DATA", raising=False)
    assert load_recipe(write(tmp_path, text)).corpus.sources[0].path == str(tmp_path / "fallback/a.jsonl")
    monkeypatch.setenv("SOME_DATA", "/elsewhere")
    assert load_recipe(write(tmp_path, text)).corpus.sources[0].path == "/elsewhere/a.jsonl"


def test_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such recipe"):
        load_recipe(tmp_path / "none.yaml")


def test_data_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.csv"):
        (tmp_path / name).touch()
    assert [path.name for path in data_files(str(tmp_path / "*.txt"))] == ["a.txt", "b.txt"]
    assert len(data_files(str(tmp_path))) == 3
    with pytest.raises(InputError, match="no file"):
        data_files(str(tmp_path / "*.parquet"))


def test_shipped_recipes_load(project: Path) -> None:
    recipes = sorted((project / "recipes").glob("*.yaml"))
    assert len(recipes) >= 3
    for path in recipes:
        assert list(data_paths(load_recipe(path)))


def test_folds_need_a_corpus_without_the_rows_for_tuning(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "benchmarks: {jmed: {path: jmed}}\nfinetune: {split: fold-1-of-5}\n")
    with pytest.raises(InputError, match="training_rows is false") as caught:
        load_recipe(path)
    assert "set corpus.decontamination.training_rows: true" in str(caught.value)
    load_recipe(path, ["corpus.decontamination.training_rows=true"])
    load_recipe(path, ["corpus.decontamination.enabled=false"])
    load_recipe(path, ["finetune.split=document-disjoint"])
    rows = "[{name: own, kind: exam, test: t.jsonl}]"
    load_recipe(path, ["benchmarks.jmed=null", f"benchmarks.rows={rows}"])  # without rows for tuning nothing moves
