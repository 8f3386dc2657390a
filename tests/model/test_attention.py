"""Document attention against the textbook formula with a dense block mask."""

from typing import Any

import pytest
import torch
from torch.nn.attention import varlen

from igakulm.model import attention
from igakulm.model.attention import attend_documents, document_arguments

Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def inputs(tokens: int, heads: int, shared: int, size: int, dtype: torch.dtype) -> Tensors:
    generator = torch.Generator().manual_seed(1)
    return tuple(  # type: ignore[return-value]
        torch.randn(1, number, tokens, size, generator=generator).to(dtype).requires_grad_()
        for number in (heads, shared, shared)
    )


def dense(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor, window: int = 10**6
) -> torch.Tensor:
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    document = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    place = torch.arange(len(document))
    behind = place[:, None] - place[None]
    allowed = (document[:, None] == document[None]) & (behind >= 0) & (behind < window)
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


@pytest.mark.parametrize("window", [1, 2, 63, 64, 65, 130])
@pytest.mark.parametrize("lengths", [[300], [5, 65, 64], [257, 3, 130], [700]])
def test_a_window_hides_what_lies_further_back(lengths: list[int], window: int) -> None:
    tensors = inputs(sum(lengths), 4, 2, 16, torch.float32)
    parts = torch.tensor(lengths)
    expected = dense(*tensors, parts, window)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    wanted = torch.autograd.grad(expected, tensors, upstream)
    alone = attention._attend_one_by_one(*tensors, parts, 16**-0.5, window)
    for found in (attend_documents(*tensors, parts, 16**-0.5, window=window), alone):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
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


def test_the_operator_of_the_cpu_is_what_torch_expects_of_one() -> None:
    tensors = inputs(40, 4, 2, 8, torch.float32)
    operator = torch.ops.igakulm.document_attention.default
    torch.library.opcheck(operator, (*tensors, torch.tensor([10, 1, 29]), 0.25, 7))


def test_on_a_cpu_the_lengths_are_all_a_model_is_given() -> None:
    lengths = torch.tensor([3, 4])
    assert document_arguments(lengths, torch.device("cpu")) == {"document_lengths": lengths}


def one_by_one(q: Any, k: Any, v: Any, borders: Any, others: Any, longest: int, most: int, scale: float) -> Any:
    """What torch's flash kernel for documents computes, in its layout (tokens, heads, head size)."""
    assert borders.dtype == torch.int32 and torch.equal(borders, others) and longest == most
    lengths = borders.diff()
    assert int(lengths.max()) <= longest
    q, k, v = (tensor.transpose(0, 1)[None] for tensor in (q, k, v))
    return attention._attend_one_by_one(q, k, v, lengths, scale)[0]


def torch_2_11(q: Any, k: Any, v: Any, a: Any, b: Any, c: int, d: int, *, scale: Any = None, window_size: Any) -> Any:
    assert window_size == (-1, 0)
    return one_by_one(q, k, v, a, b, c, d, scale)


def torch_2_13(q: Any, k: Any, v: Any, a: Any, b: Any, c: int, d: int, *, enable_gqa: bool, **others: Any) -> Any:
    assert enable_gqa
    return torch_2_11(q, k, v, a, b, c, d, **others)


@pytest.mark.parametrize("kernel", [torch_2_11, torch_2_13])
def test_the_gpu_kernel_is_called_as_its_version_wants(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "_varlen", kernel)
    monkeypatch.setattr(attention, "_VARLEN_NAMES_SHARING", kernel is torch_2_13)
    lengths, borders = torch.tensor([8, 12]), torch.tensor([0, 8, 20], dtype=torch.int32)
    tensors = inputs(20, 4, 2, 8, torch.float32)
    query, key, value = tensors
    found = attention._attend_on_gpu(query, key, value, borders, 16, 8**-0.5)
    torch.testing.assert_close(found, dense(*tensors, lengths), rtol=1e-4, atol=1e-5)


def test_the_gpu_kernel_stays_in_one_graph_and_other_types_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(dtype: torch.dtype) -> list[str]:
        graphs: list[torch.fx.GraphModule] = []

        def watch(graph: torch.fx.GraphModule, _: Any) -> Any:
            graphs.append(graph)
            return graph.forward

        torch._dynamo.reset()
        tensors = [torch.empty(1, heads, 20, 8, dtype=dtype, device="meta") for heads in (4, 2, 2)]
        borders = torch.empty(3, dtype=torch.int32, device="meta")
        query, key, value = tensors
        compiled = torch.compile(attend_documents, backend=watch)
        found = compiled(query, key, value, torch.tensor([8, 12]), 0.35, borders, 16)
        assert found.shape == (1, 20, 4, 8) and found.dtype == dtype
        return [str(node.target) for graph in graphs for node in graph.graph.nodes if node.op == "call_function"]

    assert "torch_attn._varlen_attn" in str(call(torch.bfloat16))
    assert "torch_attn._varlen_attn" not in str(call(torch.float32))


def test_the_bound_of_the_longest_document_is_a_power_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "_varlen_works", lambda _: True)
    moved: list[Any] = []

    def stay(tensor: torch.Tensor, *to: Any, **_: Any) -> torch.Tensor:  # there may be no such device here
        moved.append(to)
        return tensor

    monkeypatch.setattr(torch.Tensor, "to", stay)
    for longest, bound in ((1, 1), (2, 2), (3, 4), (1025, 2048), (2048, 2048)):
        given = document_arguments(torch.tensor([1, longest]), torch.device("cuda"))
        assert given["longest_document"] == bound
        assert given["document_borders"].tolist() == [0, 1, 1 + longest]
    assert len(moved) == 10


def test_this_torch_has_the_kernel_in_a_form_we_know() -> None:
    assert {"scale", "window_size"} <= attention._VARLEN_KEYS
    assert attention._varlen is varlen.varlen_attn
