"""The kernels' two forms: what is compiled computes what plain torch does, to the rounding of bf16."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from igakulm.model import fast_kernels
from igakulm.model.fast_kernels import PLAIN, Kernels, compiled_kernels

ONCE = Kernels(
    fast_kernels._norm_once,
    fast_kernels._norm_back_once,
    fast_kernels._norm_weight_once,
    fast_kernels._gate_once,
    fast_kernels._gate_back_once,
    fast_kernels._rotate_once,
)


def results(kernels: Kernels, tokens: int, low: bool, gelu: bool) -> list[torch.Tensor]:
    """Everything that the kernels make of the same random tensors."""
    generator = torch.Generator().manual_seed(tokens)

    def drawn(*shape: int, half: bool = True) -> torch.Tensor:
        values = torch.randn(*shape, generator=generator)
        return values.bfloat16() if half else values

    x, upstream, factor = drawn(1, tokens, 48, half=low), drawn(1, tokens, 48), drawn(48, half=False)
    result, scale = kernels.norm(x, factor, 1e-6)
    found = [result, scale, kernels.norm_back(upstream, x, factor, scale), kernels.norm_weight(upstream, x, scale)]
    gate, up, above = drawn(1, tokens, 40), drawn(1, tokens, 40), drawn(1, tokens, 40)
    found += [kernels.gate(gate, up, gelu), *kernels.gate_back(gate, up, above, gelu)]
    angles = drawn(tokens, 8, half=False)
    return [*found, kernels.rotate(drawn(1, tokens, 3, 16), angles.cos(), angles.sin())]


def agree(other: Kernels, tokens: int, low: bool, gelu: bool) -> None:
    for one, two in zip(results(PLAIN, tokens, low, gelu), results(other, tokens, low, gelu), strict=True):
        assert one.shape == two.shape and one.dtype == two.dtype
        assert float((one.double() - two.double()).norm() / one.double().norm()) < 3e-3


@pytest.mark.parametrize("gelu", [True, False])
@pytest.mark.parametrize("low", [True, False])
@pytest.mark.parametrize("tokens", [1, 7, 3000])
def test_the_form_for_compilers_computes_the_same(tokens: int, low: bool, gelu: bool) -> None:
    agree(ONCE, tokens, low, gelu)


@pytest.mark.parametrize("form", [PLAIN, ONCE])
def test_backward_kernels_are_the_gradients_of_the_forward_ones(form: Kernels) -> None:
    generator = torch.Generator().manual_seed(0)
    gate, up, above = (torch.randn(5, 8, generator=generator).bfloat16() for _ in range(3))
    x, factor = torch.randn(5, 8, generator=generator), torch.randn(8, generator=generator)

    def gradients(function: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        leaves = [value.double().requires_grad_() for value in inputs]
        return torch.autograd.grad(function(*leaves), leaves, above.double())

    def normed(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * factor

    def gated(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(gate, approximate="tanh") * up

    _, scale = form.norm(x, factor, 1e-6)
    found = [form.norm_back(above, x, factor, scale), form.norm_weight(above, x, scale)]
    found += form.gate_back(gate, up, above, True)
    for one, exact in zip(found, gradients(normed, x, factor) + gradients(gated, gate, up), strict=True):
        assert float((one.double() - exact).norm() / exact.norm()) < 1e-2


@pytest.mark.slow
def test_compiled_kernels_compute_the_same() -> None:
    for tokens in (7, 300):
        for gelu in (True, False):
            agree(compiled_kernels(), tokens, True, gelu)
