"""Runs that a launcher starts in two processes: one message, one exit code, one lock, and the same models."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch.distributed  # noqa: F401 - here once, not in every forked process

from igakulm.errors import InputError
from igakulm.files import write_text
from igakulm.pipeline import run
from igakulm.pipeline.run import Runner
from igakulm.pipeline.stages import stage_named
from igakulm.progress import SilentProgress
from igakulm.recipe import load_recipe
from igakulm.training.world import current_world, joined

STEPS = ("pretrain.steps=6", "pretrain.checkpoint_every=2", "finetune.steps=4", "finetune.checkpoint_every=2")


def slow_and_alone(*arguments: Any) -> dict[str, Any]:
    """A stage for the leading process only."""
    assert current_world().leads
    time.sleep(0.5)
    return {}


def together(recipe: Any, inputs: Any, out: Path, progress: Any) -> dict[str, Any]:
    """A stage for all: they add up their numbers, the leading one writes."""
    world = current_world()
    total = world.largest(10 + world.rank)
    if world.leads:
        assert isinstance(progress, SilentProgress)
        write_text(out / "total.txt", str(total))
    return {}


def broken(*arguments: Any) -> dict[str, Any]:
    """Bad input that only the leading process sees."""
    if current_world().leads:
        raise InputError("bad input")
    current_world().largest(0)
    return {}


def busy(*arguments: Any) -> dict[str, Any]:
    """A mistake of the program, not of its input."""
    raise ZeroDivisionError


def _one(folder: Path, recipe: Path, place: dict[str, str], build: Callable[..., dict[str, Any]], shared: bool) -> None:
    os.environ.update(place)
    stages = (
        replace(stage_named("lexicon"), build=slow_and_alone),
        replace(stage_named("synth"), build=build, shared=shared),
    )
    named = {stage.name: stage for stage in stages}
    patches = mock.patch.multiple(run, stages_for=lambda *_: stages, stage_named=named.__getitem__)
    try:
        with patches, joined():
            found = Runner(load_recipe(recipe, [f"runs_folder={folder}"]), SilentProgress()).run("synth")
            (folder / f"found-{place['RANK']}").write_text(" ".join(found))
    except InputError as error:
        (folder / f"said-{place['RANK']}").write_text(error.what)
        sys.exit(2)


def run_two(
    folder: Path, recipe: Path, build: Callable[..., dict[str, Any]], *, shared: bool = True
) -> list[int | None]:
    """Exit codes of two processes that run two small stages."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_one, args=(folder, recipe, {**common, "RANK": rank, "LOCAL_RANK": rank}, build, shared))
        for rank in "01"
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


@pytest.fixture
def quickstart(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe, from the project's folder."""
    monkeypatch.chdir(project)
    return project / "recipes/quickstart.yaml"


def test_the_others_wait_take_part_and_end(tmp_path: Path, quickstart: Path) -> None:
    assert run_two(tmp_path, quickstart, together) == [0, 0]
    assert (tmp_path / "quickstart" / "latest" / "synth" / "total.txt").read_text() == "11"
    assert (tmp_path / "found-0").read_text() == "lexicon synth"
    assert (tmp_path / "found-1").read_text() == ""
    assert run_two(tmp_path, quickstart, together) == [0, 0]  # nothing left to do


@pytest.mark.parametrize("shared", [True, False])
def test_bad_input_of_the_leading_process_ends_all(tmp_path: Path, quickstart: Path, shared: bool) -> None:
    assert run_two(tmp_path, quickstart, broken, shared=shared) == [2, 2]
    assert [path.name for path in tmp_path.glob("said-*")] == ["said-0"]


def test_a_mistake_of_the_leading_process_ends_all(tmp_path: Path, quickstart: Path) -> None:
    assert run_two(tmp_path, quickstart, busy, shared=False) == [1, 1]


def launched(runs: Path, *words: str) -> subprocess.Popen[str]:
    """`torchrun` with two processes, as a user starts it."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "-m", "igakulm", *words]
    for key in (f"runs_folder={runs}", *STEPS):
        command += ["--set", key]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )


def steps_of(runs: Path, stage: str) -> list[float]:
    """Losses in a stage's log, finished or not."""
    found = sorted(runs.glob(f"quickstart/{stage}-*/logs/steps.jsonl"))
    lines = found[0].read_text().splitlines() if found else []
    return [json.loads(line)["loss"] for line in lines if line.endswith("}")]


@pytest.mark.slow
def test_a_launched_run_stopped_and_started_again(tmp_path: Path, quickstart: Path) -> None:
    words = ("run", str(quickstart), "--until", "finetune")
    process = launched(tmp_path / "two", *words)
    while process.poll() is None and len(steps_of(tmp_path / "two", "pretrain")) < 1:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "the same command goes on from there" in said
    assert 1 <= len(steps_of(tmp_path / "two", "pretrain")) < 6
    process = launched(tmp_path / "two", *words)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert said.count("pretrain goes on after step") == 1
    one = [sys.executable, "-m", "igakulm", *words]
    for key in (f"runs_folder={tmp_path / 'one'}", *STEPS):
        one += ["--set", key]
    subprocess.run(one, check=True, capture_output=True)
    for stage in ("pretrain", "finetune"):
        assert steps_of(tmp_path / "two", stage) == pytest.approx(steps_of(tmp_path / "one", stage), abs=2e-2)  # bf16
    process = launched(tmp_path / "two", *words, "--set", "pretrain.nonsense=1")
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0 and said.count("igakulm: ") == 1
