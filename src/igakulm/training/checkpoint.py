"""Checkpoints that survive a kill at any moment: written under a temporary name, hashed last, then renamed.

Does: save and restore weights, optimizer and step; skip a damaged checkpoint; refuse to go on with other data.
Does not: save a random state: every step seeds its own from (seed, step), so the step number is the whole state.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from igakulm.errors import InputError
from igakulm.files import explain_os_error, read_json, sha256_file, sync, write_json

WEIGHTS, OPTIMIZER, STATE, HASHES = "model.safetensors", "optimizer.safetensors", "state.json", "hashes.json"
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Checkpoints:
    """The folder `checkpoints/` of a training stage.

    Args:
        folder: where checkpoints stand.
        identity: everything that must be the same when training goes on (data, tokenizer, batch, …), JSON values.
        keep: how many scheduled checkpoints to keep.
        every: scheduled are the multiples of this.
        last: and the last step.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, keep: int, every: int, last: int) -> None:
        self.folder, self.identity, self.keep, self.every, self.last = folder, dict(identity), keep, every, last
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.tmp"):
            shutil.rmtree(leftover)

    def save(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, history: Mapping[str, Any]) -> None:
        """Write the checkpoint after `step` updates, then remove what is no longer needed.

        An unscheduled one (a signal came) is kept while it is the newest and never displaces a scheduled one, so a
        training that was stopped leaves the same files in the end as one that was not.

        Raises:
            InputError: the disk is full or cannot be written.
        """
        target = self.folder / f"step-{step:07d}"
        temporary = self.folder / f".{target.name}.tmp"
        state = {"step": step, "identity": self.identity, "history": dict(history)}
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            _save_tensors(temporary / WEIGHTS, dict(model.named_parameters()))
            _save_tensors(temporary / OPTIMIZER, _moments(model, optimizer))
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
        self._prune({*scheduled[-self.keep :], step})

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, say: Callable[[str], None]
    ) -> tuple[int, dict[str, Any]] | None:
        """Load the newest whole checkpoint into model and optimizer; return its step and history, or None.

        A damaged checkpoint is named, removed, and the one before it is used.

        Raises:
            InputError: the checkpoint belongs to other data, another tokenizer or other settings.
        """
        for step in reversed(self._steps()):
            folder = self.folder / f"step-{step:07d}"
            fault = damage(folder)
            if fault:
                say(f"checkpoint {folder.name} is damaged ({fault}); it is left out")
                shutil.rmtree(folder)
                continue
            state = read_json(folder / STATE)
            self._compare(state["identity"], folder)
            _load_weights(folder / WEIGHTS, model)
            _load_moments(folder / OPTIMIZER, model, optimizer, step)
            return step, dict(state["history"])
        return None

    def _compare(self, saved: Mapping[str, Any], folder: Path) -> None:
        for key in sorted({*saved, *self.identity}):
            before, now = saved.get(key), self.identity.get(key)
            if before != now:
                raise InputError(
                    f"this training was begun with another {key.replace('_', ' ')}: {before} then, {now} now",
                    where=str(folder),
                    mend="go on with the same settings and data, or remove the folder and begin again",
                )

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
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    try:
        save_file(plain, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(28 if "os error 28" in str(error) else 5, str(error), str(path)) from error
    sync(path)


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{moment}.{name}": optimizer.state[weight][moment]
        for name, weight in model.named_parameters()
        if weight in optimizer.state
        for moment in _MOMENTS
    }


@torch.no_grad()
def _load_weights(path: Path, model: nn.Module) -> None:
    tensors = load_file(path)
    for name, weight in model.named_parameters():
        weight.copy_(tensors[name])


def _load_moments(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    tensors = load_file(path)
    for name, weight in model.named_parameters():
        if f"{_MOMENTS[0]}.{name}" in tensors:
            optimizer.state[weight] = {
                "step": torch.tensor(float(step), device=weight.device),
                **{moment: tensors[f"{moment}.{name}"].to(weight.device) for moment in _MOMENTS},
            }
