"""kill -9 in the middle of encoding, then the same call: finished shards are not encoded again, the bytes are equal."""

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

from igakulm.files import Doc, sha256_file, write_documents, write_json
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import PackSection
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training import encoded
from igakulm.training.pack import ENCODED, build_packed
from tiny_bundle import TEXTS, tokenizer_folder

SHARDS, A_SHARD = 24, 40
SCRIPT = """
import sys
from pathlib import Path
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import PackSection
from igakulm.training import encoded
from igakulm.training.pack import build_packed
if __name__ == "__main__":
    encoded.PROCESSES_FROM = 0
    corpus, tokenizer, out, workers = sys.argv[1:]
    config = PackSection(sequence_length=256, workers=int(workers), seed=3)
    build_packed(config, Path(corpus), Path(tokenizer), Path(out), SilentProgress())
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    text = "\n".join(text.format(n=n) for n in range(24) for text in TEXTS)
    documents = [Doc(f"d{n}", f"{n}。{text}", "s", "") for n in range(SHARDS * A_SHARD)]
    write_documents(folder / "documents", documents, shard_bytes=A_SHARD * len(text.encode()))
    write_json(folder / "sources.json", {"s": {"kind": "general", "characters": 10**7}})
    assert len(list((folder / "documents").iterdir())) == SHARDS
    return folder


def command(corpus: Path, out: Path, workers: int) -> list[str]:
    out.mkdir(exist_ok=True)
    return [sys.executable, "-c", SCRIPT, str(corpus), str(tokenizer_folder()), str(out), str(workers)]


def kill_when(words: list[str], ready: Callable[[], bool], group: bool = True) -> bool:
    """Start, kill as soon as `ready` (the whole group, or the first process alone); whether it was still at work."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    alive = process.poll() is None
    if alive and group:
        os.killpg(process.pid, signal.SIGKILL)
    elif alive:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if not group:
        wait_for_end_of(process.pid)
    return alive


def wait_for_end_of(group: int) -> None:
    """Workers of a killed parent end by themselves."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    pytest.fail("workers outlived their killed parent")


def kept(out: Path) -> int:
    return len(list((out / ENCODED).glob("*.json")))


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole")
    build_packed(PackSection(sequence_length=256, workers=1, seed=3), corpus, tokenizer_folder(), out, SilentProgress())
    return files(out)


def finish(corpus: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The same call here; how many documents it encoded."""
    count = 0
    encode = encoded.encode_texts

    def counting(encoder: TextEncoder, texts: list[str]) -> tuple[list[int], bytes]:
        nonlocal count
        count += len(texts)
        return encode(encoder, texts)

    monkeypatch.setattr(encoded, "encode_texts", counting)
    config = PackSection(sequence_length=256, workers=1, seed=3)
    build_packed(config, corpus, tokenizer_folder(), out, SilentProgress())
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="looks at process groups")
@pytest.mark.parametrize(("workers", "group"), [(1, True), (2, False)])
def test_killed_while_encoding(
    corpus: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, group: bool
) -> None:
    out = tmp_path / "out"
    assert kill_when(command(corpus, out, workers), lambda: kept(out) >= 5, group), "it was too fast to be killed"
    done = kept(out)
    assert 5 <= done < SHARDS and not (out / "train").exists()
    assert finish(corpus, out, monkeypatch) == (SHARDS - done) * A_SHARD
    assert files(out) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moments(
    corpus: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance, out = random.Random(seed), tmp_path / "out"
    for _ in range(8):
        end = time.monotonic() + chance.uniform(0.5, 4.0)
        kill_when(command(corpus, out, chance.choice((1, 2))), lambda end=end: time.monotonic() >= end)  # type: ignore[misc]
    finish(corpus, out, monkeypatch)
    assert files(out) == whole
