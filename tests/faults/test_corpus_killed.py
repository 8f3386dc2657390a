"""kill -9 in the middle of the corpus stage, then the same call: finished parts are not read again, equal bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm.corpus import build_corpus as build
from igakulm.corpus import executors
from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.part import work_part
from igakulm.files import files_below, sha256_file
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection
from small_corpus import write_sources

PART_BYTES = 6_000
SCRIPT = """
import sys
from pathlib import Path
from igakulm.corpus import build_corpus as build
from igakulm.corpus import executors
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection
if __name__ == "__main__":
    build.PART_BYTES, executors.POOL_BYTES = 6_000, 0
    corpus = CorpusSection.model_validate_json(Path(sys.argv[1]).read_text("utf-8"))
    corpus = corpus.model_copy(update={"workers": int(sys.argv[3])})
    build.build_corpus(corpus, BenchmarksSection(), None, Path(sys.argv[2]), SilentProgress())
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> CorpusSection:
    return write_sources(tmp_path_factory.mktemp("raw") / "raw", files=12)


@pytest.fixture(scope="module")
def whole(corpus: CorpusSection, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole")
    finish(corpus, out)
    return files(out)


def finish(corpus: CorpusSection, out: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PART_BYTES", PART_BYTES)
        build_corpus(corpus, BenchmarksSection(), None, out, SilentProgress())


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files_below(folder)}


def kill_when(corpus: CorpusSection, out: Path, workers: int, group: bool, ready: Callable[[], bool]) -> bool:
    """Start, kill as soon as `ready` (the whole group, or the first process alone); whether it was still at work."""
    out.mkdir(exist_ok=True)
    section = out.with_suffix(".section.json")
    section.write_text(corpus.model_dump_json(exclude_unset=True), encoding="utf-8")
    words = [sys.executable, "-c", SCRIPT, str(section), str(out), str(workers)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(400):  # workers of a killed parent end by themselves
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return alive
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError("workers outlived their killed parent")


def parts_done(out: Path) -> set[str]:
    return {path.name for path in (out / "checkpoints" / "parts").glob("*.json")}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at process groups")
@pytest.mark.parametrize(("workers", "group"), [(1, True), (2, False)])
def test_killed_while_reading(
    corpus: CorpusSection,
    whole: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    group: bool,
) -> None:
    out = tmp_path / "out"
    assert kill_when(corpus, out, workers, group, lambda: len(parts_done(out)) >= 5), "it was too fast to be killed"
    done = {int(name[:5]) for name in parts_done(out)}
    assert len(done) >= 5 and not (out / "documents").exists()
    worked: list[int] = []

    def counting(folder: Path, number: int, *rest: Callable[[int], None]) -> None:
        worked.append(number)
        work_part(folder, number, *rest)

    monkeypatch.setattr(executors, "work_part", counting)
    finish(corpus, out)
    assert files(out) == whole
    assert worked and not done & set(worked)


def test_killed_after_its_last_word(
    corpus: CorpusSection, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(corpus, tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("a finished corpus was built again")

    monkeypatch.setattr(build, "run_parts", never)
    finish(corpus, tmp_path)
    assert files(tmp_path) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moments(corpus: CorpusSection, whole: dict[str, str], tmp_path: Path, seed: int) -> None:
    chance, out = random.Random(seed), tmp_path / "out"
    for _ in range(8):
        end = time.monotonic() + chance.uniform(0.5, 6.0)
        workers, group = chance.choice((1, 2)), chance.choice((True, False))
        kill_when(corpus, out, workers, group, lambda end=end: time.monotonic() >= end)  # type: ignore[misc]
    finish(corpus, out)
    assert files(out) == whole
