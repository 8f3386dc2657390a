"""How prompts and options are laid out in tensors.

Does: sort into batches of similar length, put a prompt and its options into one row with a mask, pad.
Does not: run a model. Rows for scoring are padded on the right, where padding cannot change a causal model's answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt with options behind it, in one sequence; each option sees the prompt and itself only."""

    item: int
    prompt: Sequence[int]
    options: list[tuple[int, Sequence[int]]]  # number of the option, its ids

    def length(self) -> int:
        """Tokens of the row."""
        # The last token of an option predicts nothing that is asked for.
        return len(self.prompt) + sum(len(ids) - 1 for _, ids in self.options)


def batches(items: Sequence[object], lengths: Sequence[int], budget: int) -> Iterator[list[Any]]:
    """Items of similar length, the longest first, so that lack of memory shows at once.

    >>> list(batches("abcd", [1, 4, 2, 4], 8))
    [['b', 'd'], ['c', 'a']]
    """
    batch: list[Any] = []
    width = 0
    for number in sorted(range(len(items)), key=lambda number: -lengths[number]):
        if batch and width * (len(batch) + 1) > budget:
            yield batch
            batch = []
        if not batch:
            width = max(lengths[number], 1)
        batch.append(items[number])
    if batch:
        yield batch


def lay_out(batch: list[Row], skip: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Ids and positions (rows x width), and a mask (rows x 1 x width x (skip + width)) where a row has several options.

    The first `skip` tokens of every prompt, which the model has read, are left out; all others see them.
    """
    width = max(row.length() for row in batch) - skip
    inputs, positions = (
        torch.zeros(len(batch), width, dtype=torch.long),
        torch.zeros(len(batch), width, dtype=torch.long),
    )
    parts = torch.full((len(batch), width), -1)
    for number, row in enumerate(batch):
        pieces = [list(row.prompt[skip:]), *(list(ids[:-1]) for _, ids in row.options)]
        starts = [skip] + [len(row.prompt)] * len(row.options)
        flat = [token for piece in pieces for token in piece]
        inputs[number, : len(flat)] = torch.tensor(flat)
        places = [start + k for start, piece in zip(starts, pieces, strict=True) for k in range(len(piece))]
        positions[number, : len(flat)] = torch.tensor(places)
        owners = [part for part, piece in enumerate(pieces) for _ in piece]
        parts[number, : len(flat)] = torch.tensor(owners)
    if all(sum(len(ids) > 1 for _, ids in row.options) <= 1 for row in batch):
        return inputs, positions, None
    keys, queries = parts[:, None, :], parts[:, :, None]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = functional.pad(causal & ((keys == 0) | (keys == queries)), (skip, 0), value=True)
    return inputs, positions, mask[:, None]


def questions(batch: list[Row], skip: int = 0) -> tuple[list[int], list[int], list[int], list[tuple[int, int]]]:
    """For every option token: its row, the place that predicts it, its id, and (row, number within the row).

    Places count from after the first `skip` tokens.
    """
    rows, places, targets, owners = [], [], [], []
    for number, row in enumerate(batch):
        start = block = len(row.prompt) - skip
        for option, (_, ids) in enumerate(row.options):
            for k, token in enumerate(ids):
                rows.append(number)
                places.append(start - 1 if k == 0 else block + k - 1)
                targets.append(token)
                owners.append((number, option))
            block += len(ids) - 1
    return rows, places, targets, owners


def pad_left(prompts: list[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask (rows x width), so that all prompts end at the same place."""
    width = max(len(prompt) for prompt in prompts)
    inputs, mask = (
        torch.zeros(len(prompts), width, dtype=torch.long),
        torch.zeros(len(prompts), width, dtype=torch.long),
    )
    for number, prompt in enumerate(prompts):
        inputs[number, width - len(prompt) :] = torch.tensor(list(prompt))
        mask[number, width - len(prompt) :] = 1
    return inputs, mask
