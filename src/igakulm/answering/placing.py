"""Where the items that a model named stand in the text.

Does: find every occurrence, also in another width (half, full) and, when there is none, across white space; decide
overlaps; report what the text does not hold. Does not: guess at paraphrases, word forms or letter case, or know which
of several occurrences the model meant: it names strings, so all are given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_CLUSTER = re.compile("[\uff66-\uff9f][\uff9e\uff9f]?|.", re.DOTALL)
_LATIN = re.compile("[A-Za-zÀ-ÖØ-öø-ÿ]")
_KATAKANA = re.compile("[ァ-ヺー]")


@dataclass(frozen=True, slots=True)
class Place:
    """One occurrence: `text[start:end]`, in code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text in one width, with the place in the original that each of its characters comes from."""

    text: str
    starts: list[int]
    ends: list[int]

    def original(self, start: int, end: int) -> Place:
        return Place(self.starts[start], self.ends[end - 1])


def place_items(items: Iterable[str], text: str) -> tuple[list[Place], list[str]]:
    """All occurrences of the items, by place, and the items that the text does not hold.

    Longer items take their places first. A shorter one gets the occurrences that lie outside of them; when all its
    occurrences lie inside, it gets the first of them, so that no item of the text is lost: only then do places overlap.

    >>> place_items(["肺炎", "細菌性肺炎", "咳"], "細菌性肺炎の後、肺炎像は消えた")
    ([Place(start=0, end=5), Place(start=8, end=10)], ['咳'])
    >>> place_items(["CRP12", "データ"], "ＣＲＰ１２、ﾃﾞｰﾀなし")
    ([Place(start=0, end=5), Place(start=6, end=10)], [])
    >>> place_items(["5mg"], "15mgを内服")
    ([], ['5mg'])
    """
    wide, tight = _folded(text), _folded(text, spaces=False)
    wanted: dict[str, str] = {}
    for item in items:
        wanted.setdefault(_folded(item, spaces=False).text, item)
    taken = bytearray(len(text))
    places: set[Place] = set()
    unplaced = []
    # Python's sort keeps the order of equally long items: the result depends on the model's answer only.
    for key, item in sorted(wanted.items(), key=lambda pair: -len(pair[0])):
        found = _occurrences(_folded(item).text.strip(), wide) or _occurrences(key, tight)
        if not found:
            unplaced.append(item)
            continue
        free = [one for one in found if not any(taken[one.start : one.end])]
        for one in free or found[:1]:
            places.add(one)
            taken[one.start : one.end] = b"\x01" * (one.end - one.start)
    order = {item: number for number, item in enumerate(wanted.values())}
    return sorted(places, key=lambda one: (one.start, -one.end)), sorted(unplaced, key=order.__getitem__)


def _folded(text: str, *, spaces: bool = True) -> _Folded:
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        if not spaces and cluster[0].isspace():
            continue
        kana = "\uff66" <= cluster[0][0] <= "\uff9f"
        plain = unicodedata.normalize("NFKC", cluster[0]) if kana else cluster[0].translate(_WIDE)
        characters.append(plain)
        starts += [cluster.start()] * len(plain)
        ends += [cluster.end()] * len(plain)
    return _Folded("".join(characters), starts, ends)


def _occurrences(key: str, folded: _Folded) -> list[Place]:
    """Occurrences that cut no Latin word and no number; those that cut no katakana word, where there are any."""
    spans = [span for span in _spans(key, folded.text) if not _cuts(folded.text, *span)]
    whole = [span for span in spans if not _cuts_katakana(folded.text, *span)]
    return [folded.original(*span) for span in whole or spans]


def _spans(key: str, text: str) -> Iterator[tuple[int, int]]:
    start = text.find(key) if key else -1
    while start >= 0:
        yield start, start + len(key)
        start = text.find(key, start + len(key))


def _cuts(text: str, start: int, end: int) -> bool:
    """Whether a place begins or ends inside a Latin word or a number: "CT" in "ECT", "5mg" in "15mg" or "1.5mg"."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if _LATIN.match(text[start]) and before and _LATIN.match(before[-1]):
        return True
    if _LATIN.match(text[end - 1]) and after and _LATIN.match(after[0]):
        return True
    if text[start].isdecimal() and re.search(r"\d$|\d[.,．，]$", before):
        return True
    return text[end - 1].isdecimal() and bool(re.match(r"\d|[.．]\d", after))


def _cuts_katakana(text: str, start: int, end: int) -> bool:
    first = start > 0 and bool(_KATAKANA.match(text[start]) and _KATAKANA.match(text[start - 1]))
    last = end < len(text) and bool(_KATAKANA.match(text[end - 1]) and _KATAKANA.match(text[end]))
    return first or last
