"""Several processes compute what one does, whatever the strategy, and go on from each other's checkpoints."""

import importlib.util
import json
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from small_training import CountingRows, RowsUnreadableElsewhere, UnevenRows, kill_after, run, run_world, start_world

deepspeed = pytest.param(
    "deepspeed",
    marks=[
        pytest.mark.slow,
        pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="the extra deepspeed is missing"),
    ],
)
STRATEGIES = ["ddp", "zero2", "fsdp", deepspeed]
KEYS: dict[str, Any] = {"steps": 7, "micro_batch": 1, "global_batch": 5}


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "logs" / "steps.jsonl").read_text().splitlines()]


def close(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, weight in one.items():
        torch.testing.assert_close(weight, other[name], rtol=1e-5, atol=1e-5)


def wait_for_steps(processes: list[BaseProcess], folder: Path, number: int = 1) -> None:
    log = folder / "logs" / "steps.jsonl"
    while processes[0].is_alive() and not (log.exists() and log.read_bytes().count(b"\n") >= number):
        time.sleep(0.005)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training by one process: dropout, noise, rows with nothing to learn, an odd number of micro-batches."""
    folder = tmp_path_factory.mktemp("alone")
    run_world(folder, 1, rows=UnevenRows(), **KEYS)
    return folder


@pytest.mark.parametrize("parallel", STRATEGIES)
def test_two_processes_compute_what_one_does(tmp_path: Path, alone: Path, parallel: str) -> None:
    from safetensors.torch import load_file

    weights, history = run_world(tmp_path, rows=UnevenRows(), parallel=parallel, **KEYS)
    close(weights, load_file(alone / "final.safetensors"))
    assert losses(tmp_path) == pytest.approx(losses(alone), abs=1e-5)
    before = json.loads((alone / "final.json").read_text())
    assert history.loss_tokens == before["loss_tokens"]
    for mine, theirs in zip(history.validation, before["validation"], strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("parallel", STRATEGIES)
def test_a_checkpoint_of_two_goes_on_in_one(tmp_path: Path, parallel: str) -> None:
    whole, _ = run(tmp_path / "whole")
    for process in start_world(tmp_path / "cut", last=7, parallel=parallel):
        process.join(60)
    assert sorted(path.name for path in (tmp_path / "cut" / "checkpoints").iterdir()) == [
        "step-0000003",
        "step-0000006",
    ]
    weights, history = run(tmp_path / "cut")
    close(weights, whole)
    assert len(losses(tmp_path / "cut")) == 12
    assert history.validation[0]["step"] == 0


@pytest.mark.parametrize("parallel", STRATEGIES)
def test_a_checkpoint_of_one_goes_on_in_two(tmp_path: Path, parallel: str) -> None:
    whole, _ = run(tmp_path / "whole")
    kill_after(tmp_path / "cut", 7)
    close(run_world(tmp_path / "cut", parallel=parallel)[0], whole)


def test_two_processes_resume_to_the_same_bits_across_an_epoch(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"rows": CountingRows(20), "checkpoint_every": 2}
    whole, history = run_world(tmp_path / "whole", **keys)
    for process in start_world(tmp_path / "cut", last=3, **keys):
        process.join(60)
    weights, resumed = run_world(tmp_path / "cut", **keys)
    assert all(torch.equal(weight, whole[name]) for name, weight in weights.items())
    assert resumed == history
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


def test_a_signal_to_one_process_saves_and_ends_all(tmp_path: Path) -> None:
    processes = start_world(tmp_path, steps=100_000, checkpoint_every=100_000, validate_every=100_000)
    wait_for_steps(processes, tmp_path)
    assert processes[1].pid
    os.kill(processes[1].pid, signal.SIGTERM)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [128 + signal.SIGTERM] * 2
    (saved,) = (tmp_path / "checkpoints").iterdir()
    assert int(saved.name.removeprefix("step-")) == len(losses(tmp_path))


def test_bad_input_in_one_process_ends_all_with_one_message(tmp_path: Path) -> None:
    processes = start_world(tmp_path, rows=RowsUnreadableElsewhere())
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [2, 2]
    assert [path.name for path in tmp_path.glob("said-*.txt")] == ["said-1.txt"]


def test_a_spike_names_the_documents_of_all_processes(tmp_path: Path) -> None:
    processes = start_world(tmp_path, learning_rate=1e4, spike_factor=1.01, steps=60)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [2, 2]
    (said,) = tmp_path.glob("said-*.txt")
    assert "stopped at step" in said.read_text()
    assert len(json.loads((tmp_path / "logs" / "stopped.json").read_text())["rows"]) == 6


def test_refused_settings_end_all_with_one_message(tmp_path: Path) -> None:
    run(tmp_path)
    processes = start_world(tmp_path, global_batch=4)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [2, 2]
    (said,) = tmp_path.glob("said-*.txt")
    assert "another global batch: 6 then, 4 now" in said.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_killed_twenty_times(tmp_path: Path, size: int) -> None:
    keys: dict[str, Any] = {"steps": 60, "checkpoint_every": 1, "validate_every": 7}
    whole, history = run_world(tmp_path / "whole", size, **keys)
    chance = random.Random(size)
    folder = tmp_path / "cut"
    kills = 0
    while kills < 20:
        processes = start_world(folder, size, **keys)
        done = len(losses(folder)) if (folder / "logs" / "steps.jsonl").exists() else 0
        wait_for_steps(processes, folder, min(done + 1, 60))
        time.sleep(chance.uniform(0.0, 0.05))
        victim = chance.choice(processes)
        victim.kill()
        for process in processes:
            process.join(0 if process is victim else 0.3)
            process.kill()
            process.join()
        kills += 1
    weights, resumed = run_world(folder, size, **keys)
    assert all(torch.equal(weight, whole[name]) for name, weight in weights.items())
    assert resumed == history
    assert losses(folder) == losses(tmp_path / "whole")
