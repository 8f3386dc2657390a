"""Document attention on a CPU: torch's flash kernel forward, our own tiles backward, as operators of torch.

Does: causal attention inside each document of a flat run of tokens; documents of about one length share every call.
Does not: choose the kernel (attention.py), approximate anything, or run on a GPU.

The backward pass is ours because torch's CPU kernel takes about 20 microseconds a token and layer however short the
document is (6 heads of 64, bf16, one core); tiles of queries over the causal half take 6 to 14 for documents of 64 to
256 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.library import custom_op

from igakulm.model.autograd import Context

SHORT, SHORT_TILE, LONG_TILE = 256, 64, 128
"""Queries handled at once in the CPU backward pass, for documents up to `SHORT` tokens and for longer ones."""
PAD, LONG = 32, 512
"""Documents of up to `LONG` tokens are padded to a multiple of `PAD` and share calls; longer ones go alone."""
TILE_SCORES = 2**20
"""Scores of one tile (4 MiB in fp32), which bounds how many documents share a call."""


def attend_on_cpu(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor, scale: float, window: int = 0
) -> torch.Tensor:
    """See `attention.attend_documents`; all tensors are on the CPU."""
    padded: torch.Tensor = _attend(query, key, value, lengths, scale, window)[0]
    return padded[None, :-1]


Five = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@custom_op("igakulm::document_attention", mutates_args=())
def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor, scale: float, window: int
) -> Five:
    """Flash forward; documents of about one length share every call.

    Returns:
        (tokens + 1, heads, head size); what the backward pass needs: the scores' log-sum-exp (tokens + 1, heads) in
        fp32, and query, key and value in the shape of the first. The last row of each is scrap.
    """
    _, heads, tokens, size = query.shape
    query, key, value = (_with_zero_row(tensor[0].transpose(0, 1)) for tensor in (query, key, value))
    output = query.new_empty(tokens + 1, heads, size)
    normaliser = torch.empty(tokens + 1, heads, dtype=torch.float32)
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    for group in _groups(tuple(lengths.tolist()), heads):
        q, k, v = (group.gather(tensor).transpose(1, 2) for tensor in (query, key, value))
        band = _band(group.length, window, query.dtype) if 0 < window < group.length else None
        attended, logsumexp = flash(q, k, v, 0.0, band is None, attn_mask=band, scale=scale)
        output.index_copy_(0, group.places, attended.transpose(1, 2).reshape(-1, heads, size))
        normaliser.index_copy_(0, group.places, logsumexp.transpose(1, 2).reshape(-1, heads))
    return output, normaliser, query, key, value


@_attend.register_fake
def _shapes(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor, scale: float, window: int
) -> Five:
    def flat(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.new_empty(tensor.shape[2] + 1, tensor.shape[1], tensor.shape[3])

    normaliser = torch.empty(query.shape[2] + 1, query.shape[1], dtype=torch.float32, device=query.device)
    return flat(query), normaliser, flat(query), flat(key), flat(value)


@custom_op("igakulm::document_attention_backward", mutates_args=())
def _attend_backward(
    upstream: torch.Tensor,
    output: torch.Tensor,
    normaliser: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: torch.Tensor,
    scale: float,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of query, key and value; all tensors but `lengths` have the scrap row."""
    delta = (upstream * output).sum(-1, dtype=torch.float32)
    delta[-1] = 0
    results = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
    for group in _groups(tuple(lengths.tolist()), query.shape[1]):
        tensors = (group.gather(tensor) for tensor in (query, key, value, upstream, normaliser, delta))
        for result, part in zip(results, _gradients(*tensors, scale=scale, window=window), strict=True):
            result.index_copy_(0, group.places, part.flatten(0, 1))
    return results


@_attend_backward.register_fake
def _shapes_of_backward(
    upstream: torch.Tensor,
    output: torch.Tensor,
    normaliser: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: torch.Tensor,
    scale: float,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


class _Kept(Context):
    """What the functions below keep for the backward pass."""

    scale: float
    window: int


def _save(ctx: _Kept, inputs: tuple[Any, ...], output: Five) -> None:
    *_, lengths, ctx.scale, ctx.window = inputs
    ctx.save_for_backward(*output, lengths)
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: _Kept, upstream: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    flat = _attend_backward(upstream, *ctx.saved_tensors, ctx.scale, ctx.window)
    return *(part[:-1].transpose(0, 1)[None] for part in flat), None, None, None


_attend.register_autograd(_differentiate, setup_context=_save)


def _with_zero_row(tensor: torch.Tensor) -> torch.Tensor:
    """(T, heads, D) with a row of zeros behind, which padding points to."""
    padded = tensor.new_zeros(len(tensor) + 1, *tensor.shape[1:])
    padded[:-1] = tensor
    return padded


@dataclass(frozen=True, slots=True)
class _Group:
    """Documents padded on the right to one length; causal attention never looks at padding behind a token.

    `places` (documents * length,): flat positions of their tokens, and T for padding.
    """

    documents: int
    length: int
    places: torch.Tensor

    def gather(self, flat: torch.Tensor) -> torch.Tensor:
        """(T + 1, …) to (documents, length, …)."""
        return flat.index_select(0, self.places).view(self.documents, self.length, *flat.shape[1:])


@lru_cache(maxsize=4)
def _groups(parts: tuple[int, ...], heads: int) -> tuple[_Group, ...]:
    """Documents by padded length, in groups whose score tiles stay in the processor's cache."""
    lengths = torch.tensor(parts)
    starts = torch.cumsum(lengths, 0) - lengths
    padded = [-(-length // PAD) * PAD if length <= LONG else length for length in parts]
    groups = []
    for length in sorted(set(padded)):
        members = torch.tensor([number for number, size in enumerate(padded) if size == length])
        for some in torch.split(members, max(1, TILE_SCORES // (heads * min(length, LONG_TILE) * length))):
            offsets = torch.arange(length)
            places = starts[some][:, None] + offsets
            places[offsets >= lengths[some][:, None]] = sum(parts)
            groups.append(_Group(len(some), length, places.flatten()))
    return tuple(groups)


def _gradients(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    upstream: torch.Tensor,
    normaliser: torch.Tensor,
    delta: torch.Tensor,
    *,
    scale: float,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of a group's query (N, L, H, D), key and value (N, L, K, D), in the same shapes.

    `upstream` (N, L, H, D) is the output's gradient, `normaliser` (N, L, H) the forward log-sum-exp, `delta` (N, L, H)
    the sums of output x gradient. Heads that share a key-value head are stacked along the rows of one product.
    """
    documents, length, heads, size = query.shape
    shared = key.shape[2]
    group = heads // shared

    def stack(tensor: torch.Tensor, depth: int) -> torch.Tensor:
        split = tensor.view(documents, length, shared, -1, depth)
        return split.permute(0, 2, 3, 1, 4).reshape(documents * shared, -1, length, depth)

    q, g = stack(query, size), stack(upstream, size)
    k, v = stack(key, size)[:, 0], stack(value, size)[:, 0]
    lse, sums = stack(normaliser.neg(), 1), stack(delta, 1)
    to_query, to_key, to_value = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    tile = SHORT_TILE if length <= SHORT else LONG_TILE
    for start in range(0, length, tile):
        stop = min(length, start + tile)
        rows, first = slice(start, stop), max(0, start - window + 1) if window else 0
        q_rows, g_rows, lse_rows, sum_rows = (tensor[:, :, rows].flatten(1, 2) for tensor in (q, g, lse, sums))
        keys, values = k[:, first:stop], v[:, first:stop]
        weights = torch.add(lse_rows, torch.bmm(q_rows, keys.transpose(1, 2)), alpha=scale).exp_()
        seen = weights.view(-1, stop - start, stop - first)
        seen[..., start - first :].mul_(_lower_triangle(stop - start))
        if 0 < window < stop:
            seen.mul_(_upper_triangle(stop - start, stop - first, start - first - window + 1))
        change = torch.bmm(g_rows, values.transpose(1, 2)) - sum_rows
        change = change.mul_(weights).mul_(scale).to(q.dtype)
        to_value[:, first:stop].baddbmm_(weights.to(q.dtype).transpose(1, 2), g_rows)
        to_key[:, first:stop].baddbmm_(change.transpose(1, 2), q_rows)
        to_query[:, :, rows] = torch.bmm(change, keys).view(-1, group, stop - start, size)

    def unstack(tensor: torch.Tensor) -> torch.Tensor:
        split = tensor.view(documents, shared, -1, length, size)
        return split.permute(0, 3, 1, 2, 4).reshape(documents, length, -1, size)

    return unstack(to_query), unstack(to_key), unstack(to_value)


@lru_cache(maxsize=512)
def _lower_triangle(size: int) -> torch.Tensor:
    return torch.ones(size, size).tril_()


@lru_cache(maxsize=64)
def _upper_triangle(rows: int, columns: int, diagonal: int) -> torch.Tensor:
    return torch.ones(rows, columns).triu_(diagonal)


@lru_cache(maxsize=4)
def _band(length: int, window: int, dtype: torch.dtype) -> torch.Tensor:
    """(length, length): 0 for the last `window` keys up to a query's own, minus infinity for the others."""
    seen = torch.ones(length, length, dtype=torch.bool).tril_().triu_(1 - window)
    return torch.zeros(length, length, dtype=dtype).masked_fill_(~seen, -torch.inf)
