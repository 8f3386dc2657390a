"""Embedding and head in tuning on a CPU: gradients of both are made once a step, not once a micro-batch.

Does: look up, compute the losses and the gradient of the hidden states, remember what the weights' gradients need, and
make these in one walk over the vocabulary. Does not: know the layers (fast_layers.py), or average.

A vocabulary of 262,144 entries by 640 makes a gradient of 671 MB, and an answer has two or twenty tokens: filling,
adding and casting it for every micro-batch took half of the time. Only rows that occur get a gradient from the look-up;
the head's is one product over all targets of the step, whose logits are computed a second time for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from igakulm.model.autograd import Context
from igakulm.model.fast_functions import call
from igakulm.model.fast_kernels import LOW
from igakulm.model.fast_layers import LowCopies
from igakulm.model.init import embedding_of, head_of

BLOCK_LOGITS = 2**24
"""Logits alive at once in the walk (64 MiB in fp32)."""


@dataclass(frozen=True, slots=True)
class _Targets:
    """What the head's gradient needs of a micro-batch: states (P, d) bf16, targets (P,), log-sum-exp of logits (P,) and
    the factor of each target's loss (P,).
    """

    states: torch.Tensor
    targets: torch.Tensor
    normalisers: torch.Tensor
    factors: torch.Tensor


class FastEnds:
    """Embedding and head of a model, and what their gradients wait for until the end of a step."""

    def __init__(self, model: PreTrainedModel, copies: LowCopies) -> None:
        self.embedding, self.head = embedding_of(model).weight, head_of(model).weight
        self.copies = copies
        self.rows: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.pending: list[_Targets] = []
        self._gradients: dict[torch.Tensor, torch.Tensor] = {}

    def look_up(self, tokens: torch.Tensor) -> torch.Tensor:
        """(T, d) fp32 rows of the embedding."""
        if not self.embedding.requires_grad or not torch.is_grad_enabled():
            return self.embedding.detach()[tokens]
        # A leaf that needs a gradient only so that autograd comes by: the weight's own is made in `finish`.
        return call(_LookUp, self.embedding.detach()[tokens].requires_grad_(), tokens, self)

    def loss(self, states: torch.Tensor, targets: torch.Tensor, shares: torch.Tensor | None) -> torch.Tensor:
        """The summed loss, differentiable in `states` (P, d)."""
        return call(_HeadLoss, states, targets, shares, self)

    def finish(self) -> None:
        """Put the gradients of the step into the weights; call it after the last micro-batch, before clipping."""
        made = [weight for weight in dict.fromkeys((self.embedding, self.head)) if weight.requires_grad]
        for weight in made:
            gradient = self._gradients.setdefault(weight, torch.empty_like(weight))
            if weight is self.head and self.pending:
                self._walk(gradient)
            else:
                gradient.zero_()
            if weight is self.embedding:
                for tokens, rows in self.rows:
                    gradient.index_add_(0, tokens, rows)
            weight.grad = gradient
        self.rows, self.pending = [], []

    @torch.no_grad()
    def _walk(self, gradient: torch.Tensor) -> None:
        """Fill the head's gradient, block by block of the vocabulary: (softmax - one-hot)^T states."""
        states = torch.cat([part.states for part in self.pending])
        targets = torch.cat([part.targets for part in self.pending])
        factors = torch.cat([part.factors for part in self.pending])
        normalisers = torch.cat([part.normalisers for part in self.pending])
        low, rows = self.copies.of(self.head), max(256, BLOCK_LOGITS // len(targets))
        for first in range(0, len(low), rows):
            logits = (states @ low[first : first + rows].T).float().sub_(normalisers[:, None])
            weighed = logits.exp_().mul_(factors[:, None]).to(LOW)
            gradient[first : first + rows] = weighed.T @ states
        gradient.index_add_(0, targets, states.float().mul_(-factors[:, None]))


class _Kept(Context):
    """What the functions below keep for the backward pass."""

    tokens: torch.Tensor
    ends: FastEnds
    wide: torch.dtype


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Kept, rows: torch.Tensor, tokens: torch.Tensor, ends: FastEnds) -> torch.Tensor:
        ctx.tokens, ctx.ends = tokens, ends
        return rows.clone()

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[None, None, None]:
        ctx.ends.rows.append((ctx.tokens, gradients[0].float()))
        return None, None, None


class _HeadLoss(torch.autograd.Function):
    """The loss and the gradient of the states, which is made on the way, as in loss.py."""

    @staticmethod
    def forward(
        ctx: _Kept, states: torch.Tensor, targets: torch.Tensor, shares: torch.Tensor | None, ends: FastEnds
    ) -> torch.Tensor:
        low, head = states.to(LOW), ends.copies.of(ends.head)
        to_states, losses = torch.empty_like(low), torch.empty(len(targets))
        normalisers = torch.empty(len(targets))
        for first in range(0, len(targets), size := max(16, BLOCK_LOGITS // len(head))):
            part = slice(first, first + size)
            logits = low[part] @ head.T
            normalisers[part] = torch.logsumexp(logits.float(), -1)
            chosen = targets[part, None]
            losses[part] = normalisers[part] - logits.gather(1, chosen)[:, 0].float()
            weighed = logits.float().sub_(normalisers[part, None]).exp_()
            weighed.scatter_add_(1, chosen, weighed.new_full((len(chosen), 1), -1.0))
            if shares is not None:
                weighed.mul_(shares[part, None])
            torch.mm(weighed.to(LOW), head, out=to_states[part])
        ctx.save_for_backward(low, to_states, targets, normalisers, shares)
        ctx.ends, ctx.wide = ends, states.dtype
        return losses.sum() if shares is None else losses.dot(shares)

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        low, to_states, targets, normalisers, shares = ctx.saved_tensors
        factor = gradients[0]
        if ctx.ends.head.requires_grad:
            factors = factor.expand(len(targets)) if shares is None else shares * factor
            ctx.ends.pending.append(_Targets(low, targets, normalisers, factors))
        return to_states.to(ctx.wide) * factor, None, None, None
