"""This machine: cores and memory that this process may use, and what decides how sums are rounded.

Does: count cores and bytes, say what a computation by torch has run on (device, threads, instruction set) and in words
how two such runs differ. Does not: choose any of it.

Products and sums of floating-point numbers are cut over threads and over the lanes of the widest instructions that a
processor has, and the order of a sum decides its last bits. Two runs agree to the byte only where these agree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CAPABILITIES = (
    "avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "avx10_1", "avx10_2",
    "neon", "bf16", "i8mm", "sve", "sve2",
)  # fmt: skip
"""Of those that torch names, the ones by which its kernels and oneDNN's are chosen."""


_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def cores() -> int:
    """Cores that this process may use: in containers fewer than the machine has; macOS does not say it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def total_memory() -> int | None:
    """Bytes of main memory, as far as this process's control group allows; None where the system does not say."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    try:
        return min(memory, int(_GROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no control groups, or "max"
        return memory


def free_memory() -> int | None:
    """Bytes that the system can give to new work (half of all where it says only that); None where it does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            lines = dict(line.split(":") for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        memory = total_memory()
        return None if memory is None else memory // 2


def fast_in_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32: a recent GPU, or a CPU that has AVX512-BF16
    or AMX (twice the tokens a second with AVX512-BF16).
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(bool(getattr(torch.cpu, check, bool)()) for check in checks)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a computation ran on.

    Attributes:
        device: "cpu", or a GPU's name.
        threads: of torch, on a CPU; 0 on a GPU, whose sums do not hang on them.
        instructions: of a CPU: its maker, what torch uses, and what the processor offers to oneDNN; "" on a GPU.
    """

    device: str
    threads: int = 0
    instructions: str = ""

    def as_json(self) -> dict[str, Any]:
        """For checkpoints and manifests."""
        return asdict(self)

    def differences(self, before: Mapping[str, object]) -> list[str]:
        """How an earlier part of a computation ran on something else, one phrase each.

        >>> Arithmetic("cpu", 2, "AVX512").differences({"device": "cpu", "threads": 1, "instructions": "AVX2"})
        ['threads: 1 then, 2 now', 'instructions: AVX2 then, AVX512 now']
        """
        found = [(name, before.get(name), now) for name, now in self.as_json().items()]
        return [f"{name}: {then} then, {now} now" for name, then, now in found if then != now]


def arithmetic(device: torch.device | None = None) -> Arithmetic | None:
    """What torch computes with here; None where nothing has loaded it.

    Args:
        device: None = the GPU, if this process has used one.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    on_gpu = torch.cuda.is_initialized() if device is None else device.type == "cuda"
    if on_gpu:
        return Arithmetic(str(torch.cuda.get_device_name(device)))
    return Arithmetic("cpu", int(torch.get_num_threads()), _instructions(torch))


def _instructions(torch: Any) -> str:
    used = str(torch.backends.cpu.get_cpu_capability())
    offered: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    maker = str(offered.get("cpu_name", "")).partition(" ")[0]
    return " ".join(filter(None, [maker, used, *(name for name in CAPABILITIES if offered.get(name))]))
