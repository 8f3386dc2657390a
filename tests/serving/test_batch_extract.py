"""Batches: the same bytes whatever happens on the way, nothing asked twice, nothing lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.inference.engine import GREEDY, EngineFailed, Sampling, Step
from igakulm.inference.model import Model
from igakulm.progress import SilentProgress
from igakulm.serving.batch_extract import BatchOptions, batch_extract
from igakulm.tasks.layouts import Task, read_tasks, write_tasks
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, tokenizer_folder

TINY = encoder()
TASKS = [
    Task("d", "extract", "所見", "Findings", "所見は？\n「", suffix="」", kind_of_item="finding"),
    Task("m", "extract", "薬", "Medicines", "薬は？\n「", suffix="」", kind_of_item="medicine"),
    Task("c", "classify", "分類", "Class", "どれか。\n「", suffix="」", options=(("A", "甲"), ("B", "乙"))),
]


class Batch:
    """A bundle's folder with tasks only, an input, and an engine that always says the same."""

    def __init__(self, folder: Path, records: int = 5) -> None:
        self.source, self.out, self.bundle = folder / "in.csv", folder / "out.csv", folder / "bundle"
        self.journal = folder / "out.csv.journal"
        rows = [f"r{number},{number}日目、発熱と咳" for number in range(records)]
        self.source.write_text("\n".join(["id,text", *rows]) + "\n", encoding="utf-8")
        self.bundle.mkdir()
        write_tasks(self.bundle / "tasks.json", TASKS)
        self.engine: ScriptedEngine = ScriptedEngine(TINY, '["発熱", "頭痛"]')

    def open(self, folder: Path, engine: str) -> Model:
        return Model(self.engine, TINY, "tiny", "scripted", folder, tasks=tuple(read_tasks(folder / "tasks.json")))

    def run(self, **options: Any) -> dict[str, Any]:
        made = BatchOptions(**options)
        return batch_extract(self.source, self.bundle, self.out, made, SilentProgress(), open_bundle=self.open)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


def test_a_batch(batch: Batch) -> None:
    summary = batch.run()
    assert summary["records"] == 5 and summary["items"] == summary["unplaced"] == 10 and summary["tasks"] == ["d", "m"]
    lines = batch.out.read_text(encoding="utf-8").splitlines()
    assert lines[1:3] == [
        "1,r0,d,finding,発熱,4,6,placed,",
        "1,r0,d,finding,頭痛,,,unplaced,the text does not hold this",
    ]
    assert len(lines) == 21 and len(batch.engine.prompts) == 10
    assert not batch.journal.exists()
    before = batch.out.read_bytes()
    assert batch.run()["resumed"] == 0 and batch.out.read_bytes() == before


def test_tasks_are_chosen_by_name(batch: Batch) -> None:
    assert batch.run(tasks=("m", "m"))["tasks"] == ["m"]
    for name, hint in (("dd", "did you mean 'd'"), ("c", "choose of: d, m")):
        with pytest.raises(InputError, match=hint):
            batch.run(tasks=(name,))
    write_tasks(batch.bundle / "tasks.json", TASKS[2:])
    with pytest.raises(InputError, match="no task that extracts"):
        batch.run()


def test_broken_records_are_in_the_result_and_cost_no_question(batch: Batch) -> None:
    batch.source.write_bytes("id,text\na,発熱\nb,\nc\n".encode() + b"d,\xff\n" + "e,咳\n".encode())
    summary = batch.run(form="jsonl")
    rows = [json.loads(line) for line in batch.out.read_text(encoding="utf-8").splitlines()]
    assert [row["error"] for row in rows] == [
        "",
        "no text (line 3)",
        "1 cells instead of 2 (line 4)",
        "bytes that are not utf-8 (line 5)",
        "",
    ]
    assert summary["broken"] == 3 and len(batch.engine.prompts) == 4


def test_a_limit_is_a_trial_from_the_beginning(batch: Batch) -> None:
    assert batch.run(limit=2)["records"] == 2
    assert batch.run(limit=99)["records"] == 5


def test_refusals_come_before_the_model_is_asked(batch: Batch) -> None:
    for options in ({"form": "xlsx"}, {"column": "note"}, {"encoding": "?"}):
        with pytest.raises(InputError):
            batch.run(**options)
    batch.engine = ScriptedEngine(TINY, "[]", context_length=20)
    with pytest.raises(InputError, match="too few for this task"):
        batch.run()
    batch.out = batch.source
    with pytest.raises(InputError, match="replace its own input"):
        batch.run()
    batch.out = batch.bundle
    with pytest.raises(InputError, match="folder"):
        batch.run()
    assert not batch.engine.prompts and not batch.journal.exists()


class Dying(ScriptedEngine):
    """Fails at those requests that `deaths` counts, as an engine does whose process died; the next finds a new one."""

    deaths: frozenset[int] = frozenset()

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        if len(self.prompts) in self.deaths:
            self.prompts.append(list(prompt))
            raise EngineFailed("the process ended while it read 患者の名前")
        yield from super().stream(prompt, max_new_tokens, stop, sampling)


def dying(deaths: set[int]) -> Dying:
    engine = Dying(TINY, '["発熱", "頭痛"]')
    engine.deaths = frozenset(deaths)
    return engine


def test_a_record_is_asked_again_when_the_process_died(batch: Batch) -> None:
    batch.run()
    expected = batch.out.read_bytes()
    batch.engine = dying({0, 3, 4, 8})
    assert batch.run()["failed"] == 0
    assert batch.out.read_bytes() == expected and len(batch.engine.prompts) == 14


def test_a_record_that_always_kills_is_an_error_and_the_others_go_on(batch: Batch) -> None:
    batch.engine = dying({2, 3, 4})
    summary = batch.run()
    text = batch.out.read_text(encoding="utf-8")
    assert summary["failed"] == 1 and "患者" not in text
    assert "2,r1,,,,,,error,the model's process failed 3 times" in text.splitlines()


def test_a_machine_that_fails_stops_the_batch_and_the_next_call_goes_on(batch: Batch) -> None:
    batch.run()
    expected = batch.out.read_bytes()
    batch.out.unlink()
    batch.engine = dying(set(range(4, 1000)))
    with pytest.raises(InputError, match="3 records in a row failed"):
        batch.run()
    assert not batch.out.exists() and batch.journal.exists()
    batch.engine = ScriptedEngine(TINY, '["発熱", "頭痛"]')
    assert batch.run()["resumed"] == 2
    assert batch.out.read_bytes() == expected and len(batch.engine.prompts) == 6


def test_other_work_does_not_go_on_from_a_journal(batch: Batch) -> None:
    batch.engine = dying(set(range(4, 1000)))
    with pytest.raises(InputError, match="in a row"):
        batch.run()
    with pytest.raises(InputError, match="another tasks"):
        batch.run(tasks=("d",))
    batch.source.write_text("text\n咳\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"another .*input"):
        batch.run()


CHILD = """
import sys, time
from pathlib import Path
from igakulm.progress import SilentProgress
from igakulm.serving.batch_extract import BatchOptions, batch_extract
from igakulm.inference.model import Model
from igakulm.tasks.layouts import read_tasks
from igakulm.tokenizer.open import load_encoder
from scripted_engine import ScriptedEngine

folder, tokenizer, most = Path(sys.argv[1]), load_encoder(Path(sys.argv[2])), int(sys.argv[3])

class Slow(ScriptedEngine):
    def stream(self, *arguments):
        if len(self.prompts) == most:
            time.sleep(600)  # to be killed: a busy machine could let it finish before
        for step in super().stream(*arguments):
            time.sleep(0.001)
            yield step
        with (folder / "asked").open("a") as file:
            file.write(tokenizer.decode(arguments[0]).replace("\\n", " ") + "\\n")

engine = Slow(tokenizer, '["発熱", "頭痛"]')
tasks = tuple(read_tasks(folder / "bundle" / "tasks.json"))
opened = lambda bundle, name: Model(engine, tokenizer, "tiny", "scripted", bundle, tasks=tasks)
source, bundle, out = folder / "in.csv", folder / "bundle", folder / "out.csv"
batch_extract(source, bundle, out, BatchOptions(), SilentProgress(), open_bundle=opened)
"""


def start(folder: Path, tests: Path, most: int = 1000) -> subprocess.Popen[bytes]:
    """A batch in a process of its own, which asks the model `most` times at most."""
    paths = os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", CHILD, str(folder), str(tokenizer_folder()), str(most)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def test_killed_at_any_moment_nothing_is_asked_twice_and_nothing_is_lost(tmp_path: Path, project: Path) -> None:
    batch = Batch(tmp_path, records=40)
    batch.run()
    expected = batch.out.read_bytes()
    batch.out.unlink()
    draw, kills = random.Random(5), 3
    for wait in [draw.uniform(0.0, 0.1) for _ in range(kills)]:
        child = start(tmp_path, project / "tests", most=24)
        deadline = time.monotonic() + 60
        kept = batch.journal.stat().st_size if batch.journal.exists() else 0
        # Not before it works: the time that Python takes to start says nothing.
        while child.poll() is None and time.monotonic() < deadline:
            if batch.journal.exists() and batch.journal.stat().st_size > kept + 500:
                break
            time.sleep(0.01)
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert child.stderr is not None
        child.stderr.close()
        assert batch.journal.exists() and not batch.out.exists()
    last = start(tmp_path, project / "tests")
    _, errors = last.communicate(timeout=60)
    assert last.returncode == 0, errors.decode()
    assert batch.out.read_bytes() == expected and not batch.journal.exists()
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    # A kill can cost the tasks of the record that was under way; every record that was kept was asked once a task.
    assert 80 <= len(asked) <= 80 + 2 * kills
