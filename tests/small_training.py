"""A training small enough for tests, to be run in this process or in one that is killed.

The rows are numbers from a fixed formula, so every process sees the same data.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch._dynamo  # what the first step would import: here, every process of the fork server has it already
import transformers.models.arcee.modeling_arcee  # noqa: F401 - likewise
from safetensors.torch import load_file, save_file

from igakulm.errors import InputError
from igakulm.files import read_json, write_json
from igakulm.model import init
from igakulm.model.batch import NO_TARGET, Row, next_token_targets
from igakulm.model.objective import Objective
from igakulm.model.presets import model_config, new_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ModelSection, TrainSection
from igakulm.training import loop
from igakulm.training.loop import History, Job, Validation, identity_of, train
from igakulm.training.samples import continue_in_training
from igakulm.training.world import current_world, joined

ENTRIES = 50
KEYS: dict[str, Any] = {
    "steps": 12,
    "global_batch": 6,
    "micro_batch": 2,
    "learning_rate": 3e-3,
    "warmup_steps": 2,
    "checkpoint_every": 3,
    "validate_every": 4,
    "precision": "fp32",
    "seed": 1,
}


class CountingRows:
    """Rows of two documents that count upwards, which a model learns quickly."""

    fingerprint = "counting"

    def __init__(self, number: int = 20, documents: tuple[int, ...] = (9, 14)) -> None:
        self.number, self.documents = number, documents

    def __len__(self) -> int:
        return self.number

    def row(self, index: int) -> Row:
        parts = [(7 * index + np.arange(length)) % (ENTRIES - 4) + 4 for length in self.documents]
        tokens = np.concatenate(parts).astype(np.int64)
        return Row(tokens, next_token_targets(tokens, self.documents), self.documents)

    def names(self, index: int) -> list[str]:
        return [f"document {index}"]


class UnevenRows(CountingRows):
    """Rows of which only the last tokens are learnt, a different number in each; some have nothing to learn."""

    fingerprint = "uneven"

    def row(self, index: int) -> Row:
        row = super().row(index)
        targets = row.targets.copy()
        targets[: 4 * (index % 7)] = NO_TARGET
        return replace(row, targets=targets)


class RowsUnreadableElsewhere(CountingRows):
    """Rows that the leading process reads and the others cannot."""

    def row(self, index: int) -> Row:
        if not current_world().leads:
            raise InputError("these rows cannot be read here")
        return super().row(index)


def small_job(
    folder: Path, rows: CountingRows | None = None, *, sampled: bool = False, dropout: float = 0.1, **keys: Any
) -> Job:
    section = TrainSection.model_validate({**KEYS, **keys})
    shape = ModelSection(preset=None, hidden_size=32, layers=2, heads=2, key_value_heads=1)
    model = new_model(model_config(shape, ENTRIES, 64, bos=1, eos=2))
    init.initialise(model, section.seed or 0)
    bf16 = section.precision == "bf16"
    objective = Objective(model, scale=init.embedding_scale(32), dropout=dropout, neftune_alpha=1.0, bf16=bf16)
    rows = rows or CountingRows()

    def samples() -> list[dict[str, Any]]:
        return [{"prompt": "4 5", "ids": continue_in_training(objective, [[1, 4, 5]], 6, vocabulary=ENTRIES)[0]}]

    return Job(
        name="small",
        objective=objective,
        rows=rows,
        section=section,
        token_budget=section.micro_batch * 23,
        folder=folder,
        identity=identity_of(section, data=rows.fingerprint),
        validation=Validation([CountingRows().row(100), CountingRows().row(101)], 120.0),
        samples=samples if sampled else None,
    )


def run(folder: Path, rows: CountingRows | None = None, **keys: Any) -> tuple[dict[str, torch.Tensor], History]:
    """Train; the final weights and what was reported."""
    job = small_job(folder, rows, **keys)
    history = train(job, SilentProgress())
    return {name: weight.detach().clone() for name, weight in job.objective.model.named_parameters()}, history


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["small_training"])


def start(folder: Path, last: int | None = None, place: Mapping[str, str] | None = None, **keys: Any) -> BaseProcess:
    """The same training in a process of its own; with `last`, it kills itself after that step.

    Processes are forked from a server that has loaded torch once; it finds this module by PYTHONPATH only.
    """
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        forkserver.ensure_running()
    process = _context.Process(target=_run_alone, args=(folder, last, dict(place or {}), keys))
    process.start()
    return process


def start_world(folder: Path, size: int = 2, last: int | None = None, **keys: Any) -> list[BaseProcess]:
    """The same training in several processes, as a launcher starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    return [start(folder, last, {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, **keys) for rank in range(size)]


def run_world(folder: Path, size: int = 2, **keys: Any) -> tuple[dict[str, torch.Tensor], History]:
    """Train in several processes; the final weights of the leading one and what it reported."""
    processes = start_world(folder, size, **keys)
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * size
    return load_file(folder / "final.safetensors"), History(**read_json(folder / "final.json"))


def kill_after(folder: Path, step: int, **keys: Any) -> None:
    """Leave the folder as a run does that is killed between two steps."""
    process = start(folder, step, **keys)
    process.join()
    assert process.exitcode == -signal.SIGKILL, process.exitcode


def _run_alone(folder: Path, last: int | None, place: dict[str, str], keys: dict[str, Any]) -> None:
    os.environ.update(place)
    torch.set_num_threads(1)
    original = loop._Trainer.step

    def step(self: loop._Trainer, step: int) -> dict[str, Any]:
        if last is not None and step > last:
            self.writer.wait()
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, step)

    loop._Trainer.step = step  # type: ignore[method-assign]
    try:
        with joined() as world:
            weights, history = run(folder, **keys)
            if world.leads:
                save_file(weights, folder / "final.safetensors")
                write_json(folder / "final.json", asdict(history))
    except InputError as error:  # as the command line does
        (folder / f"said-{os.environ.get('RANK', '0')}.txt").write_text(str(error), encoding="utf-8")
        sys.exit(2)
