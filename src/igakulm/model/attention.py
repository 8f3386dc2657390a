"""Exact document masking for packed tokens, as an attention backend of the stock transformers classes.

Does: causal attention inside each document of a flat run of tokens, over all of it or over a sliding window.
Does not: keep a cache or generate (folders that we write use the stock backends), know sinks.

Nothing is approximated. On a GPU, bf16 goes to torch's flash attention for documents of different lengths
(`torch.nn.attention.varlen`, torch 2.11 or newer); fp32 and older versions go document by document. On a CPU the
kernel is attention_cpu.py. It and `varlen` are operators to `torch.compile`: a compiled layer stays one graph.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface

from igakulm.model.attention_cpu import attend_on_cpu

_varlen: Callable[..., Any] | None
try:
    from torch.nn.attention import varlen as _module

    _varlen = _module.varlen_attn
except ImportError:  # before torch 2.10
    _varlen = None

DOCUMENTS = "igakulm_documents"
"""Name of the backend: `config._attn_implementation = DOCUMENTS`."""


def document_arguments(lengths: torch.Tensor, device: torch.device) -> dict[str, Any]:
    """Keyword arguments for the forward pass of a model with this backend, made once a batch for all its layers.

    Args:
        lengths: (documents,) int64 on the CPU, all positive; their sum is the number of tokens.
        device: where the model is.
    """
    arguments: dict[str, Any] = {"document_lengths": lengths}
    if device.type == "cuda" and _varlen_works(device.index or 0):
        borders = F.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
        arguments["document_borders"] = borders.to(device, non_blocking=True)
        # A bound is enough for the kernel, and a power of two seldom makes a compiled layer anew.
        arguments["longest_document"] = 1 << (int(lengths.max()) - 1).bit_length()
    return arguments


def attend_documents(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: torch.Tensor,
    scale: float,
    borders: torch.Tensor | None = None,
    longest: int = 0,
    window: int = 0,
) -> torch.Tensor:
    """Causal attention inside each document.

    Args:
        query: (1, heads, tokens, head size).
        key: (1, key-value heads, tokens, head size), same type as `query` (bf16 or fp32).
        value: like `key`.
        lengths: (documents,) int64 on the CPU, all positive; their sum is `tokens`.
        scale: factor on the scores, 1 / sqrt(head size).
        borders: (documents + 1,) int32 on the GPU, where each document begins, and `tokens`; see `document_arguments`.
        longest: at least the tokens of the longest document, with `borders`.
        window: how many tokens a token sees, itself included; 0 = all before it.

    Returns:
        (1, tokens, heads, head size).
    """
    if query.device.type == "cpu":
        return attend_on_cpu(query, key, value, lengths, scale, window)
    if borders is not None and query.dtype == torch.bfloat16 and query.shape[-1] % 8 == 0 and query.shape[-1] <= 256:
        return _attend_on_gpu(query, key, value, borders, longest, scale, window)
    attended: torch.Tensor = _attend_one_by_one(query, key, value, lengths, scale, window)
    return attended


def _attend_on_gpu(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    borders: torch.Tensor,
    longest: int,
    scale: float,
    window: int = 0,
) -> torch.Tensor:
    """Flash attention over documents laid end to end; heads that share a key-value head need no copy of it."""
    assert _varlen is not None
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    shared = {"enable_gqa": True} if _VARLEN_NAMES_SHARING else {}
    causal = (window - 1, 0)  # -1: everything before
    attended: torch.Tensor = _varlen(
        q, k, v, borders, borders, longest, longest, scale=scale, window_size=causal, **shared
    )
    return attended[None]


_VARLEN_KEYS = frozenset(inspect.signature(_varlen).parameters) if _varlen else frozenset[str]()
_VARLEN_NAMES_SHARING = "enable_gqa" in _VARLEN_KEYS
"""From torch 2.12 sharing must be asked for; 2.11 has no such key, its kernel simply does it."""


@lru_cache(maxsize=8)
def _varlen_works(device: int) -> bool:
    """Whether `varlen_attn` takes our arguments and attends as it should on this GPU: two documents, shared heads."""
    if not {"scale", "window_size"} <= _VARLEN_KEYS or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    with torch.random.fork_rng(devices=[device]), torch.enable_grad():
        place = torch.device("cuda", device)
        shapes = [(1, heads, 48, 64) for heads in (4, 2, 2)]
        q, k, v = (torch.randn(shape, device=place, dtype=torch.bfloat16, requires_grad=True) for shape in shapes)
        lengths, borders = torch.tensor([17, 31]), torch.tensor([0, 17, 48], dtype=torch.int32, device=place)
        exact = _attend_one_by_one(q, k, v, lengths, 0.125)
        expected = torch.autograd.grad(exact.float().square().sum(), (q, k, v))
        try:
            found = _attend_on_gpu(q, k, v, borders, 32, 0.125)
            gradients = torch.autograd.grad(found.float().square().sum(), (q, k, v))
        except (RuntimeError, TypeError, ValueError):
            return False
        pairs = zip((found, *gradients), (exact, *expected), strict=True)
        return all(float((one - other).norm() / other.norm()) < 0.02 for one, other in pairs)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _attend_one_by_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: torch.Tensor, scale: float, window: int = 0
) -> torch.Tensor:
    """One call of torch's attention a document: any device and type, slow for many short documents."""
    shared = query.shape[1] != key.shape[1]
    parts = (torch.split(tensor, lengths.tolist(), 2) for tensor in (query, key, value))
    outputs = []
    for q, k, v in zip(*parts, strict=True):
        size = q.shape[2]
        seen = None
        if 0 < window < size:
            seen = torch.ones(size, size, dtype=torch.bool, device=q.device).tril_().triu_(1 - window)
        attended = F.scaled_dot_product_attention(
            q, k, v, attn_mask=seen, is_causal=seen is None, scale=scale, enable_gqa=shared
        )
        outputs.append(attended.transpose(1, 2))
    return torch.cat(outputs, 1)


def _backend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    document_lengths: torch.Tensor | None = None,
    document_borders: torch.Tensor | None = None,
    longest_document: int = 0,
    sliding_window: int | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Adapter with the signature of transformers' attention functions."""
    if document_lengths is None:
        raise ValueError(f"the backend {DOCUMENTS} needs document_lengths in the model's keyword arguments")
    device = query.device.type
    if torch.is_autocast_enabled(device):
        lower = torch.get_autocast_dtype(device)
        query, key, value = query.to(lower), key.to(lower), value.to(lower)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    attended = attend_documents(
        query, key, value, document_lengths, scale, document_borders, longest_document, sliding_window or 0
    )
    return attended, None


def _no_mask(*_: object, **__: object) -> None:
    """The document lengths say everything; a mask is never built."""


AttentionInterface.register(DOCUMENTS, _backend)
AttentionMaskInterface.register(DOCUMENTS, _no_mask)
