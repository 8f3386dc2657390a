"""kill -9 in the middle of writing, then the same call; and a server that fails at given rates: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Reply, Request
from igakulm.asking.client import Retry
from igakulm.errors import InputError
from igakulm.files import files_below, read_documents, read_jsonl, sha256_file
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import SynthSection, Writer
from igakulm.synth.generate import ANSWERS, generate_texts
from synthetic_answers import reply, writer_with_faults

TERMS = 60
SCRIPT = """
import sys
from pathlib import Path
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import SynthSection
from igakulm.synth.generate import generate_texts
config = SynthSection.model_validate_json(sys.argv[1])
generate_texts(config, Path(sys.argv[2]), Path(sys.argv[3]), SilentProgress())
"""


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    folder = tmp_path / "lexicon"
    folder.mkdir()
    lines = [f"試験用疾患{number:04d}症\tdisease\n" for number in range(TERMS)]
    (folder / "terms.tsv").write_text("term\tkind\n" + "".join(lines), encoding="utf-8")
    return folder


def section(url: str, concurrency: int, **changes: Any) -> SynthSection:
    writers = [
        Writer(name=name, endpoint=url, model=name, licence="CC0-1.0", weight=weight)
        for name, weight in (("large", 1.0), ("small", 2.0))
    ]
    values = {"writers": writers, "terms": TERMS, "exams": 0, "seed": 3, "concurrency": concurrency, **changes}
    return SynthSection(**values)


def result(out: Path) -> dict[str, str]:
    names = [path for path in files_below(out) if path.relative_to(out).parts[0] != "logs"]
    return {path.relative_to(out).as_posix(): sha256_file(path) for path in names}


def stored(out: Path) -> int:
    path = out / "logs" / ANSWERS
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM responses").fetchone()[0])
    except sqlite3.Error:  # being created, or in the middle of a commit
        return 0


def kill_when(config: SynthSection, lexicon: Path, out: Path, ready: Callable[[], bool]) -> bool:
    """Start, kill as soon as `ready`; whether it was still at work."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, config.model_dump_json(), str(lexicon), str(out)])
    deadline = time.monotonic() + 60
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return alive


def asked(server: ChatServer) -> Counter[str]:
    return Counter(json.dumps(request.body, sort_keys=True) for request in server.requests)


@pytest.mark.parametrize("concurrency", [1, 6])
def test_killed_while_writing(lexicon: Path, tmp_path: Path, concurrency: int) -> None:
    out, killed = tmp_path / "out", threading.Event()

    def plan(request: Request, times: int) -> Reply:
        if len(server.requests) > TERMS // 2:
            killed.wait(60.0)  # however busy the machine is, the run does not end before it is killed
        return reply(request)

    with ChatServer(plan) as server:
        config = section(server.url, concurrency)
        assert kill_when(config, lexicon, out, lambda: stored(out) >= 12), "it was too fast to be killed"
        kept = stored(out)
        killed.set()
        time.sleep(0.1)  # requests on the wire reach the server
        before = sum(asked(server).values())
        assert 12 <= kept < TERMS
        # Two writers, each with so many requests at once; one is answered but not committed, or on the wire.
        assert before - kept <= 2 * concurrency
        generate_texts(config, lexicon, out, SilentProgress())
        assert sum(asked(server).values()) == TERMS + before - kept
        assert len(asked(server)) == TERMS
        generate_texts(config, lexicon, tmp_path / "whole", SilentProgress())
    assert result(out) == result(tmp_path / "whole")
    assert len(list(read_documents(out / "documents"))) == TERMS


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moments(lexicon: Path, tmp_path: Path, seed: int) -> None:
    chance, out, killed = random.Random(seed), tmp_path / "out", 0

    def plan(request: Request, times: int) -> Reply:
        time.sleep(0.1)
        return reply(request)

    with ChatServer(plan) as server:
        config = section(server.url, 3)
        for _ in range(6):
            ready = some_time_after_a_request(server, chance.uniform(0.0, 0.25))
            killed += kill_when(config, lexicon, out, ready)
        assert killed >= 3, "it was too fast to be killed"
        # The answers are complete or nearly so; this kill meets the checks and the writing of documents.
        kill_when(config, lexicon, out, lambda: stored(out) == TERMS)
        assert stored(out) == TERMS == len(asked(server))
        assert sum(asked(server).values()) <= TERMS + 6 * killed, "two writers with three requests on the wire"
        generate_texts(config, lexicon, out, SilentProgress())
        asked_in_all = sum(asked(server).values())
        generate_texts(config, lexicon, tmp_path / "whole", SilentProgress())
        assert sum(asked(server).values()) == asked_in_all + TERMS, "the whole run has a store of its own"
    assert result(out) == result(tmp_path / "whole")


def some_time_after_a_request(server: ChatServer, seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since the next request."""
    before, end = len(server.requests), float("inf")

    def passed() -> bool:
        nonlocal end
        if len(server.requests) > before:
            end = min(end, time.monotonic() + seconds)
        return time.monotonic() >= end

    return passed


RATES = {"429": 0.05, "500": 0.08, "503": 0.04, "cut": 0.05, "broken": 0.05, "empty": 0.03, "hang": 0.02}


async def no_sleep(seconds: float) -> None:
    """Pauses take no time here; the server's hanging does."""


def test_a_server_that_fails_at_given_rates(lexicon: Path, tmp_path: Path) -> None:
    now = time.monotonic
    # Long enough that a busy machine reads every request before its attempt is given up.
    retry = Retry(attempts=8, timeout=3.0, patience=60.0, sleep=no_sleep, clock=now)
    with ChatServer(writer_with_faults(RATES)) as server:
        generate_texts(section(server.url, 6), lexicon, tmp_path / "out", SilentProgress(), retry=retry)
        requests = len(server.requests)
        log = json.loads((tmp_path / "out" / "logs" / "requests.json").read_text(encoding="utf-8"))
        generate_texts(section(server.url, 6), lexicon, tmp_path / "out", SilentProgress(), retry=retry)
        assert len(server.requests) == requests, "a finished run asks nobody"
    found = json.loads((tmp_path / "out" / "yield.json").read_text(encoding="utf-8"))
    rows = list(read_jsonl(tmp_path / "out" / "rejected.jsonl"))
    documents = list(read_documents(tmp_path / "out" / "documents"))
    assert found["terms"] == TERMS == len(documents) + len(rows)
    assert found["rejected"] == {"too_short": len(rows)} and rows, "only empty texts are lost, and with a reason"
    assert {json.loads(document.meta)["term"] for document in documents}.isdisjoint(row["term"] for row in rows)
    assert sum(writer["kept"] for writer in found["writers"].values()) == len(documents)
    assert log["attempts"] == requests == log["answered"] + log["failures"]
    assert (log["answered"], log["stored"], log["failed"]) == (TERMS, 0, 0)
    assert log["failures"] > TERMS * 0.15
    assert set(log["writers"]) == {"large", "small"}


def test_a_server_that_is_restarted_is_waited_for(lexicon: Path, tmp_path: Path) -> None:
    away = range(20, 50)

    def plan(request: Request, times: int) -> Reply:
        return Reply(503, b"loading") if len(server.requests) in away else reply(request)

    time_passes = Retry(attempts=2, patience=600.0, sleep=no_sleep)
    impatient = Retry(attempts=2, patience=0.0, sleep=no_sleep)
    with ChatServer(plan) as server:
        with pytest.raises(InputError, match="503"):
            generate_texts(section(server.url, 2), lexicon, tmp_path / "a", SilentProgress(), retry=impatient)
        server.requests.clear()
        summary = generate_texts(section(server.url, 2), lexicon, tmp_path / "b", SilentProgress(), retry=time_passes)
    assert summary["documents"] == TERMS
