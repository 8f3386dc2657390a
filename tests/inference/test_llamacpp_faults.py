"""A llama.cpp child that dies, hangs or is left behind: the caller learns it, and the next request is answered."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from igakulm.bundle.gguf import write_gguf
from igakulm.errors import InputError
from igakulm.inference import llamacpp_restart
from igakulm.inference.engine import EngineFailed, Step
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.llamacpp_lanes import MOST, default_lanes, lane_bytes
from igakulm.tokenizer.gguf_header import GgufHeader
from tiny_bundle import encoder, write_model

pytestmark = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")


def never_ending(folder: Path) -> Path:
    """A model whose likeliest token is never end-of-text: its logit is 0, and some other's is above."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][encoder().eos] = 0
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = never_ending(write_model(tmp_path_factory.mktemp("model"), max_position_embeddings=30_000))
    write_gguf(folder, folder / "model.gguf", "f32", "tiny")
    return folder / "model.gguf"


def opened(gguf: Path, lanes: int = 1, patience: float = 60.0) -> LlamaCppEngine:
    return LlamaCppEngine(gguf, threads=1, lanes=lanes, patience=patience)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_killed_child_fails_its_streams_and_is_replaced(gguf: Path) -> None:
    with opened(gguf, lanes=2) as engine:
        expected = list(engine.stream([5, 6], 8, []))
        streams = [engine.stream([5, 6], 20_000, []), engine.stream([7, 8], 20_000, [])]
        for stream in streams:
            next(stream)
        first = engine.pid
        os.kill(first, signal.SIGKILL)
        for stream in streams:
            with pytest.raises(EngineFailed, match=r"exit code -9\): perhaps for lack of memory"):
                list(stream)
        left_alive = engine.alive
        assert not left_alive
        assert list(engine.stream([5, 6], 8, [])) == expected
        assert engine.alive
        assert engine.restarts == 1 and engine.pid != first
    assert gone(engine.pid)


def test_who_waits_for_a_lane_learns_of_the_death(gguf: Path) -> None:
    with opened(gguf) as engine, ThreadPoolExecutor(3) as pool:
        stream = engine.stream([5, 6], 20_000, [])
        next(stream)
        os.kill(engine.pid, signal.SIGSTOP)  # a stopped child finishes nothing
        waiting = [pool.submit(lambda: list(engine.stream([5], 3, []))) for _ in range(3)]
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            list(stream)
        for future in waiting:
            assert future.exception(timeout=60) is None or isinstance(future.exception(), EngineFailed)
        assert len(list(engine.stream([5], 3, []))) == 3


def test_a_child_that_keeps_dying_is_not_started_without_end(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_restart, "MOST_STARTS", 1)
    with opened(gguf) as engine:
        engine._process._times = type(engine._process._times)(maxlen=1)
        for _ in range(2):
            os.kill(engine.pid, signal.SIGKILL)
            wait_for(lambda: not engine.alive)
            if engine.restarts == 0:
                assert list(engine.stream([5], 1, []))
        with pytest.raises(EngineFailed, match="the next start is in"):
            engine.generate([[5]], 1, [])
        monkeypatch.setattr(llamacpp_restart, "WITHIN", 0.0)
        assert engine.generate([[5]], 1, [])


def test_a_file_that_vanished_cannot_be_loaded_again(gguf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(gguf.read_bytes())
    with opened(copy) as engine:
        copy.unlink()
        os.kill(engine.pid, signal.SIGKILL)
        wait_for(lambda: not engine.alive)
        with pytest.raises(EngineFailed, match="cannot be started again"):
            engine.generate([[5]], 1, [])


def test_a_child_that_hangs_is_ended(gguf: Path) -> None:
    with opened(gguf, patience=1.5) as engine:
        stream = engine.stream([5, 6], 20_000, [])
        next(stream)
        os.kill(engine.pid, signal.SIGSTOP)
        with pytest.raises(EngineFailed, match="said nothing for 2 s"):
            list(stream)
        abandoned = engine.stream([5, 6], 20_000, [])
        next(abandoned)
        os.kill(engine.pid, signal.SIGSTOP)
        cast(Generator[Step, None, None], abandoned).close()
        with pytest.raises(EngineFailed, match="said nothing"):  # the only lane never comes free
            list(engine.stream([5], 3, []))
        assert len(list(engine.stream([5], 3, []))) == 3


def test_too_little_memory_is_said_at_the_start(gguf: Path) -> None:
    with pytest.raises(InputError, match="does not load"):
        LlamaCppEngine(gguf, threads=1, lanes=1, memory_limit=100 << 20)
    with LlamaCppEngine(gguf, threads=1, lanes=1, memory_limit=8 << 30) as engine:
        assert engine.generate([[5]], 1, [])


def test_closing_fails_what_is_under_way(gguf: Path) -> None:
    engine = opened(gguf)
    stream = engine.stream([5, 6], 20_000, [])
    next(stream)
    engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        list(stream)
    assert gone(engine.pid) and not engine.alive


PARENT = """
import sys
from pathlib import Path
from igakulm.inference.llamacpp import LlamaCppEngine
engine = LlamaCppEngine(Path(sys.argv[1]), threads=1, lanes=1)
stream = engine.stream([5, 6], 25_000, [])
next(stream)
print(engine.pid, flush=True)
sys.stdin.read()
"""


def test_no_child_outlives_a_killed_parent(gguf: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, gguf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: gone(child))


def test_lanes_go_by_memory(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = GgufHeader.read(gguf)
    assert header.cache_width == 2 * 2 * 2 * 16, "two layers, keys and values, two heads of 16"
    assert lane_bytes(header, 1000) == 128 * 1000 * 2
    assert default_lanes(header, 256) == MOST
    assert default_lanes(header, 10_000_000) == 1
    monkeypatch.setattr("igakulm.inference.llamacpp_lanes.free_memory", lambda: 10 * 256 * 1000)
    assert default_lanes(header, 1000) == 2


def test_the_engine_needs_no_torch(gguf: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from igakulm.inference.llamacpp import LlamaCppEngine\n"
        f"with LlamaCppEngine(Path({str(gguf)!r}), threads=1) as engine: engine.generate([[5]], 2, [])\n"
        "heavy = {'torch', 'transformers', 'numpy', 'xllamacpp'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
