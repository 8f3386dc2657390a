"""A training small enough for tests, to be run in this process or in one that is killed.

The rows are numbers from a fixed formula, so every process sees the same data.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch._dynamo  # what the first step would import: here, every process of the fork server has it already
import transformers.models.arcee.modeling_arcee  # noqa: F401 - likewise

from igakulm.model import init
from igakulm.model.objective import Objective
from igakulm.model.presets import model_config, new_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ModelSection, TrainSection
from igakulm.training import loop
from igakulm.training.batch import Row, next_token_targets
from igakulm.training.loop import History, Job, Validation, identity_of, train

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


def small_job(folder: Path, rows: CountingRows | None = None, **keys: Any) -> Job:
    section = TrainSection.model_validate({**KEYS, **keys})
    shape = ModelSection(preset=None, hidden_size=32, layers=2, heads=2, key_value_heads=1)
    model = new_model(model_config(shape, ENTRIES, 64, bos=1, eos=2))
    init.initialise(model, section.seed or 0)
    bf16 = section.precision == "bf16"
    objective = Objective(model, scale=init.embedding_scale(32), dropout=0.1, neftune_alpha=1.0, bf16=bf16)
    rows = rows or CountingRows()
    return Job(
        name="small",
        objective=objective,
        rows=rows,
        section=section,
        token_budget=section.micro_batch * 23,
        folder=folder,
        identity=identity_of(section, data=rows.fingerprint),
        validation=Validation([CountingRows().row(100), CountingRows().row(101)], 120.0),
    )


def run(folder: Path, **keys: Any) -> tuple[dict[str, torch.Tensor], History]:
    """Train; the final weights and what was reported."""
    job = small_job(folder, **keys)
    history = train(job, SilentProgress())
    return {name: weight.detach().clone() for name, weight in job.objective.model.named_parameters()}, history


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["small_training"])


def start(folder: Path, last: int | None = None, **keys: Any) -> BaseProcess:
    """The same training in a process of its own; with `last`, it kills itself after that step.

    Processes are forked from a server that has loaded torch once; it finds this module by PYTHONPATH only.
    """
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        forkserver.ensure_running()
    process = _context.Process(target=_run_alone, args=(folder, last, keys))
    process.start()
    return process


def kill_after(folder: Path, step: int, **keys: Any) -> None:
    """Leave the folder as a run does that is killed between two steps."""
    process = start(folder, step, **keys)
    process.join()
    assert process.exitcode == -signal.SIGKILL, process.exitcode


def _run_alone(folder: Path, last: int | None, keys: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    original = loop._Trainer.step

    def step(self: loop._Trainer, step: int) -> dict[str, Any]:
        if last is not None and step > last:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, step)

    loop._Trainer.step = step  # type: ignore[method-assign]
    run(folder, **keys)
