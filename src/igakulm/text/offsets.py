"""Places in a text as other programs count them: in code points, in UTF-16 units, or in what a reader sees as one.

Does: turn spans of Python (code points) into spans of another count, and back. Does not: know who counts how.

JavaScript counts UTF-16 units, so that 𩸽 has two. Grapheme clusters are those of Unicode's annex 29: ｶﾞ and か with a
combining mark have one, and so has a line break of two characters.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

Units = Literal["code-points", "utf-16", "graphemes"]


def borders(text: str, units: Units) -> list[int]:
    """For each code point, and for the end, the number of units before it; inside of a unit, that unit's beginning.

    >>> borders("𩸽を", "utf-16"), borders("𩸽を", "code-points"), borders("ｶﾞﾝ", "graphemes")
    ([0, 2, 3], [0, 1, 2], [0, 0, 1, 2])
    """
    if units == "code-points":
        return list(range(len(text) + 1))
    if units == "utf-16":
        counts = [0]
        for character in text:
            counts.append(counts[-1] + (2 if ord(character) > 0xFFFF else 1))
        return counts
    import regex

    counts = []
    for number, cluster in enumerate(regex.findall(r"\X", text)):
        counts += [number] * len(cluster)
    return [*counts, counts[-1] + 1 if counts else 0]


def counted_span(text: str, start: int, end: int, units: Units) -> tuple[int, int]:
    """`text[start:end]` in other units; where it begins or ends inside of a unit, the whole unit.

    >>> counted_span("𩸽とｶﾞﾝ", 2, 5, "utf-16"), counted_span("𩸽とｶﾞﾝ", 2, 3, "graphemes")
    ((3, 6), (2, 3))
    """
    counts = borders(text, units)
    last = counts[end]
    inside = start < end < len(text) and counts[end] == counts[end - 1]
    return counts[start], last + 1 if inside else last


def span_of(text: str, start: int, end: int, units: Units) -> tuple[int, int] | None:
    """The code points of a span in other units; None where it lies outside of the text or cuts a character.

    >>> span_of("𩸽とｶﾞﾝ", 3, 6, "utf-16"), span_of("𩸽と", 1, 3, "utf-16"), span_of("𩸽と", 0, 9, "utf-16")
    ((2, 5), None, None)
    """
    counts = borders(text, units)
    found = []
    for place in (start, end):
        # The first code point of a unit: those inside of a cluster have the same count.
        at = bisect_right(counts, place - 1) if place > 0 else 0
        if not 0 <= place <= counts[-1] or counts[at] != place:
            return None
        found.append(at)
    return (found[0], found[1]) if found[0] < found[1] else None
