"""The answer of every kind that weighs options.

Does: hold options with probabilities. Does not: weigh (`answering/options.py`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from igakulm.answering.kinds.kind import Part, Usage
from igakulm.answering.tasks import Choice


class WeighedOption(Part):
    """An option and the probability that the model chooses it."""

    letter: str
    label: str
    probability: Annotated[float, Field(ge=0, le=1.000001)]  # a sum of rounded numbers may be a little above 1


class ChoiceAnswer(Part):
    """All options, and the letter of the likeliest."""

    options: list[WeighedOption]
    answer: str
    usage: Usage


def weighed(found: Choice) -> list[WeighedOption]:
    """The options of a choice."""
    return [WeighedOption(letter=letter, label=label, probability=share) for letter, label, share in found.options]


def chosen(found: Choice) -> ChoiceAnswer:
    """One option of several."""
    return ChoiceAnswer(options=weighed(found), answer=found.answer, usage=Usage.of(found.prompt_tokens))
