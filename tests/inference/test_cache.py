"""The cache with room against the stock one."""

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from igakulm.inference.cache import ROOM, RoomyLayer


def test_it_holds_what_the_stock_cache_holds() -> None:
    generator = torch.Generator().manual_seed(0)
    layers: list[Any] = [RoomyLayer, DynamicLayer]
    mine, stock = (layer() for layer in layers)
    rows = 4
    for new in (5, 1, 1, ROOM, 1, 2 * ROOM, 3):
        keys, values = (torch.randn(rows, 2, new, 8, generator=generator) for _ in range(2))
        for left, right in zip(mine.update(keys, values), stock.update(keys, values), strict=True):
            assert torch.equal(left, right)
        if new == 1:
            rows -= 1
            chosen = torch.arange(1, rows + 1)
            mine.batch_select_indices(chosen)
            stock.batch_select_indices(chosen)
        assert mine.get_seq_length() == stock.get_seq_length()
        assert torch.equal(mine.keys, stock.keys)
