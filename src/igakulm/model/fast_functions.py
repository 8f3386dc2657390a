"""Norm, gated activation, rotary positions and linear maps for bf16 training on a CPU, each forward and backward in few
passes over memory.

Does: compute in fp32 where the stock code does, return bf16, keep little for the backward pass. Does not: know models
(fast_layers.py puts these into them).

On processors with bf16 products (AMX) the products are a tenth of the time of the stock code: norms, casts between
types and activations are the rest. Every function agrees with the stock one to the rounding of bf16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

LOW = torch.bfloat16
TILE = 2**17
"""Elements that the activation walks over at once: its fp32 copies stay in the processor's cache."""
_GELU_1, _GELU_3 = 2 * math.sqrt(2 / math.pi), 2 * 0.044715 * math.sqrt(2 / math.pi)
"""gelu(x), tanh form (Hendrycks & Gimpel, 2016) = x sigmoid(_GELU_1 x + _GELU_3 x^3)."""


class RMSNorm(torch.autograd.Function):
    """x / rms(x) · w (Zhang & Sennrich, 2019), computed in fp32 and returned in bf16."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float, above: float) -> torch.Tensor:
        """`x` (…, d) fp32 or bf16; the factor is `above` + weight (d,): some models store w - 1."""
        wide, factor = x.float(), weight + above if above else weight
        scale = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, factor, scale)
        result: torch.Tensor = (wide * scale).mul_(factor).to(LOW)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, factor, scale = ctx.saved_tensors
        (upstream,), wide = gradients, x.float()
        weighed = upstream * factor
        along = (weighed * wide).sum(-1, keepdim=True).mul_(scale.pow(3)).div_(-x.shape[-1])
        to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = (upstream * wide).mul_(scale).view(-1, x.shape[-1]).sum(0)
        return weighed.mul_(scale).addcmul_(wide, along).to(x.dtype), to_weight, None, None


class Gated(torch.autograd.Function):
    """activation(gate) · up, kept as gate and up alone; "gelu" is its tanh form."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor, gelu: bool) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        ctx.gelu = gelu
        result = torch.empty_like(gate)
        for g, u, out in _tiles(gate, up, result):
            x = g.float()
            out.copy_(_sigmoid(x, gelu).mul_(x).mul_(u))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gate, up = ctx.saved_tensors
        to_gate, to_up = torch.empty_like(gate), torch.empty_like(up)
        for g, u, upstream, out, other in _tiles(gate, up, gradients[0].contiguous(), to_gate, to_up):
            x = g.float()
            share = _sigmoid(x, ctx.gelu)
            value = share * x
            other.copy_(value * upstream)
            # d(x s) = s + x s (1 - s) z'(x), with z' = 1, or c1 + 3 c3 x^2 for gelu
            slope = value.addcmul_(value, share, value=-1)
            if ctx.gelu:
                slope.mul_(x.square_().mul_(3 * _GELU_3).add_(_GELU_1))
            out.copy_(slope.add_(share).mul_(upstream).mul_(u))
        return to_gate, to_up, None


def _sigmoid(x: torch.Tensor, gelu: bool) -> torch.Tensor:
    """sigmoid(z): what x is multiplied by."""
    if not gelu:
        return x.sigmoid()
    return (x * x).mul_(_GELU_3).add_(_GELU_1).mul_(x).sigmoid_()


def _tiles(*tensors: torch.Tensor) -> zip[tuple[torch.Tensor, ...]]:
    """The tensors' rows, a cacheful at a time."""
    rows = max(1, TILE // tensors[0].shape[-1])
    return zip(*(torch.split(tensor.view(-1, tensor.shape[-1]), rows) for tensor in tensors), strict=True)


class Rotate(torch.autograd.Function):
    """Rotary positions (Su et al., 2021) on bf16 heads, computed in fp32."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """`x` (1, T, heads, D); `cos`, `sin` (T, D / 2) fp32."""
        ctx.save_for_backward(cos, sin)
        return _rotated(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return _rotated(gradients[0], cos, -sin), None, None


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    wide, cos, sin = x.float(), cos[:, None], sin[:, None]
    first, second = wide[..., :half], wide[..., half:]
    result = torch.empty(x.shape, dtype=x.dtype)
    result[..., :half] = (first * cos).addcmul_(second, sin, value=-1)
    result[..., half:] = (second * cos).addcmul_(first, sin)
    return result


class Linear(torch.autograd.Function):
    """x W^T + b with a bf16 copy of W that was made once a step.

    The weight's gradient is added to `weight.grad` (fp32) right here, which saves two passes over it: nothing may wait
    for it in a hook of autograd. A frozen weight gets none.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: nn.Parameter, copy: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        low = x.to(LOW)
        ctx.wide, ctx.weight, ctx.biased = x.dtype, weight, bias is not None
        ctx.save_for_backward(low if weight.requires_grad else None, copy)
        return torch.nn.functional.linear(low, copy, None if bias is None else bias.to(LOW))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        low, copy = ctx.saved_tensors
        upstream = gradients[0]
        flat = upstream.reshape(-1, upstream.shape[-1])
        if low is not None:
            add_gradient(ctx.weight, flat.T @ low.reshape(-1, low.shape[-1]))
        to_bias = flat.sum(0, dtype=torch.float32) if ctx.biased and ctx.needs_input_grad[3] else None
        to_x = (upstream @ copy).to(ctx.wide) if ctx.needs_input_grad[0] else None
        return to_x, None, None, to_bias


def add_gradient(weight: nn.Parameter, gradient: torch.Tensor) -> None:
    """Add a bf16 gradient to a weight's fp32 one."""
    if weight.grad is None:
        weight.grad = gradient.float()
    else:
        weight.grad.add_(gradient)


def call(function: type[torch.autograd.Function], *arguments: Any) -> torch.Tensor:
    """Apply one of these, typed."""
    applied: Callable[..., torch.Tensor] = function.apply
    return applied(*arguments)
