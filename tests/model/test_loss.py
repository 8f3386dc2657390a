"""The fused loss against plain cross entropy: values, gradients, chunks, and memory."""

import pytest
import torch
import torch.nn.functional as F

from igakulm.model import loss as loss_module
from igakulm.model.loss import linear_cross_entropy


def inputs(positions: int, width: int, entries: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(positions, width, generator=generator).requires_grad_()
    weight = (0.3 * torch.randn(entries, width, generator=generator)).requires_grad_()
    return hidden, weight, torch.randint(0, entries, (positions,), generator=generator)


@pytest.mark.parametrize("positions", [1, 16, 100, 257])
def test_fp32_equals_plain_cross_entropy(positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_LOGITS", 64 * 77)
    monkeypatch.setattr(loss_module, "TILE_LOGITS", 10 * 77)
    hidden, weight, targets = inputs(positions, 24, 77)
    plain = F.cross_entropy(hidden @ weight.T, targets, reduction="sum")
    expected = torch.autograd.grad(plain / 3, (hidden, weight))
    fused = linear_cross_entropy(hidden, weight, targets, torch.float32)
    found = torch.autograd.grad(fused / 3, (hidden, weight))
    torch.testing.assert_close(fused, plain)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_without_gradients_the_value_is_the_same() -> None:
    hidden, weight, targets = inputs(40, 16, 50)
    with torch.no_grad():
        value = linear_cross_entropy(hidden, weight, targets, torch.float32)
    assert float(value) == float(linear_cross_entropy(hidden, weight, targets, torch.float32).detach())


def test_bf16_stays_near_and_the_loss_is_fp32() -> None:
    hidden, weight, targets = inputs(64, 32, 100)
    exact = F.cross_entropy(hidden @ weight.T, targets, reduction="sum")
    rounded = linear_cross_entropy(hidden, weight, targets, torch.bfloat16)
    assert rounded.dtype == torch.float32
    assert float(rounded) == pytest.approx(float(exact), rel=5e-3)
    gradients = torch.autograd.grad(rounded, (hidden, weight))
    expected = torch.autograd.grad(exact, (hidden, weight))
    for one, other in zip(gradients, expected, strict=True):
        assert float((one - other).norm() / other.norm()) < 0.02


def test_an_impossible_target_costs_its_logit_and_not_infinity() -> None:
    hidden = torch.tensor([[1.0]])
    weight = torch.tensor([[200.0], [-200.0]])
    assert float(linear_cross_entropy(hidden, weight, torch.tensor([1]), torch.float32)) == pytest.approx(400.0)


def test_logits_never_exist_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_LOGITS", 4000)
    largest = 0
    original = torch.Tensor.__matmul__

    def watched(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        result: torch.Tensor = original(left, right)
        if result.shape[-1] == 500:
            largest = max(largest, result.numel())
        return result

    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    hidden, weight, targets = inputs(300, 8, 500)
    linear_cross_entropy(hidden, weight, targets, torch.float32).backward()  # type: ignore[no-untyped-call]
    assert 0 < largest <= 16 * 500


@pytest.mark.parametrize("make_gradient", [True, False])
def test_the_form_for_compilers_is_the_same_softmax(make_gradient: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = 5 * torch.randn(40, 77, generator=generator)
    targets = torch.randint(0, 77, (40,), generator=generator)
    tiled, fused = logits.clone(), logits.clone()
    expected = loss_module._softmax_in_place(tiled, targets, make_gradient)
    torch.testing.assert_close(loss_module._softmax_to_fuse(fused, targets, make_gradient), expected)
    torch.testing.assert_close(fused, tiled, rtol=1e-5, atol=1e-6)
    assert torch.equal(fused, logits) != make_gradient


def test_on_a_cpu_compiling_changes_no_bit() -> None:
    hidden, weight, targets = inputs(40, 16, 50)
    plain = linear_cross_entropy(hidden, weight, targets, torch.bfloat16)
    compiled = linear_cross_entropy(hidden, weight, targets, torch.bfloat16, compiled=True)
    assert torch.equal(plain, compiled)
    pairs = zip(
        torch.autograd.grad(plain, (hidden, weight)), torch.autograd.grad(compiled, (hidden, weight)), strict=True
    )
    assert all(torch.equal(one, other) for one, other in pairs)
