"""What norm, gated activation and rotary positions compute, on tensors alone: in plain torch, or compiled.

Does: the arithmetic in fp32 on bf16 tensors, forward and backward, in two forms of one result. Does not: keep anything
for a backward pass (fast_functions.py), or know models.

In plain torch every operation is a pass over memory of its own, though a tile of it stays in the processor's cache.
Compiled, each of these is one pass; that needs a C++ compiler and a minute when it is first called.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch

LOW = torch.bfloat16
TILE = 2**17
"""Elements that the activation walks over at once: its fp32 copies stay in the processor's cache."""
_GELU_1, _GELU_3 = 2 * math.sqrt(2 / math.pi), 2 * 0.044715 * math.sqrt(2 / math.pi)
"""gelu(x), tanh form (Hendrycks & Gimpel, 2016) = x sigmoid(_GELU_1 x + _GELU_3 x^3)."""
Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Kernels:
    """One form of all.

    norm: (x, factor, eps) -> bf16 result and fp32 scale 1 / rms; norm_back: (upstream, x, factor, scale) -> gradient of
    x; norm_weight: (upstream, x, scale) -> gradient of the factor, (d,) fp32.
    gate: (gate, up, gelu) -> bf16; gate_back: (gate, up, upstream, gelu) -> gradients of both.
    rotate: (x (1, T, heads, D), cos, sin (T, D / 2)) -> like x.
    """

    norm: Callable[[torch.Tensor, torch.Tensor, float], Pair]
    norm_back: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    norm_weight: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    gate: Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]
    gate_back: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, bool], Pair]
    rotate: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def _norm(x: torch.Tensor, factor: torch.Tensor, eps: float) -> Pair:
    wide = x.float()
    scale = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return (wide * scale).mul_(factor).to(LOW), scale


def _norm_back(upstream: torch.Tensor, x: torch.Tensor, factor: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    weighed = upstream * factor
    along = (weighed * wide).sum(-1, keepdim=True).mul_(scale.pow(3)).div_(-x.shape[-1])
    return weighed.mul_(scale).addcmul_(wide, along).to(x.dtype)


def _norm_weight(upstream: torch.Tensor, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (upstream * x.float()).mul_(scale).view(-1, x.shape[-1]).sum(0)


def _gate(gate: torch.Tensor, up: torch.Tensor, gelu: bool) -> torch.Tensor:
    result = torch.empty_like(gate)
    for g, u, out in _tiles(gate, up, result):
        x = g.float()
        out.copy_(_sigmoid(x, gelu).mul_(x).mul_(u))
    return result


def _gate_back(gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, gelu: bool) -> Pair:
    to_gate, to_up = torch.empty_like(gate), torch.empty_like(up)
    for g, u, above, out, other in _tiles(gate, up, upstream, to_gate, to_up):
        x = g.float()
        share = _sigmoid(x, gelu)
        value = share * x
        other.copy_(value * above)
        # d(x s) = s + x s (1 - s) z'(x), with z' = 1, or c1 + 3 c3 x^2 for gelu
        slope = value.addcmul_(value, share, value=-1)
        if gelu:
            slope.mul_(x.square_().mul_(3 * _GELU_3).add_(_GELU_1))
        out.copy_(slope.add_(share).mul_(above).mul_(u))
    return to_gate, to_up


def _sigmoid(x: torch.Tensor, gelu: bool) -> torch.Tensor:
    """sigmoid(z): what x is multiplied by."""
    if not gelu:
        return x.sigmoid()
    return (x * x).mul_(_GELU_3).add_(_GELU_1).mul_(x).sigmoid_()


def _tiles(*tensors: torch.Tensor) -> zip[tuple[torch.Tensor, ...]]:
    """The tensors' rows, a cacheful at a time."""
    rows = max(1, TILE // tensors[0].shape[-1])
    return zip(*(torch.split(tensor.view(-1, tensor.shape[-1]), rows) for tensor in tensors), strict=True)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    wide, cos, sin = x.float(), cos[:, None], sin[:, None]
    first, second = wide[..., :half], wide[..., half:]
    result = torch.empty(x.shape, dtype=x.dtype)
    result[..., :half] = (first * cos).addcmul_(second, sin, value=-1)
    result[..., half:] = (second * cos).addcmul_(first, sin)
    return result


PLAIN = Kernels(_norm, _norm_back, _norm_weight, _gate, _gate_back, _rotate)


def _norm_once(x: torch.Tensor, factor: torch.Tensor, eps: float) -> Pair:
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return (wide * scale * factor).to(LOW), scale


def _norm_back_once(upstream: torch.Tensor, x: torch.Tensor, factor: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    wide, weighed = x.float(), upstream.float() * factor
    along = (weighed * wide).sum(-1, keepdim=True) * (scale * scale * scale) / -x.shape[-1]
    return (weighed * scale + wide * along).to(x.dtype)


def _norm_weight_once(upstream: torch.Tensor, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (upstream.float() * x.float() * scale).view(-1, x.shape[-1]).sum(0)


def _gate_once(gate: torch.Tensor, up: torch.Tensor, gelu: bool) -> torch.Tensor:
    x = gate.float()
    return (x * _share(x, gelu) * up.float()).to(LOW)


def _gate_back_once(gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, gelu: bool) -> Pair:
    x, above = gate.float(), upstream.float()
    share = _share(x, gelu)
    value = x * share
    slope = value - value * share
    if gelu:
        slope = slope * (x * x * (3 * _GELU_3) + _GELU_1)
    return ((slope + share) * above * up.float()).to(LOW), (value * above).to(LOW)


def _share(x: torch.Tensor, gelu: bool) -> torch.Tensor:
    return torch.sigmoid((x * x * _GELU_3 + _GELU_1) * x if gelu else x)


def _rotate_once(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    first, second, cos, sin = x[..., :half].float(), x[..., half:].float(), cos[:, None], sin[:, None]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)


@lru_cache(maxsize=1)
def compiled_kernels() -> Kernels:
    """Each as one compiled pass, for tensors of any number of tokens.

    All are handed tensors that need no gradient, norms as matrices: else training and validation, and every rank, would
    be compiled apart. Beyond torch's limit of such variants a kernel runs uncompiled.
    """
    one: Any = partial(torch.compile, dynamic=True)
    forward, backward, weight = one(_norm_once), one(_norm_back_once), one(_norm_weight_once)

    def norm(x: torch.Tensor, factor: torch.Tensor, eps: float) -> Pair:
        result, scale = forward(_matrix(x), factor.detach(), eps)
        return result.view(x.shape), scale.view(*x.shape[:-1], 1)

    def norm_back(upstream: torch.Tensor, x: torch.Tensor, factor: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = backward(_matrix(upstream), _matrix(x), factor.detach(), _matrix(scale))
        return result.view(x.shape)

    def norm_weight(upstream: torch.Tensor, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = weight(_matrix(upstream), _matrix(x), _matrix(scale))
        return result

    gated, gated_back, rotated = one(_gate_once), one(_gate_back_once), one(_rotate_once)

    def gate(gate: torch.Tensor, up: torch.Tensor, gelu: bool) -> torch.Tensor:
        result: torch.Tensor = gated(gate.detach(), up.detach(), gelu)
        return result

    def gate_back(gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, gelu: bool) -> Pair:
        to_gate, to_up = gated_back(gate.detach(), up.detach(), upstream.detach(), gelu)
        return to_gate, to_up

    def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = rotated(x.detach(), cos.detach(), sin.detach())
        return result

    return Kernels(norm, norm_back, norm_weight, gate, gate_back, rotate)


def _matrix(x: torch.Tensor) -> torch.Tensor:
    return x.detach().reshape(-1, x.shape[-1])
