"""Are the kernels of a device right? Attention, loss, training and resume, each against an exact or CPU reference.

Run through `train_gpu.py --check [--device cuda]`; prints a line a check and says whether all passed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from training_sides import Clock, Setting, ours_step

LENGTHS = (200, 31, 1, 300, 64, 129, 2, 513)
TINY = Setting(side="ours-step", shape="toy", documents=16, micro_batch=4, accumulate=2, steps=20, warmup=0)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Relative difference in norm, in double precision on the CPU; infinite where anything is not finite."""
    one, other = one.detach().double().cpu(), other.detach().double().cpu()
    found = float((one - other).norm() / other.norm())
    return found if found == found else float("inf")


def dense(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The textbook formula with a block mask, in the type of its inputs."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    document = torch.repeat_interleave(torch.arange(len(lengths)), lengths).to(q.device)
    place = torch.arange(len(document), device=q.device)
    allowed = (document[:, None] == document) & (place[:, None] >= place)
    scores = (q @ k.transpose(2, 3) * q.shape[-1] ** -0.5).masked_fill(~allowed, -torch.inf)
    attended: torch.Tensor = (scores.softmax(-1) @ v).transpose(1, 2)
    return attended


def attention(device: torch.device) -> Iterator[tuple[str, float, float]]:
    """Values and gradients of the backend and of the plain calls, shared heads and not, against double precision."""
    from igakulm.model.attention import attend_documents, document_arguments

    lengths = torch.tensor(LENGTHS)
    given = document_arguments(lengths, device)
    borders, longest = given.get("document_borders"), given.get("longest_document", 0)
    kernel = "varlen" if borders is not None else "no varlen here"
    generator = torch.Generator().manual_seed(0)
    for dtype, bound in ((torch.bfloat16, 0.02), (torch.float32, 1e-4)):
        for heads, shared, size in ((8, 2, 64), (4, 4, 64), (6, 2, 128)):
            shapes = [(1, number, int(lengths.sum()), size) for number in (heads, shared, shared)]
            low = [torch.randn(shape, generator=generator).to(device, dtype).requires_grad_() for shape in shapes]
            exact = [tensor.detach().double().requires_grad_() for tensor in low]
            upstream = torch.randn((1, shapes[0][2], heads, size), generator=generator).to(device)
            wanted = dense(exact[0], exact[1], exact[2], lengths)
            gradients = torch.autograd.grad(wanted, exact, upstream.double())
            for name, extra in ((kernel, (borders, longest)), ("one by one", ())):
                found = attend_documents(*low, lengths, size**-0.5, *extra)
                ours = torch.autograd.grad(found, low, upstream.to(dtype))
                worst = max(distance(a, b) for a, b in zip((found, *ours), (wanted, *gradients), strict=True))
                yield f"attention {dtype} {heads}/{shared} heads of {size}, {name}", worst, bound


def loss(device: torch.device) -> Iterator[tuple[str, float, float]]:
    """Value and gradients, eager and compiled, against double precision on the CPU."""
    from igakulm.model.loss import linear_cross_entropy

    generator = torch.Generator().manual_seed(0)
    hidden, head = torch.randn(5000, 64, generator=generator), 0.2 * torch.randn(32_771, 64, generator=generator)
    targets = torch.randint(0, 32_771, (5000,), generator=generator)
    exact = [hidden.double().requires_grad_(), head.double().requires_grad_()]
    wanted = F.cross_entropy(exact[0] @ exact[1].T, targets, reduction="sum")
    gradients = torch.autograd.grad(wanted, exact)
    for dtype, bound in ((torch.float32, 1e-4), (torch.bfloat16, 0.02)):
        for compiled in (False, True):
            given = [hidden.to(device).requires_grad_(), head.to(device).requires_grad_()]
            found = linear_cross_entropy(given[0], given[1], targets.to(device), dtype, compiled=compiled)
            ours = torch.autograd.grad(found, given)
            worst = max(distance(a, b) for a, b in zip((found, *ours), (wanted, *gradients), strict=True))
            yield f"loss {dtype}{', compiled' if compiled else ''}", worst, bound


def losses(setting: Setting) -> torch.Tensor:
    clock = Clock(setting)
    ours_step(setting, clock)
    return torch.tensor(clock.losses)


def training(device: torch.device) -> Iterator[tuple[str, float, float]]:
    """Twenty steps of a tiny model: this device in fp32 and bf16, eager and compiled, against fp32 on the CPU."""
    import training_sides

    drawn = training_sides.fill

    def on_cpu(model: torch.nn.Module, *others: Any) -> None:  # a GPU draws other numbers than a CPU
        place = next(model.parameters()).device
        drawn(model.cpu(), *others)
        model.to(place)

    training_sides.fill = on_cpu
    try:
        reference = losses(TINY)
        for precision, bound in (("fp32", 1e-3), ("bf16", 2e-2)):
            for compiled in (False, True):
                setting = replace(TINY, device=str(device), precision=precision, compile=compiled)
                name = f"training {precision}{', compiled' if compiled else ''}, 20 losses"
                yield name, distance(losses(setting), reference), bound
    finally:
        training_sides.fill = drawn


def resume(device: torch.device) -> Iterator[tuple[str, float, float]]:
    """The loop stopped after step 6 of 12 and started again, against the loop left alone."""
    from training_sides import our_objective, our_rows

    from igakulm.progress import SilentProgress
    from igakulm.recipe.schema import TrainSection
    from igakulm.training.loop import Job, train

    rows = our_rows(replace(TINY, steps=12))

    class Drawn:
        fingerprint = "check"
        left = 10**9

        def __len__(self) -> int:
            return len(rows)

        def row(self, index: int) -> Any:
            Drawn.left -= 1
            if Drawn.left < 0:
                raise KeyboardInterrupt
            return rows[index]

        def names(self, index: int) -> list[str]:
            return [str(index)]

    def trained(folder: Path, stop_after: int | None) -> torch.Tensor:
        keys = {"steps": 12, "global_batch": 8, "micro_batch": 4, "warmup_steps": 2, "checkpoint_every": 6, "seed": 1}
        section = TrainSection(**keys, precision="bf16", validate_every=100)  # type: ignore[arg-type]
        torch.manual_seed(0)
        job = Job("check", our_objective(replace(TINY, precision="bf16")), Drawn(), section, 256, folder, {})
        Drawn.left = stop_after * 8 if stop_after else 10**9
        try:
            train(job, SilentProgress())
        except KeyboardInterrupt:
            return torch.zeros(0)
        return torch.cat([weight.detach().flatten().cpu() for weight in job.objective.model.parameters()])

    with tempfile.TemporaryDirectory() as folder:
        whole = trained(Path(folder) / "whole", None)
        assert not len(trained(Path(folder) / "cut", 8))
        again = trained(Path(folder) / "cut", None)
        # A GPU adds gradients of attention and embedding in no fixed order; a CPU must be exact.
        yield "resume after step 6 of 12, final weights", distance(again, whole), 1e-2 if device.type == "cuda" else 0.0


Check = Callable[[torch.device], Iterator[tuple[str, float, float]]]
CHECKS: tuple[Check, ...] = (attention, loss, training, resume)


def check(device: torch.device) -> bool:
    """Run all checks; a check whose packages are missing is named and does not count as passed."""
    good = True
    for one in CHECKS:
        try:
            for name, apart, bound in one(device):
                passed = apart <= bound
                good = good and passed
                print(f"{'ok  ' if passed else 'WRONG'} {name}: {apart:.1e} apart, {bound:g} allowed", flush=True)
        except ImportError as error:
            print(f"skipped {one.__name__}: a package is missing ({error})", flush=True)
    print("all checks passed" if good else "SOME CHECKS FAILED", flush=True)
    return good
