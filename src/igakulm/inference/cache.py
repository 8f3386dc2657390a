"""Keys and values of the tokens read so far, in memory with room to spare.

Does: hold one batch's keys and values for transformers, growing by steps. Does not: know models or sampling.
Appending one token to the stock cache copies all of it; for 32 rows of 400 tokens that was half of the decoding time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn import functional
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 64
"""Tokens that a layer grows by."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, (rows x heads x tokens x head_size), as views of larger tensors."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new tokens; return all keys and all values."""
        old, new = (self.get_seq_length() if self.is_initialized else 0), key_states.shape[-2]
        if not self.is_initialized:
            self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
            self._room = (key_states[:, :, :0], value_states[:, :, :0])
        if old + new > self._room[0].shape[-2]:
            self._room = (self._larger(self._room[0], old, new), self._larger(self._room[1], old, new))
        keys, values = self._room
        keys[:, :, old : old + new], values[:, :, old : old + new] = key_states, value_states
        self.keys, self.values = keys[:, :, : old + new], values[:, :, : old + new]
        return self.keys, self.values

    @staticmethod
    def _larger(tensor: torch.Tensor, used: int, new: int) -> torch.Tensor:
        rows, heads, _, width = tensor.shape
        larger = tensor.new_empty(rows, heads, used + new + ROOM, width)
        larger[:, :, :used] = tensor[:, :, :used]
        return larger

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only these rows."""
        used = self.get_seq_length()
        self._room = (self._room[0][indices], self._room[1][indices])
        self.keys, self.values = self._room[0][:, :, :used], self._room[1][:, :, :used]


def roomy_cache() -> Cache:
    """An empty cache for a model whose layers all see the whole text."""
    return Cache(layer_class_to_replicate=RoomyLayer)


@dataclass(frozen=True, slots=True)
class Read:
    """Rows that a model has read, and what it would write next.

    Attributes:
        cache: keys and values.
        mask: 1 where a column of the cache holds a token, (rows x width).
        positions: of the last tokens, (rows x 1).
        logits: of the next ids, (rows x vocabulary).
    """

    cache: Any
    mask: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor

    def only(self, rows: torch.Tensor) -> Read:
        """These rows alone, to be read on from; the cache is changed in place, logits are left out."""
        self.cache.batch_select_indices(rows)
        return Read(self.cache, self.mask[rows], self.positions[rows], self.logits[:0])


def joined(parts: Sequence[Read]) -> Read:
    """Rows of several batches as one, all ending in the same column."""
    width = max(part.mask.shape[1] for part in parts)
    masks = [functional.pad(part.mask, (width - part.mask.shape[1], 0)) for part in parts]
    layers: list[Any] = [
        _joined_layer(layers, width) for layers in zip(*(part.cache.layers for part in parts), strict=True)
    ]
    return Read(
        Cache(layers=layers),
        torch.cat(masks),
        torch.cat([part.positions for part in parts]),
        torch.cat([part.logits for part in parts]),
    )


def _joined_layer(layers: Sequence[Any], width: int) -> RoomyLayer:
    first, rows = layers[0].keys, sum(layer.keys.shape[0] for layer in layers)
    _, heads, _, size = first.shape
    # Zeros, not what happens to be in memory: a masked NaN would still spread.
    room = [first.new_zeros(rows, heads, width + ROOM, size) for _ in range(2)]
    start = 0
    for layer in layers:
        part = slice(start, start := start + layer.keys.shape[0])
        for whole, tensor in zip(room, (layer.keys, layer.values), strict=True):
            whole[part, :, width - tensor.shape[2] : width] = tensor
    made: Any = RoomyLayer()  # type: ignore[no-untyped-call]
    made.dtype, made.device, made.is_initialized = first.dtype, first.device, True
    made._room = (room[0], room[1])
    made.keys, made.values = room[0][:, :, :width], room[1][:, :, :width]
    return cast(RoomyLayer, made)
