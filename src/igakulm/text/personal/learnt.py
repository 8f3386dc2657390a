"""The layer that learnt: a small tagger for names, dates of birth, addresses and institutions.

Does: say what the dictionaries know of a text (the tagger's clues), open the tagger that this package ships, and turn
what it finds into spans. Does not: learn (benchmarks/personal_tagger.py makes the file from invented notes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import get_args

from igakulm.recipe.personal_data import Kind
from igakulm.text.personal.exceptions import ENGLISH_GIVEN, NO_NAME
from igakulm.text.personal.gazetteer import Gazetteer, gazetteer
from igakulm.text.personal.name_shapes import is_eponym, latin_name
from igakulm.text.personal.reading import HAN, composed
from igakulm.text.personal.sentences import named_words
from igakulm.text.personal.spans import Span
from igakulm.text.tagger import Mark, Tagger

MODEL_FILE = "tagger.crf"
LEARNT_KINDS: tuple[Kind, ...] = ("name", "birth_date", "address", "institution")
LEAST = 0.5
"""Strings that are less probable than this are not told."""
SUREST = 0.8
"""The confidence of the most probable ones: a label says more."""
LONGEST = 400
"""Characters that are looked at together; longer lines are cut."""

_RUN = re.compile(rf"[{HAN}]+")
_BODY = re.compile("[病症炎癌腫瘤斑疹癬痙攣瘻瘡膿筋腺膜胞骨剤薬液錠]$|..[湯散飲]$")
"""No family's name ends so (「前斜角筋」「柴胡桂枝湯」)."""
_KANA = re.compile("[ァ-ヺー゛゜]{2,}|[ぁ-ん]{2,}")


def clues(seen: str) -> Iterator[Mark]:
    """What dictionaries know of the strings of a text: surnames, given names, places, words, and MeCab's names."""
    lists = gazetteer()
    for run in _RUN.finditer(seen):
        yield from _clues_of_run(run[0], run.start(), lists)
    for run in _KANA.finditer(seen):
        reading = composed(run[0])
        for kind, known in (("surname kana", lists.surname_readings), ("given kana", lists.given_readings)):
            if reading in known:
                yield Mark(run.start(), run.end(), kind)
    for words in named_words(seen):
        yield from (Mark(word.start, word.end, f"mecab {word.kind}") for word in words if word.kind)


def _clues_of_run(run: str, offset: int, lists: Gazetteer) -> Iterator[Mark]:
    known = (
        ("frequent", lists.frequent),
        ("surname", lists.surnames),
        ("given", lists.given),
        ("place", lists.places),
        ("word", lists.words),
    )
    for start in range(len(run)):
        for end in range(start + 1, min(start + 4, len(run)) + 1):
            text = run[start:end]
            for kind, words in known:
                if text in words:
                    yield Mark(offset + start, offset + end, f"{kind} {end - start}")
    if run in NO_NAME:
        yield Mark(offset, offset + len(run), "no name")


@cache
def tagger() -> Tagger:
    """The tagger of this package."""
    return Tagger(files("igakulm.text.personal").joinpath(MODEL_FILE).read_bytes(), clues)


def parts(seen: str) -> Iterator[tuple[int, int]]:
    """Where a text is cut: whole lines together up to `LONGEST` characters.

    >>> list(parts("あ" * 5 + "\\n" + "い" * 398))
    [(0, 6), (6, 404)]
    """
    start = end = 0
    for line in re.finditer(r"[^\n]*(?:\n|\Z)", seen):
        if line.end() - start > LONGEST and end > start:
            yield start, end
            start = end
        end = line.end()
        while end - start > LONGEST:
            yield start, start + LONGEST
            start += LONGEST
    if end > start:
        yield start, end


def find_learnt(seen: str, kinds: tuple[Kind, ...], model: Tagger | None = None) -> Iterator[Span]:
    """What the tagger finds of the given kinds.

    Args:
        seen: text as `reading.read` gives it.
        kinds: only these.
        model: another tagger than that of the package.
    """
    opened, lists = model or tagger(), gazetteer()
    for start, end in parts(seen):
        for found in opened.find(seen[start:end]):
            kind = next((kind for kind in get_args(Kind) if kind == found.kind), None)
            if kind not in kinds or kind is None or found.confidence < LEAST:
                continue
            first, last = _trimmed(seen, start + found.start, start + found.end)
            if first < last and not (kind == "name" and _is_none(seen, first, last, lists)):
                yield Span(first, last, kind, "tagger", min(found.confidence, SUREST))


def _trimmed(seen: str, start: int, end: int) -> tuple[int, int]:
    while start < end and seen[start] in " \n、。":
        start += 1
    while start < end and seen[end - 1] in " \n、。":
        end -= 1
    return start, end


def _is_none(seen: str, start: int, end: int, lists: Gazetteer) -> bool:
    """Whether words or letters are certainly no name: no list knows them as one, and they are words of a language."""
    text = seen[start:end]
    if text in NO_NAME or is_eponym(seen, end) or _BODY.search(text):
        return True
    if re.search("[A-Za-z]{3}", text):
        letters = re.findall("[A-Za-z']+", text)
        return not (latin_name(text, lists) or any(word.capitalize() in ENGLISH_GIVEN for word in letters))
    named = text in lists.surnames or text in lists.given or text in lists.places
    return text in lists.words and not named
