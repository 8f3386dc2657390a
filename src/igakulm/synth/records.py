"""yield.json of the stage that has texts written, as a typed model.

Does: define it. Does not: count (yields.py), or write (generate.py).
"""

from __future__ import annotations

from pydantic import Field

from igakulm.stored import Figure, Part, Stored

YIELD = "yield.json"


class Counted(Part):
    """Texts that were asked for and kept, characters of the kept ones, rejected ones by reason."""

    asked: int = 0
    kept: int = 0
    characters: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)


class WriterCount(Counted):
    """The same of one writer, with what it is and the terms under which it wrote."""

    model: str = ""
    revision: str = ""
    licence: str = ""
    terms: str = ""
    share_of_characters: Figure = None


class Positions(Part):
    """Letters of the right options of items with one answer, with the test against even places."""

    items: int = 0
    positions: dict[str, int] = Field(default_factory=dict)
    chi_square: Figure = None
    p_value: Figure = None


class Verified(Part):
    """What another model answered to the exam items without seeing the solution."""

    agrees: int = 0
    disagrees: int = 0
    unreadable: int = 0
    no_answer: int = 0


class YieldFile(Stored):
    """yield.json."""

    writers: dict[str, WriterCount] = Field(default_factory=dict)
    kinds: dict[str, Counted] = Field(default_factory=dict)
    answer_positions: Positions | None = None
    verified: Verified | None = None
