"""kill -9 in the middle of an evaluation, then the same command: nothing is asked again that was kept, and the results
are those of a run that nobody touched.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Reply, Request, chat_reply
from igakulm.evaluation.same_model import WITNESSES
from igakulm.inference.transformers import TransformersEngine
from small_evaluation import igakulm, model_folder, results, write_exam


def kept(out: Path, pattern: str) -> int:
    """How many answers are on the disk."""
    found = list((out / "logs").glob(pattern)) if (out / "logs").is_dir() else []
    if not found:
        return 0
    with closing(sqlite3.connect(found[0])) as database:
        try:
            return int(database.execute("SELECT count(*) FROM responses").fetchone()[0])
        except sqlite3.OperationalError:  # just made, still without a table
            return 0


def kill_when(words: Sequence[object], ready: Callable[[], bool]) -> bool:
    """Start a command and kill its process group as soon as `ready`; whether it was still at work then."""
    command = [sys.executable, "-m", "igakulm", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline
        time.sleep(0.003)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return alive


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def said(request: Request, times: int) -> Reply:
    """An answer that the question decides."""
    return chat_reply("abc"[len(request.question) % 3 - sum(map(ord, request.question)) % 2])


def with_endpoint(folder: Path, questions: int, stop_at: int | None, moments: Sequence[float] = ()) -> None:
    """Kill at the `stop_at`-th request (which never gets its answer), or after each of so many seconds."""
    exam = write_exam(folder / "exam.jsonl", questions)
    halted, killed = threading.Event(), threading.Event()

    def plan(request: Request, times: int) -> Reply:
        if stop_at is not None and len(server.requests) >= stop_at and not halted.is_set():
            halted.set()
            killed.wait(60)
        return said(request, times)

    words = ("evaluate", "exam", "--data", exam, "--name", "m", "--concurrency", "2", "--samples", "100")
    out = folder / "out"
    with ChatServer(plan) as server:
        asked = (*words, "--endpoint", server.url, "--out", out)
        for ready in [halted.is_set] if stop_at is not None else map(after, moments):
            kill_when(asked, ready)
            killed.set()
            if stop_at is not None:
                assert not (out / "scoreboard.json").exists() and not (out / "manifest.json").exists()
        done_before, sent_before = kept(out, "responses-*.sqlite"), len(server.requests)
        if stop_at is not None:
            assert stop_at - 2 <= done_before <= stop_at  # two are under way when it is killed
        done = igakulm(*asked)
        assert done.code == 0, done.err
        # Nothing is asked twice but the few questions by which an exchanged model is noticed, before and after.
        asked_again = WITNESSES if done_before == 0 else 2 * WITNESSES
        assert len(server.requests) - sent_before == questions - done_before + asked_again
        whole = igakulm(*words, "--endpoint", server.url, "--out", folder / "whole")
        assert whole.code == 0, whole.err
    assert done.out == whole.out.replace(str(folder / "whole"), str(out))
    assert results(out) == results(folder / "whole")


def with_model(folder: Path, questions: int, chunks: int | None, moments: Sequence[float] = ()) -> int:
    """Kill when so many chunks are kept, or after each of so many seconds; the number of prompts that were left."""
    exam = write_exam(folder / "exam.jsonl", questions)
    words = ("evaluate", "exam", "--data", exam, "--model", model_folder(), "--samples", "100", "--no-baselines")
    out = folder / "out"
    whole = igakulm(*words, "--out", folder / "whole")
    assert whole.code == 0, whole.err
    readies = [lambda: kept(out, "answers.sqlite") >= (chunks or 0)] if chunks is not None else map(after, moments)
    for ready in readies:
        assert kill_when((*words, "--out", out), ready) or chunks is None, "it was too fast to be killed"
    assert chunks is None or not (out / "scoreboard.json").exists()
    asked = 0
    score = TransformersEngine.score

    def counting(self: TransformersEngine, prompts: Sequence[Sequence[int]], options: Any, **rest: Any) -> Any:
        nonlocal asked
        asked += len(prompts)
        return score(self, prompts, options, **rest)

    before = kept(out, "answers.sqlite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransformersEngine, "score", counting)
        assert igakulm(*words, "--out", out).code == 0
    assert asked == max(0, questions - 256 * before)
    assert results(out) == results(folder / "whole")
    return asked


def test_a_killed_evaluation_of_an_endpoint_goes_on(tmp_path: Path) -> None:
    with_endpoint(tmp_path, questions=40, stop_at=17)


def test_a_killed_evaluation_of_a_model_goes_on(tmp_path: Path) -> None:
    assert with_model(tmp_path, questions=900, chunks=1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_an_evaluation_of_an_endpoint_killed_at_any_moments(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with_endpoint(tmp_path, questions=300, stop_at=None, moments=[chance.uniform(0.3, 4.0) for _ in range(6)])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_an_evaluation_of_a_model_killed_at_any_moments(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with_model(tmp_path, questions=900, chunks=None, moments=[chance.uniform(0.3, 8.0) for _ in range(6)])
