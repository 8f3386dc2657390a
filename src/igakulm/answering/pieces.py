"""A long text in pieces that a model can read, each with its place.

Does: cut at sentence ends, and inside a sentence only when it alone is too long. Does not: count tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SENTENCE = re.compile(r"[^。！？!?\n]*(?:[。！？!?]+[」』）)】]*|\n)?")
_PAUSES = "、，,；;：:\u3000 \t"


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a text: `text` stands at `start` (code points) of the whole."""

    start: int
    text: str


def pieces_of(text: str, fits: Callable[[str], bool]) -> list[Piece]:
    """Pieces that `fits` accepts, together the whole text, each as long as possible.

    Args:
        text: any text.
        fits: whether a model can read a piece; what fits must also fit when it is shorter.

    >>> [piece.text for piece in pieces_of("熱がある。咳はない。食欲不振。", lambda piece: len(piece) <= 10)]
    ['熱がある。咳はない。', '食欲不振。']
    """
    if not text or fits(text):
        return [Piece(0, text)]
    pieces: list[Piece] = []
    sentences = [found[0] for found in _SENTENCE.finditer(text) if found[0]]
    start = first = 0
    while first < len(sentences):
        sentences[first : first + 1] = _cut(sentences[first], fits)
        last = _furthest(sentences, first, fits)
        if last < len(sentences) and len(parts := list(_cut(sentences[last], fits))) > 1:
            # Only where a piece ends can a sentence be too long; its beginning may still belong to this piece.
            sentences[last : last + 1] = parts
            last = _furthest(sentences, first, fits)
        piece = "".join(sentences[first:last])
        pieces.append(Piece(start, piece))
        start, first = start + len(piece), last
    return pieces


def _furthest(sentences: list[str], first: int, fits: Callable[[str], bool]) -> int:
    """The end of the longest run of sentences from `first` that fits; by steps that double, then by halves."""
    low, step = first + 1, 1
    while low + step <= len(sentences) and fits("".join(sentences[first : low + step])):
        low, step = low + step, step * 2
    high = min(low + step - 1, len(sentences))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits("".join(sentences[first:middle])) else (low, middle - 1)
    return low


def _cut(sentence: str, fits: Callable[[str], bool]) -> Iterator[str]:
    """Halves of halves until they fit; one character is given as it is."""
    waiting = [sentence]
    while waiting:
        part = waiting.pop()
        if len(part) < 2 or fits(part):
            yield part
            continue
        middle = _pause(part)
        waiting += [part[middle:], part[:middle]]


def _pause(part: str) -> int:
    """The place after the pause that lies nearest to the middle, in the middle half; else the middle itself."""
    middle, width = len(part) // 2, len(part) // 4
    after = [place + 1 for place in range(middle - width, middle + width) if part[place] in _PAUSES]
    return min(after, key=lambda place: abs(place - middle), default=middle)
