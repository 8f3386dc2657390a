"""Cross entropy fused with the output head: the tokens x vocabulary logits never exist at once.

Does: sum the fp32 loss over the positions that have a target, chunk by chunk, with gradients made on the way.
Does not: average (the loop divides by what the rows of the whole global batch count).

`F.linear_cross_entropy` of torch 2.13 is not used: it returns a bf16 loss under bf16 products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import torch
import torch.nn.functional as F

from igakulm.model.autograd import Context

CHUNK_LOGITS = 16 * 2**20
"""Logits alive at once in the matrix products on a CPU (64 MiB in fp32): enough rows to keep the products efficient."""
GPU_CHUNK_LOGITS = 128 * 2**20
"""The same on a GPU (256 MiB in bf16): each chunk reads and writes the head's fp32 gradient, so chunks must be few."""
TILE_LOGITS = 2**20
"""Logits that the softmax walks over at once on a CPU (4 MiB): they stay in its cache."""


def linear_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    dtype: torch.dtype,
    shares: torch.Tensor | None = None,
    *,
    compiled: bool = False,
) -> torch.Tensor:
    """Sum over positions of -log softmax(hidden @ weight.T)[target], each times its share.

    Args:
        hidden: (positions, d), only positions that have a target.
        weight: (V, d) head.
        targets: (positions,) int64 in [0, V).
        dtype: of the matrix products (bf16 or fp32); the loss itself is always fp32.
        shares: (positions,) fp32; None = 1 each.
        compiled: let `torch.compile` fuse the softmax on a GPU (two passes over the logits in place of six). On a CPU
            it changes nothing: there the softmax walks in tiles that stay in the cache.

    Returns:
        fp32 scalar, differentiable in `hidden` and `weight` (once: the gradients are made during the forward pass; no
        gradient of a frozen weight is made).
    """
    if not torch.is_grad_enabled():
        losses = target_losses(hidden, weight, targets, dtype, compiled=compiled)
        return losses.sum() if shares is None else losses.dot(shares)
    loss: torch.Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        hidden, weight, targets, dtype, shares, compiled
    )
    return loss


@torch.no_grad()
def target_losses(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, dtype: torch.dtype, *, compiled: bool = False
) -> torch.Tensor:
    """(positions,) fp32: the loss at every position; arguments as of `linear_cross_entropy`."""
    return _chunks(hidden.to(dtype), weight.to(dtype), targets, None, None, None, compiled)


class _Kept(Context):
    """What the functions below keep for the backward pass."""

    dtypes: tuple[torch.dtype, torch.dtype]


class _LinearCrossEntropy(torch.autograd.Function):
    """Forward makes both gradients, so that logits are computed once and dropped chunk by chunk."""

    @staticmethod
    def forward(
        ctx: _Kept,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        dtype: torch.dtype,
        shares: torch.Tensor | None,
        compiled: bool,
    ) -> torch.Tensor:
        states, head = hidden.to(dtype), weight.to(dtype)
        to_hidden = torch.empty_like(states)
        to_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        losses = _chunks(states, head, targets, shares, to_hidden, to_weight, compiled)
        ctx.save_for_backward(to_hidden, to_weight)
        ctx.dtypes = hidden.dtype, weight.dtype
        return losses.sum() if shares is None else losses.dot(shares)

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        to_hidden, to_weight = ctx.saved_tensors
        hidden_type, weight_type = ctx.dtypes
        factor = gradients[0]
        head = None if to_weight is None else to_weight.to(weight_type).mul_(factor)
        return to_hidden.to(hidden_type) * factor, head, None, None, None, None


def _chunks(
    states: torch.Tensor,
    head: torch.Tensor,
    targets: torch.Tensor,
    shares: torch.Tensor | None,
    to_hidden: torch.Tensor | None,
    to_weight: torch.Tensor | None,
    compiled: bool,
) -> torch.Tensor:
    """Losses at all positions; fills the gradients (times the shares) where given."""
    losses = torch.zeros(len(targets), dtype=torch.float32, device=states.device)
    device = states.device.type
    size = max(16, (CHUNK_LOGITS if device == "cpu" else GPU_CHUNK_LOGITS) // head.shape[0])
    softmax = _softmax_in_place if device == "cpu" or not compiled else _compiled_softmax()
    with torch.no_grad(), torch.autocast(device, enabled=False):
        for start in range(0, len(targets), size):
            part = slice(start, start + size)
            logits = states[part] @ head.T
            losses[part] = softmax(logits, targets[part], to_hidden is not None)
            if to_hidden is None:
                continue
            if shares is not None:
                logits.mul_(shares[part, None])
            torch.mm(logits, head, out=to_hidden[part])
            if to_weight is not None:
                to_weight += logits.T @ states[part]
    return losses


def _softmax_in_place(logits: torch.Tensor, targets: torch.Tensor, make_gradient: bool) -> torch.Tensor:
    """Losses of one chunk; `logits` become the gradient (softmax minus one-hot) where asked."""
    rows = max(1, TILE_LOGITS // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    losses = []
    for tile, target in zip(torch.split(logits, rows), torch.split(targets, rows), strict=True):
        scores = F.log_softmax(tile, dim=-1, dtype=torch.float32)
        losses.append(F.nll_loss(scores, target, reduction="none"))
        if make_gradient:
            tile.copy_(scores.exp_().scatter_add_(1, target[:, None], scores.new_full((len(target), 1), -1.0)))
    return torch.cat(losses)


def _softmax_to_fuse(logits: torch.Tensor, targets: torch.Tensor, make_gradient: bool) -> torch.Tensor:
    """The same without a scatter, so that a compiler makes one kernel of it that holds nothing in fp32."""
    scores = logits.float()
    normaliser = scores.logsumexp(-1, keepdim=True)
    losses = (normaliser - scores.gather(1, targets[:, None]))[:, 0]
    if make_gradient:
        chosen = torch.arange(logits.shape[1], device=logits.device) == targets[:, None]
        logits.copy_((scores - normaliser).exp() - chosen.float())
    return losses


@lru_cache(maxsize=1)
def _compiled_softmax() -> Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]:
    compiled = torch.compile(_softmax_to_fuse, dynamic=True)
    return cast("Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]", compiled)
