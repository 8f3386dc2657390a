"""A benchmark is one module that registers itself."""

from __future__ import annotations

import shutil
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


@pytest.mark.parametrize(
    ("chosen_set", "said"),
    [
        (BenchmarkSet(name="jmedbench", path=".", years=(2020,)), r"(?s)does not read years.*igakuqa,.*yakugakuqa"),
        (BenchmarkSet(name="yakugakuqa", path=".", parts=("A",)), r"(?s)does not read parts.*igakuqa"),
        (BenchmarkSet(name="kokushimd", path=".", text_only=False), r"(?s)does not read text_only.*igakuqa"),
        (BenchmarkSet(name="jmed", path=".", years=(2020,)), "JMED-LLM does not read years"),
        (BenchmarkSet(name="jmedbench", path=".", tasks=("jmedbench-smdiss",)), "did you mean jmedbench-smdis"),
        (BenchmarkSet(name="kokushimd", path=".", tasks=("獣医",)), "known tasks: kokushimd-1"),
    ],
)
def test_what_a_benchmark_does_not_read_is_refused(chosen_set: BenchmarkSet, said: str) -> None:
    with pytest.raises(InputError, match=said):
        chosen(BenchmarksSection(sets=(chosen_set,)))


def test_tasks_go_by_their_authors_names_too() -> None:
    sets = (BenchmarkSet(name="kokushimd", path=".", tasks=("看護", "kokushimd-3"), years=(2023,)),)
    ((_, one),) = chosen(BenchmarksSection(sets=sets))
    assert one.tasks == ("kokushimd-3",)


def test_a_clone_without_one_full_set_loads_and_says_so(real_data: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / "datasets" / "all").mkdir(parents=True)
    for path in (real_data / "jmed-llm").rglob("*.csv"):
        if path.name != "JCSTS.csv":
            (clone / "datasets" / path.relative_to(real_data / "jmed-llm")).symlink_to(path)
    loaded = load_split(BenchmarksSection(jmed=Jmed(path=str(clone))), "published")
    assert len(loaded.test) == 8 and sorted(set(loaded.test) - set(loaded.train)) == ["jcsts"]
    assert [(row.task, row.reason) for row in loaded.screen.missing] == [("jcsts", "no-file")]
    shutil.rmtree(clone / "datasets" / "all")
    without = load_split(BenchmarksSection(jmed=Jmed(path=str(clone))), "published", strict=True, need_train=False)
    assert len(without.test) == 8 and not without.train and len(without.screen.missing) >= 8
