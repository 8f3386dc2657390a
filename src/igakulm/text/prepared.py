"""Prepared text: what a model reads in place of a text as a person wrote it, with the way back.

Does: bring a text into the form of a model (`Form`), and say for every character where it stood in the original.
Does not: delete personal data, tokenise, or know which form a model wants (preparation.py).

A vocabulary made of the cleaned corpus (section 2.2.1) has pieces for cleaned text only: to it "ＨｂＡ１ｃ" is twelve
bytes. So what a model is asked is cleaned as its corpus was. A person reads the original, by `original_span`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from igakulm.recipe.keys import Form as Form
from igakulm.text.cleaning import clean_mapped, widths_mapped


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text as a model reads it, and the places that its characters come from.

    Attributes:
        text: what the model reads.
        original: what it was made of.
        places: text[i] comes from the code point original[places[i]]; never falls; one longer than `text`, the last
            is len(original).
        ends: and from no code point at or after original[ends[i]] (three dots become one character); as long as `text`.
    """

    text: str
    original: str
    places: Sequence[int]
    ends: Sequence[int]

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """The smallest span of the original that covers text[start:end].

        >>> made = prepare("HbA1cは７．２％...", "cleaned")
        >>> made.text, made.original_span(6, 11), made.original[6:13]
        ('HbA1cは7.2%…', (6, 13), '７．２％...')
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"no span of {len(self.text)} characters: {start} to {end}")
        first = self.places[start]
        return first, self.ends[end - 1] if end > start else first

    def prepared_span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the text that comes from original[start:end]; empty where nothing of it is left.

        >>> made = prepare("熱。\\u200b①ＣＲＰ", "cleaned")
        >>> made.text, made.prepared_span(3, 4), made.prepared_span(2, 3)
        ('熱。(1)CRP', (2, 5), (2, 2))
        """
        if not 0 <= start <= end <= len(self.original):
            raise ValueError(f"no span of {len(self.original)} characters: {start} to {end}")
        first = bisect_right(self.ends, start)
        return first, max(first, bisect_left(self.places, end, hi=len(self.text)))


def prepare(text: str, form: Form) -> Prepared:
    """A text in the form that a model wants.

    `cleaned` is `clean_text` of the whole text: give a whole message, not its parts, for what a character becomes
    depends on its neighbours.

    >>> prepare("血圧１２０／８０ｍｍＨｇ（臥位）．", "cleaned").text
    '血圧120/80mmHg(臥位)。'
    >>> prepare("①ＣＲＰ１２．３（ﾃﾞｰﾀ）", "width").text
    '(1)CRP12．3(データ)'
    >>> prepare(" ＣＲＰ", "raw").text
    ' ＣＲＰ'
    """
    if form == "raw":
        return Prepared(text, text, range(len(text) + 1), range(1, len(text) + 1))
    made, places = clean_mapped(text) if form == "cleaned" else widths_mapped(text)
    return Prepared(made, text, (*places[0].tolist(), len(text)), tuple(places[1].tolist()))
