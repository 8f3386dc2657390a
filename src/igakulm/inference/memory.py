"""Batches that do not fit into a GPU's memory.

Does: run them in halves, without reporting finished prompts twice. Does not: guess memory beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from igakulm.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Reporter:
    """Progress that may be taken back: what was reported already is not reported again."""

    def __init__(self, done: Callable[[int], None]) -> None:
        self._done, self._reported, self.finished = done, 0, 0

    def __call__(self, count: int) -> None:
        """`count` more prompts are finished."""
        self.finished += count
        if self.finished > self._reported:
            self._done(self.finished - self._reported)
            self._reported = self.finished


def within_memory(batch: list[Item], run: Callable[[list[Item]], list[Result]], reporter: Reporter) -> list[Result]:
    """`run(batch)`, or the results of its halves where the GPU's memory is too small for the whole.

    Raises:
        InputError: one item alone does not fit.
    """
    before = reporter.finished
    try:
        return run(batch)
    except torch.OutOfMemoryError as error:
        if len(batch) == 1:
            hint = "use a smaller model or precision bf16, or free the GPU"
            raise InputError("the GPU's memory is too small for a single prompt", hint=hint) from error
    # Outside of the handler, whose traceback keeps the tensors of the failed run alive.
    reporter.finished = before
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(batch) // 2
    return within_memory(batch[:middle], run, reporter) + within_memory(batch[middle:], run, reporter)
