"""One model over several processes: what differs between one process, DDP, ZeRO-2 and full sharding.

Does: differentiate a micro-batch, clip, update, and take whole weights and moments out of the shards and put them back.
Does not: choose batches (loop.py), start processes (world.py) or write files (checkpoint.py).

Every strategy does the arithmetic of one process: the loss of a micro-batch is divided by what the rows of the whole
global batch count, and all of them average over processes, so it is multiplied by their number first. Weights are
gathered in fp32, because the rest of the model (autocast, fused loss) reads fp32 weights whatever the strategy.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from igakulm.model.batch import Batch
from igakulm.model.objective import Objective
from igakulm.recipe.schema import TrainSection
from igakulm.training.optimizer import build_optimizer
from igakulm.training.world import World

MOMENTS = ("exp_avg", "exp_avg_sq")
Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Whole fp32 tensors on the CPU: trained weights by name, Adam's moments as `exp_avg.NAME`, `exp_avg_sq.NAME`."""

    weights: Tensors
    moments: Tensors


class Strategy:
    """One process; the base of the others."""

    def __init__(self, objective: Objective, section: TrainSection, world: World) -> None:
        self.objective, self.section, self.world = objective, section, world
        self.forward: Callable[[Batch], torch.Tensor] = objective
        self.spread()
        # What is frozen comes from the base again: it is in no checkpoint.
        self.weights = {name: weight for name, weight in objective.model.named_parameters() if weight.requires_grad}
        self.trained = list(self.weights.values())
        # One process on a CPU writes its weights as they stand and waits: a copy would be the peak of its memory.
        self.copies = world.size > 1 or world.device().type != "cpu"
        self.optimizer: Any = build_optimizer(objective.model, section)

    def spread(self) -> None:
        """Cut or wrap the model, before the optimizer is made."""

    def differentiate(self, batch: Batch, amount: float, *, last: bool) -> torch.Tensor:
        """Add a micro-batch's gradients; `last` of this step, `amount` that all rows of the step count.

        Returns:
            fp32 scalar: this micro-batch's part of the step's mean loss.
        """
        with self.before(last=last):
            loss = self.forward(batch) / amount
            self.backward(loss if self.world.size == 1 else loss * self.world.size)
        return loss.detach()

    @contextmanager
    def before(self, *, last: bool) -> Iterator[None]:
        """Set what a micro-batch needs: usually whether gradients are exchanged."""
        yield

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of a loss."""
        loss.backward()  # type: ignore[no-untyped-call]

    def clip(self) -> float:
        """Clip the gradients of the whole batch; their norm before."""
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.section.clip)
        return float(_whole(norm))

    def update(self, learning_rate: float) -> None:
        """One step of the optimizer; gradients are forgotten."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.objective.weights_changed()

    def rest(self) -> None:
        """After a pass without gradients: give back memory that only such a pass holds."""

    def snapshot(self) -> Snapshot | None:
        """What a checkpoint holds, in the leading process (every process takes part); see `copies`."""
        weights = self.whole_weights()
        moments = {
            f"{moment}.{name}": self._copy(tensor)
            for moment in MOMENTS
            for name, weight in sorted(self.weights.items())
            if (tensor := self.moment(weight, moment)) is not None
        }
        return Snapshot(weights, moments) if self.world.leads else None

    def whole_weights(self) -> dict[str, torch.Tensor]:
        """The trained weights alone, as in a snapshot."""
        return {name: self._copy(weight) for name, weight in sorted(self.weights.items())}

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        whole = _whole(tensor.detach())
        if not self.world.leads:
            return whole.new_empty(0)
        return whole.to("cpu", copy=self.copies).contiguous()

    def moment(self, weight: nn.Parameter, name: str) -> torch.Tensor | None:
        """One of Adam's moments of a weight; None before the first step."""
        state = self.optimizer.state.get(weight)
        return state[name] if state else None

    @torch.no_grad()
    def load(self, saved: Snapshot, step: int) -> None:
        """Put a snapshot back, taken after `step` updates by any strategy in any number of processes."""
        for name, weight in self.weights.items():
            weight.copy_(_like(saved.weights[name], weight))
            moments = {moment: saved.moments.get(f"{moment}.{name}") for moment in MOMENTS}
            if all(tensor is not None for tensor in moments.values()):
                self.load_moments(weight, {key: tensor for key, tensor in moments.items() if tensor is not None}, step)
        self.objective.weights_changed()

    @torch.no_grad()
    def load_weights(self, saved: Tensors) -> None:
        """Put trained weights back when no step follows."""
        for name, weight in self.weights.items():
            weight.copy_(_like(saved[name], weight))

    def load_moments(self, weight: nn.Parameter, moments: Tensors, step: int) -> None:
        """Put back Adam's moments of one weight."""
        self.optimizer.state[weight] = {
            "step": torch.tensor(float(step), device=weight.device),
            **{name: _like(tensor, weight) for name, tensor in moments.items()},
        }

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The model can be called from outside the objective (samples), by all processes alike."""
        with torch.no_grad():
            yield
        self.rest()

    def release(self) -> None:
        """Let go of what holds the process group; no step follows."""

    def finish(self) -> None:
        """The model holds plain whole weights from here on."""
        self.release()


class DataParallel(Strategy):
    """DDP: whole weights, gradients and moments everywhere; gradients are averaged with the last micro-batch."""

    def spread(self) -> None:
        from torch.nn.parallel import DistributedDataParallel

        self._wrapped = DistributedDataParallel(self.objective, gradient_as_bucket_view=True)
        self.forward = self._wrapped

    @contextmanager
    def before(self, *, last: bool) -> Iterator[None]:
        with nullcontext() if last else self._wrapped.no_sync():
            yield

    def release(self) -> None:
        # The last holder of the process group waits for gloo's threads. DDP would do so holding Python's lock, for
        # which those threads may wait themselves: it lets go while the group still has its own holder.
        self.forward = self.objective
        del self._wrapped
        gc.collect()


class Sharded(Strategy):
    """FSDP2. `zero2`: gradients and moments are cut, weights stay whole during a step. `fsdp`: weights are cut too."""

    def spread(self) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        self._keeps_weights = self.section.parallel == "zero2"
        mesh = init_device_mesh(self.world.device().type, (self.world.size,))
        layers: list[nn.Module] = list(self.objective.model.model.layers)
        for module in (*layers, self.objective):
            fully_shard(module, mesh=mesh, reshard_after_forward=not self._keeps_weights)
        self._shards = [module for module in self.objective.modules() if isinstance(module, FSDPModule)]

    @contextmanager
    def before(self, *, last: bool) -> Iterator[None]:
        if self._keeps_weights:
            for shard in self._shards:
                shard.set_reshard_after_backward(last, recurse=False)
        yield

    def rest(self) -> None:
        for shard in self._shards:
            shard.reshard()

    @contextmanager
    def whole(self) -> Iterator[None]:
        for shard in self._shards:
            shard.unshard()
        with super().whole():
            yield

    def finish(self) -> None:
        for shard in self._shards:
            shard.unshard()


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor put together from its shards (every process takes part); others as they are."""
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _like(whole: torch.Tensor, model: torch.Tensor) -> torch.Tensor:
    """A whole tensor on the device of another one, cut as that one is; every process has the whole, none sends."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    moved = whole.to(model.device)
    if not isinstance(model, DTensor):
        return moved
    return distribute_tensor(moved, model.device_mesh, model.placements, src_data_rank=None)
