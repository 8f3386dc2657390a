"""Checkpoints that survive a kill at any moment: written under a temporary name, hashed last, then renamed.

Does: write and read snapshots of weights, moments and step; skip a damaged checkpoint; refuse to go on with other data.
Does not: save a random state: every micro-batch seeds its own from (seed, step, number), so the step is the whole
state; gather from several processes (parallel.py) or write in the background (background.py).

Why not `torch.distributed.checkpoint.async_save`: a checkpoint here is one whole model in two safetensors files, so
that it goes on in any number of processes with any strategy, can be opened by anything, and holds no pickle (dcp's
`.metadata` is one). dcp's collectives would also run beside those of training and need a process group of their own;
here the background thread makes none, because everything is gathered before it starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from igakulm.errors import InputError
from igakulm.files import explain_os_error, read_json, sha256_file, sync, write_json
from igakulm.machine import Arithmetic
from igakulm.training.parallel import Snapshot

BEST = "best"
"""Folder of the best weights, beside the checkpoints."""
WEIGHTS, OPTIMIZER, STATE, HASHES = "model.safetensors", "optimizer.safetensors", "state.json", "hashes.json"


class Checkpoints:
    """The folder `checkpoints/` of a training stage. Only `read` may be called by a process that does not lead.

    Args:
        folder: where checkpoints stand.
        identity: everything that must be the same when training goes on (data, tokenizer, batch, …), JSON values.
        keep: how many scheduled checkpoints to keep.
        every: scheduled are the multiples of this.
        last: and the last step.
        keep_every: scheduled ones that are multiples of this are never removed; 0 = none.
        arithmetic: what this process computes with.
        mixed: whether a checkpoint of another arithmetic may go on here.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, object],
        *,
        keep: int,
        every: int,
        last: int,
        keep_every: int = 0,
        arithmetic: Arithmetic | None = None,
        mixed: bool = False,
    ) -> None:
        self.folder, self.identity, self.keep = folder, dict(identity), keep
        self.every, self.last, self.keep_every = every, last, keep_every
        self.arithmetic, self.mixed = arithmetic, mixed
        self._before: list[dict[str, Any]] = []

    def write(self, step: int, snapshot: Snapshot, history: Mapping[str, object]) -> None:
        """Write the checkpoint after `step` updates, then remove what is no longer needed.

        An unscheduled one (a signal came) is kept while it is the newest and never displaces a scheduled one, so a
        training that was stopped leaves the same files in the end as one that was not.

        Raises:
            InputError: the disk is full or cannot be written.
        """
        target = self.folder / f"step-{step:07d}"
        temporary = self.folder / f".{target.name}.tmp"
        state = {"step": step, "identity": self.identity, "arithmetic": self._parts(), "history": dict(history)}
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            _save_tensors(temporary / WEIGHTS, snapshot.weights)
            _save_tensors(temporary / OPTIMIZER, snapshot.moments)
            write_json(temporary / STATE, state)
            hashes = {name: sha256_file(temporary / name) for name in (WEIGHTS, OPTIMIZER, STATE)}
            write_json(temporary / HASHES, hashes)
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
            sync(self.folder)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise explain_os_error(error, target) from error
        scheduled = [number for number in self._steps() if number % self.every == 0 or number == self.last]
        for_ever = {number for number in scheduled if self.keep_every and number % self.keep_every == 0}
        self._prune({*scheduled[-self.keep :], *for_ever, step})

    def newest(self, say: Callable[[str], None]) -> int | None:
        """The step of the newest whole checkpoint of this training, or None; half-written ones are swept away.

        A damaged checkpoint is named, removed, and the one before it is used.

        Raises:
            InputError: the checkpoint belongs to other data, another tokenizer or other settings, or was computed with
                another number of threads, instruction set or GPU and `mixed` is not set.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob(".*.tmp"):
            shutil.rmtree(leftover)
        for step in reversed(self._steps()):
            folder = self.folder / f"step-{step:07d}"
            fault = damage(folder)
            if fault:
                say(f"checkpoint {folder.name} is damaged ({fault}); it is left out")
                shutil.rmtree(folder)
                continue
            state = read_json(folder / STATE)
            self._compare(state["identity"], folder)
            self._go_on_with(state.get("arithmetic", []), step, folder, say)
            return step
        return None

    def read(self, step: int) -> tuple[Snapshot, dict[str, Any]]:
        """The tensors and the history of a checkpoint that `newest` has found whole.

        Raises:
            InputError: this process cannot see the files.
        """
        folder = self.folder / f"step-{step:07d}"
        try:
            snapshot = Snapshot(load_file(folder / WEIGHTS), load_file(folder / OPTIMIZER))
        except OSError as error:
            raise InputError(
                "the first process has found a checkpoint that this one cannot read",
                where=str(folder),
                hint="keep runs_folder on a disk that all machines of this training share",
            ) from error
        return snapshot, dict(read_json(folder / STATE)["history"])

    def write_best(self, step: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Keep the weights after `step` as the best so far, in place of those before.

        Raises:
            InputError: the disk is full or cannot be written.
        """
        target, temporary = self.folder / BEST, self.folder / f".{BEST}.tmp"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            _save_tensors(temporary / WEIGHTS, weights)
            write_json(temporary / STATE, {"step": step, "sha256": sha256_file(temporary / WEIGHTS)})
            shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)
            sync(self.folder)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise explain_os_error(error, target) from error

    def read_best(self, step: int) -> dict[str, torch.Tensor]:
        """The weights that `write_best` kept after `step`.

        Raises:
            InputError: they are missing or damaged, or another step's.
        """
        folder = self.folder / BEST
        try:
            state = read_json(folder / STATE)
            if state["step"] == step and state["sha256"] == sha256_file(folder / WEIGHTS):
                return load_file(folder / WEIGHTS)
        except (OSError, KeyError, TypeError):
            pass
        what = f"the best weights, after step {step:,}, are missing or damaged"
        raise InputError(what, where=str(folder), hint="remove the unfinished folder and train again")

    def _compare(self, saved: Mapping[str, object], folder: Path) -> None:
        for key in sorted({*saved, *self.identity}):
            before, now = saved.get(key), self.identity.get(key)
            if before != now:
                raise InputError(
                    f"this training was begun with another {key.replace('_', ' ')}: {before} then, {now} now",
                    where=str(folder),
                    hint="go on with the same settings and data, or remove the folder and begin again",
                )

    def _go_on_with(
        self, parts: Sequence[Mapping[str, object]], step: int, folder: Path, say: Callable[[str], None]
    ) -> None:
        """Compare what the newest part of the training was computed with."""
        changes = self.arithmetic.differences(parts[-1]) if self.arithmetic and parts else []
        if changes and not self.mixed:
            raise InputError(
                f"this training was computed with something else: {'; '.join(changes)}",
                where=str(folder),
                hint="set OMP_NUM_THREADS as it was and use such a machine; or set mixed_arithmetic: true in the "
                "recipe's section: the losses are the same to rounding, the bytes those of no other run",
            )
        if not parts:
            say(f"checkpoint {folder.name} does not say with how many threads and which instructions it was computed")
        elif changes:
            say(f"goes on with another arithmetic, as mixed_arithmetic allows: {'; '.join(changes)}")
        self._before = [dict(part) for part in parts] or [{"after_step": 0}]
        if changes or not parts:
            self._before.append(self._part(step))

    def _part(self, step: int) -> dict[str, object]:
        return {"after_step": step, **(self.arithmetic.as_json() if self.arithmetic else {})}

    def _parts(self) -> list[dict[str, Any]]:
        """What every part of the training was computed with, from which step on."""
        return self._before or [self._part(0)]

    def _steps(self) -> list[int]:
        return sorted(int(path.name[5:]) for path in self.folder.glob("step-*") if path.name[5:].isdigit())

    def _prune(self, kept: Set[int]) -> None:
        for step in self._steps():
            if step not in kept:
                shutil.rmtree(self.folder / f"step-{step:07d}")


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint folder, or None: every file must be there with the hash written last."""
    try:
        hashes = read_json(folder / HASHES)
        for name in (WEIGHTS, OPTIMIZER, STATE):
            if sha256_file(folder / name) != hashes[name]:
                return f"{name} has changed"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (InputError, KeyError, TypeError) as error:
        return str(error).splitlines()[0]
    return None


def _save_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    try:
        save_file(dict(tensors), path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(28 if "os error 28" in str(error) else 5, str(error), str(path)) from error
    sync(path)
