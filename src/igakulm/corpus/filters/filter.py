"""What a filter is, and the document that it judges.

Does: hold the rule with its reason codes, its keys of the recipe and its place among the others. Does not: judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.recipe.schema import Filters

Finding = tuple[str, str]
"""Reason code and detail, such as `("too_short", "3 characters")`."""


class Measured(NamedTuple):
    """What is counted for a whole batch at once (`measure.py`)."""

    classes: NDArray[np.uint8]  # of each character, see `measure.py`
    repeated_ngrams: float  # share of the 10-character n-grams that occurred before in the document
    advertisement: dict[str, int]  # how often each word of advertisements occurs
    adult: dict[str, int]  # how often each adult word occurs


class Document(NamedTuple):
    """One document, cleaned."""

    text: str
    read: str  # the text before cleaning, which deletes characters that could not be read
    meta: str  # metadata as JSON
    measured: Measured | None = None  # for the filters that ask for it


@dataclass(frozen=True, slots=True)
class Filter:
    """A rule. Every threshold is a key of the recipe's `Filters`; every reason has a name in `report/words.toml`.

    `judge` returns None for a document that the rule keeps. Filters are asked in the order of `order`, and the first
    finding counts: cheap and general ones stand first.
    """

    reasons: tuple[str, ...]
    keys: tuple[str, ...]
    judge: Callable[[Document, Filters], Finding | None]
    order: int = 100
    needs_measures: bool = False
