"""GPUs that training is planned for: what their makers state, and how much of it training reaches.

Does: find a GPU by the name that its driver or a person gives it. Does not: look at this machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from igakulm.errors import InputError, did_you_mean

MEASURED = "measured by the paper"
ASSUMED = "assumed"
CORE_FLOPS = {"bf16": 80e9, "fp32": 40e9}
"""FLOP/s that training reaches on a core: measured with 10 M parameters on cores with AVX-512 bf16; fp32 assumed."""


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of GPU.

    `peak_flops`: dense bf16 FLOP/s with fp32 accumulation, without sparsity. `memory_gib`: as its maker counts GB.
    `watts`: board power. `utilisation`: the share of the peak that training reaches, and in `basis` who says so.
    """

    name: str
    peak_flops: float
    memory_gib: float
    watts: float
    utilisation: float = 0.35
    basis: str = ASSUMED


DEVICES = (
    # The paper's 50.3 B tokens in 14 days on 4 GPUs are 10.4 k tokens/s each: 22.7 % of 364 TFLOP/s (section 2.4.1).
    Device("RTX 6000 Ada", 364e12, 48, 300, 0.227, MEASURED),
    Device("RTX PRO 6000 Blackwell", 503e12, 96, 600),
    Device("RTX A6000", 154.8e12, 48, 300),
    Device("GeForce RTX 5090", 209.5e12, 32, 575),
    Device("GeForce RTX 4090", 165.2e12, 24, 450),
    Device("GeForce RTX 3090", 71e12, 24, 350),
    Device("A100 80GB", 312e12, 80, 400, 0.50),
    Device("A100 40GB", 312e12, 40, 400, 0.50),
    Device("H100", 989e12, 80, 700, 0.50),
    Device("H100 PCIe", 756e12, 80, 350, 0.50),
    Device("H100 NVL", 835e12, 94, 400, 0.50),
    Device("GH200", 989e12, 96, 900, 0.50),
    Device("H200", 989e12, 141, 700, 0.50),
    Device("H200 NVL", 835e12, 141, 600, 0.50),
    Device("B200", 2250e12, 180, 1000),
    Device("L40S", 362e12, 48, 350),
    Device("L40", 181e12, 48, 300),
    Device("L4", 121e12, 24, 72),
    Device("A40", 149.7e12, 48, 300),
    Device("A30", 165e12, 24, 165),
    Device("A10", 125e12, 24, 150),
)
_SPELLED_OTHERWISE = {"sxm4", "sxm5", "sxm", "hbm2", "hbm2e", "hbm3", "hbm3e", "nvidia", "generation", "gpu", "tesla"}
_ANOTHER_CHIP = {"laptop", "mobile", "mig", "d", "max", "super", "ti"}
"""Words that turn a known name into another GPU (`RTX 4090 Laptop GPU`, `RTX 5090 D`) or a slice of one."""
_VARIANTS = {"ada", "blackwell", "pcie", "nvl", "pro"}
"""Words that a device must have or lack as the name does; A100s are equally fast with and without."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Some GPUs of one kind."""

    device: Device
    count: int

    @property
    def name(self) -> str:
        """As it is written in a recipe.

        >>> parse_fleet("h100:8").name
        'H100:8'
        """
        return f"{self.device.name}:{self.count}"


def find_device(name: str) -> Device | None:
    """The device of a driver's or a person's name; of several that fit, the one with the most words in common.

    >>> names = "NVIDIA H100 80GB HBM3", "NVIDIA RTX 6000 Ada Generation", "NVIDIA A100-SXM4-40GB", "a100", "4090"
    >>> [device.name for device in map(find_device, names) if device]
    ['H100', 'RTX 6000 Ada', 'A100 40GB', 'A100 80GB', 'GeForce RTX 4090']
    >>> [find_device(name) for name in ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "GeForce RTX 4090 Laptop GPU", "Foo 100")]
    [None, None, None]
    """
    given = _words(name)
    if given & _ANOTHER_CHIP:
        return None
    found: list[tuple[int, Device]] = []
    for device in DEVICES:
        own = _words(device.name)
        numbers = {word for word in own if any(sign.isdigit() for sign in word) and not word.endswith("gb")}
        same_variant = own & _VARIANTS == given & _VARIANTS or "a100" in own
        if numbers and numbers <= given and same_variant:
            found.append((len(own & given), device))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower())) - _SPELLED_OTHERWISE


def peak_flops(device_name: str) -> float | None:
    """Dense bf16 FLOP/s of the GPU of that name; None for one that is not listed.

    >>> peak_flops("NVIDIA H100 PCIe"), peak_flops("AMD EPYC")
    (756000000000000.0, None)
    """
    device = find_device(device_name)
    return device.peak_flops if device else None


def parse_fleet(text: str) -> Fleet:
    """`NAME` or `NAME:COUNT`, such as `H100:4`.

    Raises:
        InputError: an unknown GPU, or a count that is no whole number of 1 or more.
    """
    name, colon, count = (part.strip() for part in text.partition(":"))
    device = find_device(name)
    if device is None:
        known = [device.name for device in DEVICES]
        near = did_you_mean(name, known)
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(known)}"
        raise InputError(f"there is no GPU {name!r} in the table", where="gpus", hint=hint)
    if colon and (not re.fullmatch(r"[0-9]{1,9}", count) or int(count) < 1):
        raise InputError(f"{count!r} is no number of GPUs", where=f"gpus: {text}", hint="write for example H100:4")
    return Fleet(device, int(count) if colon else 1)


def parse_fleets(texts: Sequence[str]) -> list[Fleet]:
    """Several of them, each once, in order."""
    return list(dict.fromkeys(map(parse_fleet, texts)))
