"""A benchmark is one module that registers itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarkSet, BenchmarksSection, Jmed
from igakulm.tasks import benchmarks as folder
from igakulm.tasks.benchmarks.registry import benchmark_of, benchmarks, chosen, licence_of
from igakulm.tasks.load import load_split, load_test_items

TOY = '''
"""A benchmark for this test."""
from pathlib import Path
from igakulm.tasks.benchmarks.benchmark import Benchmark, PublishedScore
from igakulm.tasks.exams import read_exam

def load(config, screen):
    return {"toy": read_exam(Path(config.path), "toy", screen)}

BENCHMARK = Benchmark(
    "toy", "Toy", "https://example.org", {"toy": "CC0"}, load,
    published=(PublishedScore("m", "toy", "accuracy", 0.5, "test", "a paper"),),
)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "toy.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path / "modules")])
    benchmarks.cache_clear()
    yield
    sys.modules.pop("igakulm.tasks.benchmarks.toy", None)
    monkeypatch.undo()
    benchmarks.cache_clear()


@pytest.mark.usefixtures("toy")
def test_one_file_adds_a_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_text('{"id": 1, "question": "どれ", "choices": ["甲", "乙"], "answer": "a"}\n', encoding="utf-8")
    config = BenchmarksSection(sets=(BenchmarkSet(name="toy", path=str(path)),))
    assert [item.answer for item in load_test_items(config)["toy"]] == [("A",)]
    assert licence_of("toy") == "CC0" and (found := benchmark_of("toy")) and found.published[0].value == 0.5


def test_names_are_checked() -> None:
    for name, hint in (("jmad", "did you mean jmed"), ("xyz", "known: ")):
        with pytest.raises(InputError, match=hint):
            chosen(BenchmarksSection(sets=(BenchmarkSet(name=name, path="."),)))
    with pytest.raises(InputError, match="given twice"):
        chosen(BenchmarksSection(jmed=Jmed(path="."), sets=(BenchmarkSet(name="jmed", path="."),)))


def test_a_clone_without_one_full_set_loads_and_says_so(real_data: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / "datasets" / "all").mkdir(parents=True)
    for path in (real_data / "jmed-llm").rglob("*.csv"):
        if path.name != "JCSTS.csv":
            (clone / "datasets" / path.relative_to(real_data / "jmed-llm")).symlink_to(path)
    loaded = load_split(BenchmarksSection(jmed=Jmed(path=str(clone))), "published")
    assert len(loaded.test) == 8 and sorted(set(loaded.test) - set(loaded.train)) == ["jcsts"]
    assert [(row.task, row.reason) for row in loaded.screen.missing] == [("jcsts", "no-file")]
