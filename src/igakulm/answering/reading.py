"""From what a model wrote to an answer: letters, a list of strings, or the digits of a number.

Does: choose the reader that fits an item, leave out a model's reasoning, and, apart from that, read as the published
JMED-LLM scorer does. Does not: know how a kind of answer is read (reading_choices.py, reading_entities.py,
reading_numbers.py), or score. An answer that cannot be read is None and counts as wrong.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from igakulm.answering.reading_choices import parse_letters
from igakulm.answering.reading_entities import parse_entities
from igakulm.answering.reading_numbers import parse_number
from igakulm.tasks.items import Item
from igakulm.text.broken import whole_characters
from igakulm.text.literals import MAX_CHARACTERS, python_list

Prediction: TypeAlias = tuple[str, ...] | None
"""Sorted capital letters, strings, one string of digits, or one free text; None = could not be read."""

_THINKING = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
UPSTREAM_LETTERS = "ABCDEF"
NOT_TEXT = "\ufffd"
"""Begins the stand-in for an element of a list that is no text (see `upstream_list`)."""


def parse_answer(item: Item, text: str) -> Prediction:
    """The answer that `text` gives to `item`, or None when it cannot be read.

    Reasoning in `<think>` tags does not count (see `final_text`).
    """
    final = final_text(text)
    if final is None or len(final) > MAX_CHARACTERS:
        return None
    if item.kind == "entities":
        return parse_entities(final, item.document)
    if item.kind == "text":
        return (whole_characters(final).strip(),) if final.strip() else None
    if item.kind == "number":
        return parse_number(final)
    return parse_letters(final, item.choices, item.wanted, item.question)


def final_text(text: str) -> str | None:
    """What follows a model's reasoning: the text after the last closing tag; None when a block was never closed.

    >>> final_text("<think>Aだろうか。いや。</think>C")
    'C'
    >>> final_text("<think>Aだろうか") is None
    True
    """
    last = None
    for last in _THINKING.finditer(text):  # noqa: B007 (the last one is wanted)
        pass
    if last is None:
        return text
    return text[last.end() :] if last[1] else None


def upstream_letter(text: str) -> Prediction:
    """The published scorer's reading of a choice: the first of the letters A to F anywhere in the text.

    >>> upstream_letter("ANSWER: C")
    ('A',)
    """
    return next(((character,) for character in text if character in UPSTREAM_LETTERS), None)


def upstream_list(text: str) -> Prediction:
    """The published scorer's reading of a list: the elements of what Python evaluates the whole text to, each once.

    Nothing is evaluated here, only literals are read. An element that is no text (a number, None, a tuple) equals no
    gold string but counts as an answer: a stand-in takes its place. Two differences from the published scorer remain:
    it stops with an error at an element that cannot be in a set (a list, a dictionary), and it executes expressions;
    both are unreadable here.

    >>> upstream_list("['咳', '咳', 1, True]")
    ('咳', '\ufffdint 1')
    >>> upstream_list("回答: ['咳']") is None and upstream_list("[['咳']]") is None
    True
    """
    values = python_list(text)
    if values is None:
        return None
    try:
        distinct = list(dict.fromkeys(values))
    except TypeError:
        return None
    return tuple(
        value if isinstance(value, str) and whole_characters(value) == value else _stand_in(value, place)
        for place, value in enumerate(distinct)
    )


def _stand_in(value: object, place: int) -> str:
    return f"{NOT_TEXT}{type(value).__name__} {place}"
