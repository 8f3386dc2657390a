"""Exact document masking for packed tokens, as an attention backend of the stock transformers classes.

Does: causal attention inside each document of a flat run of tokens, document by document, without any mask tensor.
Does not: keep a cache or generate; folders that we write use the stock backends.

Nothing is approximated. On a CPU the forward pass is torch's own flash kernel and the backward pass is ours (tiles of
queries, only the causal half): torch's CPU backward kernel takes about 20 microseconds a token and layer however short
the document is. `benchmarks/` holds the comparison with a dense block mask.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface

DOCUMENTS = "igakulm_documents"
"""Name of the backend: `config._attn_implementation = DOCUMENTS`."""
SHORT, SHORT_TILE, LONG_TILE = 256, 64, 128
"""Queries handled at once in the CPU backward pass, for documents up to `SHORT` tokens and for longer ones."""


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
    """Flash forward, tiled backward, over all documents of a flat run."""

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
        output = query.new_empty(tokens, heads, size)
        normaliser = torch.empty(heads, tokens, dtype=torch.float32)
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        start = 0
        for length in parts:
            part = slice(start, start + length)
            attended, logsumexp = flash(query[:, :, part], key[:, :, part], value[:, :, part], 0.0, True, scale=scale)
            output[part] = attended[0].transpose(0, 1)
            normaliser[:, part] = logsumexp.view(heads, length)
            start += length
        ctx.save_for_backward(query, key, value, output, normaliser)
        ctx.parts, ctx.scale = parts, scale
        return output[None]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, output, normaliser = ctx.saved_tensors
        upstream = gradients[0][0]
        delta = (upstream * output).sum(-1, dtype=torch.float32).T.contiguous()
        upstream = upstream.transpose(0, 1)
        to_query, to_key, to_value = (torch.empty_like(tensor[0]) for tensor in (query, key, value))
        start = 0
        for length in ctx.parts:
            part = slice(start, start + length)
            inputs = (query[0, :, part], key[0, :, part], value[0, :, part], upstream[:, part])
            grads = _document_gradients(*inputs, normaliser[:, part], delta[:, part], ctx.scale)
            to_query[:, part], to_key[:, part], to_value[:, part] = grads
            start += length
        return to_query[None], to_key[None], to_value[None], None, None


def _document_gradients(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    upstream: torch.Tensor,
    normaliser: torch.Tensor,
    delta: torch.Tensor,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of one document's query (H, L, D), key and value (K, L, D).

    `upstream` (H, L, D) is the output's gradient, `normaliser` (H, L) the forward log-sum-exp, `delta` (H, L) the
    row sums of output x gradient. Heads that share a key-value head are stacked along the rows of one product.
    """
    heads, length, size = query.shape
    shared, group = key.shape[0], heads // key.shape[0]
    key, value = key.contiguous(), value.contiguous()
    to_query = torch.empty_like(query, memory_format=torch.contiguous_format)
    to_key, to_value = torch.zeros_like(key), torch.zeros_like(value)
    tile = SHORT_TILE if length <= SHORT else LONG_TILE
    for start in range(0, length, tile):
        stop = min(length, start + tile)
        rows = stop - start
        stacked = (shared, group * rows)
        q, g = query[:, start:stop].reshape(*stacked, size), upstream[:, start:stop].reshape(*stacked, size)
        k, v = key[:, :stop], value[:, :stop]
        scores = torch.bmm(q, k.transpose(1, 2))
        weights = torch.add(-normaliser[:, start:stop].reshape(*stacked, 1), scores, alpha=scale).exp_()
        weights.view(shared, group, rows, stop)[..., start:].mul_(_lower_triangle(rows))
        change = torch.bmm(g, v.transpose(1, 2)) - delta[:, start:stop].reshape(*stacked, 1)
        change = change.mul_(weights).mul_(scale).to(q.dtype)
        to_value[:, :stop].baddbmm_(weights.to(q.dtype).transpose(1, 2), g)
        to_key[:, :stop].baddbmm_(change.transpose(1, 2), q)
        to_query[:, start:stop] = torch.bmm(change, k).view(heads, rows, size)
    return to_query, to_key, to_value


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
