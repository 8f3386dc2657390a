"""Exact document masking for packed tokens, as an attention backend of the stock transformers classes.

Does: causal attention inside each document of a flat run of tokens, document by document, without any mask tensor.
Does not: keep a cache or generate; folders that we write use the stock backends.

Nothing is approximated. On a CPU the forward pass is torch's own flash kernel and the backward pass is ours (tiles of
queries, only the causal half): torch's CPU backward kernel takes about 20 microseconds a token and layer however short
the document is (6 heads of 64, bf16, one core), ours 6 to 14 for documents of 64 to 256 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface

DOCUMENTS = "igakulm_documents"
"""Name of the backend: `config._attn_implementation = DOCUMENTS`."""
SHORT, SHORT_TILE, LONG_TILE = 256, 64, 128
"""Queries handled at once in the CPU backward pass, for documents up to `SHORT` tokens and for longer ones."""
PAD, LONG = 32, 512
"""Documents of up to `LONG` tokens are padded to a multiple of `PAD` and share calls; longer ones go alone."""
TILE_SCORES = 2**20
"""Scores of one tile (4 MiB in fp32), which bounds how many documents share a call."""


@torch.compiler.disable  # type: ignore[untyped-decorator]
def attend_documents(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor, scale: float
) -> torch.Tensor:
    """Causal attention inside each document.

    Args:
        query: (1, heads, tokens, head size).
        key: (1, key-value heads, tokens, head size), same type as `query` (bf16 or fp32).
        value: like `key`.
        lengths: (documents,) int64 on the CPU, all positive; their sum is `tokens`.
        scale: factor on the scores, 1 / sqrt(head size).

    Returns:
        (1, tokens, heads, head size), contiguous.
    """
    parts = tuple(int(length) for length in lengths.tolist())
    if query.device.type == "cpu":
        attended: torch.Tensor = _CpuAttention.apply(query, key, value, parts, scale)  # type: ignore[no-untyped-call]
        return attended
    shared = query.shape[1] != key.shape[1]
    outputs = [
        F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=shared).transpose(1, 2)
        for q, k, v in zip(*(torch.split(tensor, list(parts), 2) for tensor in (query, key, value)), strict=True)
    ]
    return torch.cat(outputs, 1)


class _CpuAttention(torch.autograd.Function):
    """Flash forward, tiled backward; documents of about one length share every call."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        parts: tuple[int, ...],
        scale: float,
    ) -> torch.Tensor:
        _, heads, tokens, size = query.shape
        flat = [_with_zero_row(tensor[0].transpose(0, 1)) for tensor in (query, key, value)]
        output = query.new_empty(tokens + 1, heads, size)
        normaliser = torch.empty(tokens + 1, heads, dtype=torch.float32)
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        for group in _groups(parts, heads):
            q, k, v = (group.gather(tensor).transpose(1, 2) for tensor in flat)
            attended, logsumexp = flash(q, k, v, 0.0, True, scale=scale)
            output.index_copy_(0, group.places, attended.transpose(1, 2).reshape(-1, heads, size))
            normaliser.index_copy_(0, group.places, logsumexp.transpose(1, 2).reshape(-1, heads))
        ctx.save_for_backward(*flat, output, normaliser)
        ctx.parts, ctx.scale = parts, scale
        return output[None, :tokens]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, output, normaliser = ctx.saved_tensors
        upstream = _with_zero_row(gradients[0][0])
        delta = (upstream * output).sum(-1, dtype=torch.float32)
        delta[-1] = 0
        results = tuple(torch.empty_like(tensor) for tensor in (query, key, value))
        for group in _groups(ctx.parts, query.shape[1]):
            tensors = (group.gather(tensor) for tensor in (query, key, value, upstream, normaliser, delta))
            for result, part in zip(results, _gradients(*tensors, scale=ctx.scale), strict=True):
                result.index_copy_(0, group.places, part.flatten(0, 1))
        to_query, to_key, to_value = (result[:-1].transpose(0, 1)[None] for result in results)
        return to_query, to_key, to_value, None, None


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
        rows = slice(start, stop)
        q_rows, g_rows, lse_rows, sum_rows = (tensor[:, :, rows].flatten(1, 2) for tensor in (q, g, lse, sums))
        keys, values = k[:, :stop], v[:, :stop]
        weights = torch.add(lse_rows, torch.bmm(q_rows, keys.transpose(1, 2)), alpha=scale).exp_()
        weights.view(-1, stop - start, stop)[..., start:].mul_(_lower_triangle(stop - start))
        change = torch.bmm(g_rows, values.transpose(1, 2)) - sum_rows
        change = change.mul_(weights).mul_(scale).to(q.dtype)
        to_value[:, :stop].baddbmm_(weights.to(q.dtype).transpose(1, 2), g_rows)
        to_key[:, :stop].baddbmm_(change.transpose(1, 2), q_rows)
        to_query[:, :, rows] = torch.bmm(change, keys).view(-1, group, stop - start, size)

    def unstack(tensor: torch.Tensor) -> torch.Tensor:
        split = tensor.view(documents, shared, -1, length, size)
        return split.permute(0, 3, 1, 2, 4).reshape(documents, length, -1, size)

    return unstack(to_query), unstack(to_key), unstack(to_value)


@lru_cache(maxsize=512)
def _lower_triangle(size: int) -> torch.Tensor:
    return torch.ones(size, size).tril_()


def _backend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    document_lengths: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Adapter with the signature of transformers' attention functions."""
    if document_lengths is None:
        raise ValueError(f"the backend {DOCUMENTS} needs document_lengths in the model's keyword arguments")
    device = query.device.type
    if torch.is_autocast_enabled(device):
        lower = torch.get_autocast_dtype(device)
        query, key, value = query.to(lower), key.to(lower), value.to(lower)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attend_documents(query, key, value, document_lengths, scale), None


def _no_mask(*_: Any, **__: Any) -> None:
    """The document lengths say everything; a mask is never built."""


AttentionInterface.register(DOCUMENTS, _backend)
AttentionMaskInterface.register(DOCUMENTS, _no_mask)
