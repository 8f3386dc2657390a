"""Personal data out of a text, with the map of lengths: the function that every stage calls.

Does: find, replace, and say where every character of the original went, so that labels and offsets of rows move too.
Does not: read files (corpus/deidentify.py).
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from igakulm.recipe.personal_data import Deidentification, Kind
from igakulm.text.personal.finder import LAYERS, Finder
from igakulm.text.personal.spans import DEFAULT_KINDS, Span
from igakulm.text.personal.surrogates import Surrogates, reference_year

Key = TypeVar("Key", bound=Hashable)


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
        return Finder(kinds, self.config.layers or LAYERS, min_confidence=self.config.min_confidence)

    def find(self, text: str) -> list[Span]:
        """What is replaced in a text."""
        return self.finder.find(text)

    def surrogates(self, scope: str) -> Surrogates:
        """The surrogates of one patient or record."""
        return Surrogates(self.config.style, self.config.dates, self.secret, scope)

    def __call__(self, text: str, scope: str = "") -> Replaced:
        """A text without personal data; `scope` names the patient, for the shift of dates and the surrogates."""
        spans = self.find(text)
        self.documents += 1
        return self.replace(text, spans, self.surrogates(scope), reference_year(text, spans))

    def find_together(
        self, texts: Mapping[Key, str], label: Callable[[Key], str] = lambda _: ""
    ) -> dict[Key, list[Span]]:
        """The spans of the texts of one record, found as one text, so that they know of each other's names.

        Args:
            texts: any keys.
            label: what stands before a text and a colon, such as the name of its column; "" = nothing.
        """
        joined = ""
        places: list[tuple[Key, int, int]] = []
        for key, text in texts.items():
            name = label(key)
            joined += f"{name}：" if name else ""
            places.append((key, len(joined), len(joined) + len(text)))
            joined += f"{text}\n" if len(texts) > 1 else text
        found: dict[Key, list[Span]] = {key: [] for key in texts}
        spans = self.find(joined)
        for key, start, end in places:
            for span in spans:
                if span.start < end and span.end > start:
                    cut = span._replace(start=max(span.start, start) - start, end=min(span.end, end) - start)
                    found[key].append(cut)
        return found

    def replace_together(self, texts: Mapping[Key, str], scope: str) -> dict[Key, Replaced]:
        """The texts of one record without personal data; counted as one document."""
        found = self.find_together(texts)
        year = next((year for key, text in texts.items() if (year := reference_year(text, found[key]))), None)
        surrogates = self.surrogates(scope)
        self.documents += 1
        return {key: self.replace(text, found[key], surrogates, year) for key, text in texts.items()}

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
        return Replaced("".join([*pieces, text[done:]]), text, found, tuple(edits))

    def record(self) -> dict[str, object]:
        """What was done, for a stage's manifest and the card: no text of any span is in it."""
        return {
            "how": "replaced",
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
