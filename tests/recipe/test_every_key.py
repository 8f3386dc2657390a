"""For every key of the recipe there is a test that fails when code ignores the key.

`keys_and_tests.json` says which. A new key without a line in it fails here. That the tests can fail is proven by the
slow test: it makes all code read the key's default (ignored_key.py) and sees the test of the key fail.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.pipeline.run import run_folder
from igakulm.recipe.schema import Filters, Recipe, Unhashed
from ignored_key import VARIABLE, ignoring, keys

TABLE: dict[str, str] = json.loads(Path(__file__).with_name("keys_and_tests.json").read_text(encoding="utf-8"))
NO_RESULT = {
    "Quality.batch_tokens",
    "Quality.workers",
    "CorpusSection.workers",
    "SynthSection.concurrency",
    "Writer.concurrency",
    "TokenizerSection.workers",
    "PackSection.workers",
    "TrainSection.parallel",
    "TrainSection.tensorboard",
}
"""Speed and logs: they may not change a result, and none of them enters a fingerprint."""
WITHOUT_A_TEST = {
    "Recipe.seed": "given on to the sections when a recipe is read, and read nowhere else (test_recipe.py)",
    "Quality.gguf": "needs llama.cpp and a model",
    "Quality.embedding_folder": "needs a model",
    "Quality.precision": "of that model",
    "CorpusSection.shard_mebibytes": "shards of a mebibyte and more",
    "Writer.context_length": "needs llama.cpp and a model",
    "TrainSection.compile": "needs a C++ compiler and minutes",
}
"""What the quick tests do not see ignored, and why. This may only become shorter."""


def test_every_key_has_a_test() -> None:
    known = set(TABLE) | NO_RESULT | set(WITHOUT_A_TEST)
    new, gone = set(keys()) - known, known - set(keys())
    assert not new, f"keys without a test that fails when they are ignored: {sorted(new)}; see {__file__}"
    assert not gone, f"these keys are no more: {sorted(gone)}"
    assert not set(TABLE) & (NO_RESULT | set(WITHOUT_A_TEST))


def test_the_tests_exist(project: Path) -> None:
    for node in set(TABLE.values()):
        file, _, name = node.partition("::")
        tree = ast.parse((project / file).read_text(encoding="utf-8"))
        assert name in {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}, node


@pytest.mark.parametrize("key", sorted(NO_RESULT))
def test_keys_without_a_result_enter_no_fingerprint(key: str) -> None:
    field = keys()[key].model_fields[key.partition(".")[2]]
    assert any(isinstance(mark, Unhashed) for mark in field.metadata)


def test_an_ignored_key_reads_as_its_default() -> None:
    given = Filters(min_characters=7)
    with ignoring("Filters.min_characters"):
        assert given.min_characters == Filters.model_fields["min_characters"].default
    assert given.min_characters == 7


def test_a_run_stands_in_a_folder_of_its_name() -> None:
    source = {"name": "s", "path": "s.jsonl", "licence": "CC0"}
    recipe = Recipe.model_validate({"name": "one", "runs_folder": "there", "corpus": {"sources": [source]}})
    assert run_folder(recipe) == Path("there/one")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("key", sorted(TABLE))
def test_the_test_of_a_key_fails_when_the_key_is_ignored(key: str, project: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", TABLE[key]]
    done = subprocess.run(
        command, cwd=project, env={**os.environ, VARIABLE: key}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "FAILED " in done.stdout, done.stdout + done.stderr
