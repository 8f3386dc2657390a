"""Norm, gated activation, rotary positions and linear maps for bf16 training on a CPU, each forward and backward in few
passes over memory.

Does: compute in fp32 where the stock code does, return bf16, keep little for the backward pass. Does not: the
arithmetic itself (fast_kernels.py), or know models (fast_layers.py puts these into them).

On processors with bf16 products (AMX) the products are a tenth of the time of the stock code: norms, casts between
types and activations are the rest. Every function agrees with the stock one to the rounding of bf16.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from igakulm.model.autograd import Context
from igakulm.model.fast_kernels import LOW, PLAIN, Kernels


class _Kept(Context):
    """What the functions below keep for the backward pass."""

    kernels: Kernels
    gelu: bool
    wide: torch.dtype
    weight: nn.Parameter
    biased: bool


class RMSNorm(torch.autograd.Function):
    """x / rms(x) · w (Zhang & Sennrich, 2019), computed in fp32 and returned in bf16."""

    @staticmethod
    def forward(
        ctx: _Kept, x: torch.Tensor, weight: torch.Tensor, eps: float, above: float, kernels: Kernels = PLAIN
    ) -> torch.Tensor:
        """`x` (…, d) fp32 or bf16; the factor is `above` + weight (d,): some models store w - 1."""
        factor = weight + above if above else weight
        result, scale = kernels.norm(x, factor, eps)
        ctx.save_for_backward(x, factor, scale)
        ctx.kernels = kernels
        return result

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, factor, scale = ctx.saved_tensors
        to_x = ctx.kernels.norm_back(gradients[0], x, factor, scale)
        to_weight = ctx.kernels.norm_weight(gradients[0], x, scale) if ctx.needs_input_grad[1] else None
        return to_x, to_weight, None, None, None


class Gated(torch.autograd.Function):
    """activation(gate) · up, kept as gate and up alone; "gelu" is its tanh form."""

    @staticmethod
    def forward(ctx: _Kept, gate: torch.Tensor, up: torch.Tensor, gelu: bool, kernels: Kernels = PLAIN) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        ctx.gelu, ctx.kernels = gelu, kernels
        return kernels.gate(gate, up, gelu)

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gate, up = ctx.saved_tensors
        return *ctx.kernels.gate_back(gate, up, gradients[0].contiguous(), ctx.gelu), None, None


class Rotate(torch.autograd.Function):
    """Rotary positions (Su et al., 2021) on bf16 heads, computed in fp32."""

    @staticmethod
    def forward(
        ctx: _Kept, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, kernels: Kernels = PLAIN
    ) -> torch.Tensor:
        """`x` (1, T, heads, D); `cos`, `sin` (T, D / 2) fp32."""
        ctx.save_for_backward(cos, sin)
        ctx.kernels = kernels
        return kernels.rotate(x, cos, sin)

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return ctx.kernels.rotate(gradients[0], cos, -sin), None, None, None


class Linear(torch.autograd.Function):
    """x W^T + b with a bf16 copy of W that was made once a step.

    The weight's gradient is added to `weight.grad` (fp32) right here, which saves two passes over it: nothing may wait
    for it in a hook of autograd. A frozen weight gets none.
    """

    @staticmethod
    def forward(
        ctx: _Kept, x: torch.Tensor, weight: nn.Parameter, copy: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        low = x.to(LOW)
        ctx.wide, ctx.weight, ctx.biased = x.dtype, weight, bias is not None
        ctx.save_for_backward(low if weight.requires_grad else None, copy)
        return torch.nn.functional.linear(low, copy, None if bias is None else bias.to(LOW))

    @staticmethod
    def backward(ctx: _Kept, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        low, copy = ctx.saved_tensors
        upstream = gradients[0]
        flat = upstream.reshape(-1, upstream.shape[-1])
        if low is not None:
            # The product of a transposed view takes twice as long as transposing it first (oneDNN, AMX).
            add_gradient(ctx.weight, flat.T.contiguous() @ low.reshape(-1, low.shape[-1]))
        to_bias = flat.sum(0, dtype=torch.float32) if ctx.biased and ctx.needs_input_grad[3] else None
        to_x = (upstream @ copy).to(ctx.wide) if ctx.needs_input_grad[0] else None
        return to_x, None, None, to_bias


def add_gradient(weight: nn.Parameter, gradient: torch.Tensor) -> None:
    """Add a bf16 gradient to a weight's fp32 one."""
    if weight.grad is None:
        weight.grad = gradient.float()
    else:
        weight.grad.add_(gradient)


def call(function: type[torch.autograd.Function], *arguments: object) -> torch.Tensor:
    """Apply one of these, typed."""
    applied: Callable[..., torch.Tensor] = function.apply
    return applied(*arguments)
