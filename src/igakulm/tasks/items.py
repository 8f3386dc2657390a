"""What a benchmark is made of: one item, whatever file it came from.

Does: hold the item. Does not: read files, render prompts or score answers.
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from typing import Literal

LETTERS = string.ascii_uppercase
ItemKind = Literal["choice", "entities", "number", "text"]


@dataclass(frozen=True, slots=True)
class Item:
    """One test or training item.

    `choices` is empty for entity items. `answer` holds capital letters (A = first choice) for choice items, the
    entity strings for entity items, digits for numeric questions, and one reference for free text. `document` is the
    source document that splits are grouped by (empty when there is none). `wanted` is how many answers the question
    asks for; 0 = it does not say (すべて選べ), so that nobody may be told.
    """

    id: str
    task: str
    kind: ItemKind
    question: str
    choices: tuple[str, ...]
    answer: tuple[str, ...]
    document: str = ""
    tag: str = ""
    wanted: int = 1
    points: float = 1
    group: str = ""  # year or part, for benchmarks that report by group
    also: tuple[tuple[str, ...], ...] = ()  # other answers that count as right
    sentences: tuple[str, ...] = ()  # the two sentences of a similarity item; splits compare them singly
    ordered: bool = False  # the choices are steps of a scale: kappa takes linear weights
    part: str = ""  # the paper of an examination, "A" to "F" for IgakuQA
    forbidden: tuple[str, ...] = ()  # letters of contra-indicated choices: too many of them fail the examination
    patient: str = ""  # rows of one patient never stand on two sides of a split, and are resampled together
    published: tuple[str, ...] = ()  # question and choices with the white space around them, where that differs
    labels: tuple[tuple[str, str], ...] = ()  # further (field, value) pairs of the row, for scores by subgroup


def normalised_document(text: str) -> str:
    """The form in which documents are compared: NFKC, letters and digits only.

    >>> normalised_document("「３８．５℃ の発熱。」") == normalised_document("38.5℃の発熱")
    True
    """
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text))
