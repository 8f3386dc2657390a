"""What many prompts begin with: a system text, worked examples. A model need read it only once.

Does: find the beginning that most prompts share, decide whether reading it once is worth while, hold its keys and
values. Does not: run models. The result is that of the whole prompts up to rounding: keys and values of a causal model
depend on what stands before them only (the prefix caching of vLLM and SGLang, for one call).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from igakulm.inference.cache import RoomyLayer

SHORTEST = 16
"""Tokens; below, a model reads the prefix as fast as it fetches it."""
SHARE = 0.4
"""The part of all prompt tokens that must be saved: attention with a mask costs more, so that less than that gains
nothing (measured on a CPU)."""
STRAYS = 8
"""One prompt in so many at either end of the alphabet may begin otherwise (cut from the front, say)."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A beginning that prompts share: its ids, and the numbers of the prompts that go on after it."""

    ids: tuple[int, ...]
    prompts: frozenset[int]


def shared_prefix(prompts: Sequence[Sequence[int]]) -> Shared | None:
    """The beginning that most prompts share, when reading it once saves a good part of their tokens; else None.

    In the order of their ids, all prompts between two others begin with what these two share.

    >>> prompts = [[7] * 20 + [n] for n in range(5)]
    >>> found = shared_prefix([[1, 2], *prompts])
    >>> len(found.ids), sorted(found.prompts)
    (20, [1, 2, 3, 4, 5])
    >>> shared_prefix(prompts[:1]) is None
    True
    """
    if len(prompts) < 2:
        return None
    order = sorted(map(list, prompts))
    strays = -(-len(order) // STRAYS) if len(order) > 2 else 0
    first, last = order[strays], order[-1 - strays]
    # One token of a prompt is left: what it predicts is asked for.
    most = min(len(first), len(last)) - 1
    length = next((k for k in range(most) if first[k] != last[k]), most)
    if length < SHORTEST:
        return None
    ids = tuple(first[:length])
    members = frozenset(n for n, p in enumerate(prompts) if len(p) > length and tuple(p[:length]) == ids)
    saved, total = length * (len(members) - 1), sum(len(prompts[number]) for number in members)
    return Shared(ids, members) if saved >= SHARE * total else None


class _SharedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values of the prefix; what comes after it is joined for one pass and not kept."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and all values, the prefix in front in every row."""
        rows = key_states.shape[0]
        assert self.keys is not None and self.values is not None
        keys, values = self.keys.expand(rows, -1, -1, -1), self.values.expand(rows, -1, -1, -1)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


class PrefixCache:
    """Keys and values of a prefix that a model has read.

    Args:
        shared: the prefix.
        read: the cache that the model filled; one row.
    """

    def __init__(self, shared: Shared, read: Cache) -> None:
        self.shared, self.length = shared, len(shared.ids)
        layers: list[Any] = list(read.layers)
        self._layers: list[tuple[torch.Tensor, torch.Tensor]] = [(layer.keys, layer.values) for layer in layers]

    def for_one_pass(self) -> Cache:
        """A cache for any number of rows that keeps nothing new."""
        return Cache(layers=[self._frozen(keys, values) for keys, values in self._layers])

    def for_decoding(self, rows: int) -> Cache:
        """A growing cache whose rows all begin with the prefix."""
        layers = []
        for keys, values in self._layers:
            layer: Any = RoomyLayer()  # type: ignore[no-untyped-call]
            layer.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))
            layers.append(layer)
        return Cache(layers=layers)

    @staticmethod
    def _frozen(keys: torch.Tensor, values: torch.Tensor) -> Any:
        layer: Any = _SharedLayer()  # type: ignore[no-untyped-call]
        layer.keys, layer.values, layer.is_initialized = keys, values, True
        return layer
