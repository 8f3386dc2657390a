"""Personal data out of a text, with the map of lengths: the function that every stage calls.

Does: find, replace, and say where every character of the original went, so that labels and offsets of rows move too.
Does not: read files (corpus/deidentify.py).
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from igakulm.recipe.personal_data import Deidentification, Kind
from igakulm.text.personal.finder import LAYERS, Finder
from igakulm.text.personal.spans import DEFAULT_KINDS, Span
from igakulm.text.personal.surrogates import Surrogates, reference_year


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of the original became `new_start` to `new_end`."""

    start: int
    end: int
    new_start: int
    new_end: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """A text without its personal data.

    Attributes:
        text: the new text; original: the old one; spans: what was found in it; edits: one a span, in order.
    """

    text: str
    original: str
    spans: tuple[Span, ...]
    edits: tuple[Edit, ...]

    def moved(self, start: int, end: int) -> tuple[int, int]:
        """Where characters `start` to `end` of the original stand now; what is cut in two is taken whole.

        >>> deidentified("佐藤花子様、咳あり", Deidentification()).moved(6, 7)
        (6, 7)
        """
        return self._place(start, upper=False), self._place(end, upper=True)

    def _place(self, offset: int, *, upper: bool) -> int:
        place = bisect_right(self.edits, offset, key=lambda edit: edit.start) - 1
        if upper and place >= 0 and self.edits[place].start == offset:
            place -= 1
        if place < 0:
            return offset
        edit = self.edits[place]
        if offset >= edit.end:
            return offset + edit.new_end - edit.end
        return edit.new_end if upper and offset > edit.start else edit.new_start


@dataclass(slots=True)
class Deidentifier:
    """Takes personal data out of texts, one setting for a whole source; counts what it did.

    Attributes:
        secret: from the key file; a random one that is never written otherwise.
    """

    config: Deidentification
    secret: bytes = b""
    counts: Counter[Kind] = field(default_factory=Counter)
    documents: int = 0

    def __post_init__(self) -> None:
        self.secret = self.secret or secrets.token_bytes(32)

    @property
    def finder(self) -> Finder:
        """The layers and kinds of the settings."""
        kinds = self.config.kinds or DEFAULT_KINDS
        if self.config.dates != "keep" and "date" not in kinds:
            kinds = (*kinds, "date")
        return Finder(kinds, self.config.layers or LAYERS)

    def find(self, text: str) -> list[Span]:
        """What is replaced in a text."""
        return [span for span in self.finder.find(text) if span.confidence >= self.config.min_confidence]

    def surrogates(self, scope: str) -> Surrogates:
        """The surrogates of one patient or record."""
        return Surrogates(self.config.style, self.config.dates, self.secret, scope)

    def __call__(self, text: str, scope: str = "") -> Replaced:
        """A text without personal data; `scope` names the patient, for the shift of dates and the surrogates."""
        spans = self.find(text)
        return self.replace(text, spans, self.surrogates(scope), reference_year(text, spans))

    def replace(self, text: str, spans: Iterable[Span], surrogates: Surrogates, year: int | None) -> Replaced:
        """A text with the given spans replaced; they are counted."""
        pieces: list[str] = []
        edits: list[Edit] = []
        done = length = 0
        found = tuple(spans)
        for span in found:
            new = surrogates.of(span, text[span.start : span.end], year)
            length += span.start - done
            pieces += (text[done : span.start], new)
            edits.append(Edit(span.start, span.end, length, length + len(new)))
            length, done = length + len(new), span.end
            self.counts[span.kind] += 1
        self.documents += 1
        return Replaced("".join([*pieces, text[done:]]), text, found, tuple(edits))

    def record(self) -> dict[str, object]:
        """What was done, for a stage's manifest and the card: no text of any span is in it."""
        return {
            "layers": list(self.config.layers or LAYERS),
            "style": self.config.style,
            "dates": self.config.dates,
            "documents": self.documents,
            "replaced": dict(sorted(self.counts.items())),
        }


def deidentified(text: str, config: Deidentification, scope: str = "") -> Replaced:
    """One text without personal data.

    >>> deidentified("患者：佐藤花子（９３歳）　ID 1234567　主訴は咳", Deidentification()).text
    '患者：[氏名]（[年齢]歳）\u3000ID [患者番号]\u3000主訴は咳'
    """
    return Deidentifier(config)(text, scope)
