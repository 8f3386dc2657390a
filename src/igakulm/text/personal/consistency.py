"""A name found once is found everywhere in its document: whole, by surname, by given name, and its reading.

Does: look for the names that other rules found again. Does not: find a first name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from igakulm.text.personal.exceptions import NO_NAME, WORD_NAMES
from igakulm.text.personal.gazetteer import Gazetteer
from igakulm.text.personal.name_shapes import is_eponym
from igakulm.text.personal.reading import HAN
from igakulm.text.personal.spans import Span

_READING = re.compile(
    r"[ ]?(?:[(（《〈\[]|｜|\|)[ ]?(?P<reading>[ァ-ヺー゛゜ぁ-ん・ ]{2,20}|[A-Z][A-Za-z' ,-]{2,30})[ ]?[)）》〉\]]"
)
_TITLED = re.compile(r"[ ]?(?:さん|様|さま|氏|殿|くん|君|ちゃん|先生|医師|Dr|Ns|看護師|本人|夫妻|家|宅)")
_PARTICLE = re.compile(r"$|[ \n、。，,.()（）「」『』:;/・|]|(?:は|が|を|に|も|と|の|へ|より|から|宛|氏|さん|様)")


def find_again(seen: str, names: Sequence[Span], lists: Gazetteer) -> Iterator[Span]:
    """Every other place of the names, and the readings that follow them in brackets."""
    whole: set[str] = set()
    surnames: set[str] = set()
    given: set[str] = set()
    for span in names:
        text = seen[span.start : span.end]
        reading = _READING.match(seen, span.end)
        if reading:
            yield Span(*reading.span("reading"), "name", "reading of a name", min(0.95, span.confidence))
        _parts(text, lists, whole, surnames, given)
    yield from _everywhere(seen, whole, "the same name")
    yield from _alone(seen, surnames - whole, "the same surname")
    yield from _alone(seen, given - whole - surnames, "the same given name")


def _parts(text: str, lists: Gazetteer, whole: set[str], surnames: set[str], given: set[str]) -> None:
    pieces = [piece for piece in re.split(r"[ \n・,]+", text) if piece]
    if len(pieces) == 2:
        whole.update((text, "".join(pieces), " ".join(pieces)))
        surnames.add(pieces[0])
        given.add(pieces[1])
        return
    place = lists.full_name(text) if re.fullmatch(f"[{HAN}]+", text) else 0
    if place:
        whole.update((text, f"{text[:place]} {text[place:]}"))
        surnames.add(text[:place])
        given.add(text[place:])
    elif len(text) > 1:
        surnames.add(text)


def _everywhere(seen: str, names: set[str], rule: str) -> Iterator[Span]:
    for name in sorted(names):
        if len(name) < 2:
            continue
        start = seen.find(name)
        while start >= 0:
            if not (name.isascii() and _inside_word(seen, start, start + len(name))):
                yield Span(start, start + len(name), "name", rule, 0.9)
            start = seen.find(name, start + len(name))


def _inside_word(seen: str, start: int, end: int) -> bool:
    return bool(re.match("[A-Za-z]", seen[start - 1 : start])) or bool(re.match("[A-Za-z]", seen[end : end + 1]))


def _alone(seen: str, names: set[str], rule: str) -> Iterator[Span]:
    """Parts of a name where they stand alone; single characters and words only before a title."""
    for name in sorted(names):
        if len(name) < 1 or name in NO_NAME:
            continue
        careful = len(name) == 1 or name in WORD_NAMES
        before = rf"(?<![{HAN}])" if re.match(f"[{HAN}]", name) else r"(?<![ァ-ヺーぁ-んA-Za-z])"
        for found in re.finditer(before + re.escape(name), seen):
            if is_eponym(seen, found.end()):
                continue
            rest = seen[found.end() : found.end() + 8]
            if _TITLED.match(rest) or (not careful and _PARTICLE.match(rest)):
                yield Span(*found.span(), "name", rule, 0.85)
