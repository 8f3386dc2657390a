"""Keys and values of the tokens read so far, in memory with room to spare.

Does: hold one batch's keys and values for transformers, growing by steps. Does not: know models or sampling.
Appending one token to the stock cache copies all of it; for 32 rows of 400 tokens that was half of the decoding time.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 64
"""Tokens that a layer grows by."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, (rows x heads x tokens x head_size), as views of larger tensors."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
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
