"""ZeRO-2 by DeepSpeed (extra `deepspeed`), behind the same interface as torch's own strategies.

Does: hand gradients, clipping and updates to a DeepSpeed engine; read and write its partitioned moments.
Does not: use its checkpoints, schedules, data loaders or mixed precision: those are ours, so that a checkpoint goes on
with any strategy and every strategy computes the same.

Why it stays beside `zero2`, which does the same and is the one to take: the paper trained with DeepSpeed's ZeRO-2, and
these lines let its setting be run as it was; and it is the only other implementation that ours is tested against
(tests/training/test_parallel.py: the same losses).
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from igakulm.errors import InputError
from igakulm.training.parallel import MOMENTS, Snapshot, Strategy, Tensors


class DeepSpeed(Strategy):
    """Gradients and moments are cut over the processes, weights are whole everywhere."""

    def __init__(self, *arguments: Any) -> None:
        if importlib.util.find_spec("deepspeed") is None:
            raise InputError(
                "DeepSpeed is not installed", where="parallel: deepspeed", hint="pip install 'igakulm[deepspeed]'"
            )
        super().__init__(*arguments)
        plain = self.optimizer
        with _quiet():
            import deepspeed

            self._engine, self.optimizer, *_ = deepspeed.initialize(
                model=self.objective, optimizer=plain, config=self._settings(), dist_init_required=False
            )
            import deepspeed.utils as fragments

        self._fragments = fragments
        self._plain = plain
        self.forward = self._engine
        self._stepped = False

    def _settings(self) -> dict[str, Any]:
        return {
            "train_micro_batch_size_per_gpu": 1,  # the loop counts micro-batches by itself
            "gradient_accumulation_steps": 1,
            "gradient_clipping": self.section.clip,
            "zero_optimization": {"stage": 2, "overlap_comm": self.world.device().type == "cuda"},
            "zero_allow_untested_optimizer": True,
            "steps_per_print": 2**31,
        }

    @contextmanager
    def before(self, *, last: bool) -> Iterator[None]:
        self._engine.set_gradient_accumulation_boundary(last)
        yield

    def backward(self, loss: torch.Tensor) -> None:
        self._engine.backward(loss, scale_wrt_gas=False)

    def clip(self) -> float:
        """The norm; the engine clips by itself when it updates."""
        norm = float(self.optimizer.scaled_global_norm())
        return norm if norm >= 0 else math.nan  # the engine's sign for a norm that is not finite

    def update(self, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self._engine.step()
        if not self._stepped:
            self._link_moments()

    def moment(self, weight: nn.Parameter, name: str) -> torch.Tensor | None:
        if not self._stepped or not weight.requires_grad:
            return None
        tensor: torch.Tensor = self._fragments.safe_get_full_optimizer_state(weight, name)
        return tensor

    @torch.no_grad()
    def load(self, saved: Snapshot, step: int) -> None:
        for part in self.optimizer.single_partition_of_fp32_groups:
            self._plain.state[part] = {
                "step": torch.tensor(float(step), device=part.device),
                **{moment: torch.zeros_like(part) for moment in MOMENTS},
            }
        self._link_moments()
        super().load(saved, step)
        for name, weight in self.weights.items():
            self._fragments.safe_set_full_fp32_param(weight, saved.weights[name].to(weight.device))

    def load_moments(self, weight: nn.Parameter, moments: Tensors, step: int) -> None:
        for name, tensor in moments.items():
            self._fragments.safe_set_full_optimizer_state(weight, tensor.to(weight.device), name)

    def _link_moments(self) -> None:
        """Let the engine find the moments: by itself it looks after the first step of the first group only."""
        self.optimizer._hp_optimizer_states_linked = False
        self.optimizer._lazy_init_hp_params_optimizer_state()
        self._stepped = True


@contextmanager
def _quiet() -> Iterator[None]:
    """DeepSpeed writes to standard output when it is imported and when it begins; results go there, so it may not."""
    os.environ.setdefault("DEEPSPEED_LOG_LEVEL", "error")
    with contextlib.redirect_stdout(sys.stderr):
        yield
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
