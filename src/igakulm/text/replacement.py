"""U+FFFD, the mark of a character that could not be read: repaired where its neighbours leave one possibility.

Does: find what stood there. Does not: decide what becomes of a document with others (corpus/work.py drops it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from igakulm.text.broken import REPLACEMENT

_UNITS = r"(?:g|L|l|m|M|U|mol|kat|Sv|Gy|s|sec|V|A)(?![A-Za-z])"
_DEGREE = re.compile(rf"(?<=[0-9０-９])( ?){REPLACEMENT}(?=[CＣ](?![A-Za-zア-ンー]))")
_MICRO = re.compile(rf"(?<=[0-9０-９/／(（×])( ?){REPLACEMENT}(?={_UNITS})")
_NAMES = (
    "Sjögren",
    "Ménière",
    "Behçet",
    "Guillain-Barré",
    "Köhler",
    "Sézary",
    "Löffler",
    "Möbius",
    "Raynaud",
    "Waldenström",
)
_NAME = re.compile(rf"[A-Z](?:[A-Za-z-]*{REPLACEMENT})+[A-Za-z-]*|{REPLACEMENT}[A-Za-z]+")


def repair(text: str) -> Iterator[tuple[int, int, str]]:
    """Edits (start, end, written), by place, that put back what can be known.

    >>> [written for *_, written in repair("37.5�C、25�g、Sj�gren症候群、5�2")]
    ['°', 'μ', 'Sjögren']
    """
    found = [(*match.span(), match[1] + sign) for sign, pattern in (("°", _DEGREE), ("μ", _MICRO))
             for match in pattern.finditer(text)]  # fmt: skip
    for match in _NAME.finditer(text):
        shape = re.compile(re.escape(match[0]).replace(re.escape(REPLACEMENT), "[^A-Za-z]{1}"))
        names = [name for name in _NAMES if shape.fullmatch(name)]
        if len(names) == 1:
            found.append((*match.span(), names[0]))
    done = 0
    for start, end, written in sorted(found):
        if start >= done:
            yield start, end, written
            done = end


def unreadable(text: str) -> int:
    """How many characters of a text are lost for good.

    >>> unreadable("37.5�C"), unreadable("5�2と�")
    (0, 2)
    """
    if REPLACEMENT not in text:
        return 0
    return text.count(REPLACEMENT) - sum(text[start:end].count(REPLACEMENT) for start, end, _ in repair(text))
