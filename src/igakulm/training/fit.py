"""What this machine has for a training: memory, disk and peak, said before it starts.

Does: compare the plan's arithmetic with the memory and the disk that are there. Does not: refuse; the arithmetic is an
estimate, and a run that is too large ends by itself.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from igakulm.machine import total_memory
from igakulm.progress import Progress
from igakulm.recipe.schema import TrainSection
from igakulm.training.devices import peak_flops
from igakulm.training.memory import GIB, shortage
from igakulm.training.model_size import ModelSize
from igakulm.training.world import current_world

if TYPE_CHECKING:
    import torch

CHECKPOINT_BYTES = 12
"""A parameter in a checkpoint: fp32 weights and two moments."""


def say_warnings(size: ModelSize, section: TrainSection, length: int, folder: Path, progress: Progress) -> list[str]:
    """Say what will not fit this machine; returns the sentences.

    Args:
        size: of the model to be trained.
        section: the recipe's keys for this training.
        length: tokens of a row.
        folder: where checkpoints go.
        progress: hears a warning for each.
    """
    world = current_world()
    found = warnings_here(size, section, length, world.size, world.device(), folder)
    for text in found:
        progress.say(f"warning: {text}")
    return found


def warnings_here(
    size: ModelSize, section: TrainSection, length: int, processes: int, device: torch.device, folder: Path
) -> list[str]:
    """Sentences about what will not fit; empty when all does.

    `processes` on a CPU are taken to share this machine.
    """
    memory = device_memory(device)
    share = memory / processes if memory and device.type == "cpu" else memory
    name = "this machine" if device.type == "cpu" else "this GPU"
    found = shortage(size, section, length, processes, share / GIB, name) if share else None
    return [text for text in (found, _disk_shortage(size, section, folder)) if text]


def _disk_shortage(size: ModelSize, section: TrainSection, folder: Path) -> str | None:
    kept = min(section.keep_last, -(-section.steps // section.checkpoint_every))
    if section.keep_every:
        kept += section.steps // section.keep_every
    need = (kept + 1) * CHECKPOINT_BYTES * size.parameters  # one more while the next is written
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    home = next((path for path in (folder, *folder.parents) if path.exists()), Path())
    free = shutil.disk_usage(home).free
    if need <= free + there:
        return None
    return (
        f"checkpoints will take about {need / GIB:.1f} GiB and {free / GIB:.1f} GiB are free at {home}; "
        "free some space, or lower keep_last or keep_every"
    )


def device_memory(device: torch.device) -> int | None:
    """Bytes of the GPU, or of this machine as far as its control group allows; None where nobody says."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    return total_memory()


def device_peak(device: torch.device) -> float | None:
    """Dense bf16 FLOP/s of the GPU as its maker states it; None for a CPU and for a GPU that is not listed."""
    if device.type != "cuda":
        return None
    import torch

    return peak_flops(torch.cuda.get_device_name(device))
