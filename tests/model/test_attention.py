"""Document attention against the textbook formula with a dense block mask."""

import pytest
import torch

from igakulm.model.attention import attend_documents

Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def inputs(tokens: int, heads: int, shared: int, size: int, dtype: torch.dtype) -> Tensors:
    generator = torch.Generator().manual_seed(1)
    return tuple(  # type: ignore[return-value]
        torch.randn(1, number, tokens, size, generator=generator).to(dtype).requires_grad_()
        for number in (heads, shared, shared)
    )


def dense(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    document = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    place = torch.arange(len(document))
    allowed = (document[:, None] == document[None]) & (place[:, None] >= place[None])
    scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
    attended: torch.Tensor = scores.masked_fill(~allowed, -torch.inf).softmax(-1) @ value
    return attended.transpose(1, 2)


@pytest.mark.parametrize("lengths", [[1], [5, 1, 9], [64, 65, 63], [300], [257, 3, 130], [1] * 20])
@pytest.mark.parametrize(("heads", "shared"), [(4, 4), (6, 2), (3, 1)])
def test_values_and_gradients(lengths: list[int], heads: int, shared: int) -> None:
    tensors = inputs(sum(lengths), heads, shared, 16, torch.float32)
    parts = torch.tensor(lengths)
    expected = dense(*tensors, parts)
    found = attend_documents(*tensors, parts, 16**-0.5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    wanted = torch.autograd.grad(expected, tensors, upstream)
    for one, other in zip(torch.autograd.grad(found, tensors, upstream), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)


def test_bf16_is_as_near_as_bf16_can_be() -> None:
    lengths = torch.tensor([200, 31, 300])
    rough = inputs(531, 6, 2, 64, torch.bfloat16)
    exact = tuple(tensor.detach().float().requires_grad_() for tensor in rough)
    upstream = torch.randn(1, 531, 6, 64, generator=torch.Generator().manual_seed(2))
    expected = dense(exact[0], exact[1], exact[2], lengths)
    found = attend_documents(*rough, lengths, 64**-0.5)
    assert float((found.detach().float() - expected.detach()).norm() / expected.detach().norm()) < 0.01
    wanted = torch.autograd.grad(expected, exact, upstream)
    for one, other in zip(torch.autograd.grad(found, rough, upstream.bfloat16()), wanted, strict=True):
        assert float((one.float() - other).norm() / other.norm()) < 0.015


def test_no_document_sees_another() -> None:
    tensors = inputs(20, 2, 1, 8, torch.float32)
    lengths = torch.tensor([8, 12])
    before = attend_documents(*tensors, lengths, 1.0)
    changed = [tensor.detach().clone() for tensor in tensors]
    for tensor in changed:
        tensor[:, :, :8] += 5.0
    after = attend_documents(changed[0], changed[1], changed[2], lengths, 1.0)
    assert torch.equal(before[:, 8:], after[:, 8:])
    assert not torch.equal(before[:, :8], after[:, :8])
