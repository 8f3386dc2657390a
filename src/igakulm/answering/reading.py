"""From what a model wrote to an answer: letters, a list of strings, or the digits of a number.

Does: read tolerant forms (full-width letters, "Answer: C", several letters, a list inside other text, an answer after
reasoning), and, apart from them, the readings of the published JMED-LLM scorer. Does not: evaluate code, guess among
several candidates, or score. An answer that cannot be read is None and counts as wrong.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias

from igakulm.tasks.items import LETTERS, Item
from igakulm.text.broken import whole_characters
from igakulm.text.lists import list_items
from igakulm.text.literals import MAX_CHARACTERS, python_list

Prediction: TypeAlias = tuple[str, ...] | None
"""Sorted capital letters, strings, or one string of digits; None = could not be read."""

_THINKING = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{(?:\s*\\[a-z]+\s*\{)?([^{}]*)\}")

# A letter is part of a word in "IgA", "C型肝炎", "Cペプチド", "C-反応", "ビタミンC", "病期C", but not in "選択肢C".
_BEFORE = r"(?:(?<![A-Za-z0-9ァ-ヶー一-龯])|(?<=[肢解答択]))"
_AFTER = r"(?![A-Za-z0-9ァ-ヶー-])(?:(?![一-龯々])|(?=番))"
_SEPARATOR = r"(?:\s*(?:[,、・/&]|と|および|及び|and)\s*|\s+)"
_DENIED = r"(?!\s*(?:で[はも](?:な|無|あり|[A-Za-z])|じゃな|以外))"  # "Aではなく", "AでもBでもない"
_ALTERNATIVE = r"(?!\s*(?:か|または|又は|もしくは|あるいは|or)\s*[A-Za-z])"  # "AかC"
_ARTICLE = r"(?!(?<=a)\s+[a-z])"
_GROUP = rf"[A-Za-z]{_AFTER}(?:{_SEPARATOR}[A-Za-z]{_AFTER})*+{_DENIED}{_ALTERNATIVE}{_ARTICLE}"
# Possessive and bounded, so that no answer, however odd, takes more than linear time.
_OPENING, _CLOSING = r"[\s「『【(\[\"'*`]{0,20}+", r"[\s」』】)\]\"'*`.。:]{0,20}+"
_ALONE = re.compile(rf"{_OPENING}(?:({_GROUP})|([A-Z]{{2,5}}|[a-z]{{2,5}})){_CLOSING}(?:(?:です|である|だ){_CLOSING})?")
_MARKER = r"(?:answer|correct (?:option|choice)|正解|正答|解答|回答|答え|答)"
_MARKED = re.compile(
    rf"{_MARKER}[\s」』】)\"'*]{{0,9}}+(?:は|が|is)?[\s:=、,]{{0,9}}+{_OPENING}(?:選択肢|option|choice)?{_OPENING}({_GROUP})",
    re.IGNORECASE,
)
_LABEL = re.compile(rf"^{_OPENING}([A-Za-z])[*\s]{{0,4}}+[.:)、][*\s]{{0,4}}+\S", re.MULTILINE)
_NAMED = re.compile(rf"選択肢\s*([a-z]){_AFTER}|{_BEFORE}([a-z])\s*(?:が正|が最も|が適切|です|を選)")
_STANDALONE = re.compile(rf"{_BEFORE}[A-Z]{_AFTER}{_DENIED}")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MARKED_NUMBER = re.compile(rf"{_MARKER}\s*(?:は|が|is|[:=])?[^\d\n]{{0,8}}({_NUMBER.pattern})", re.IGNORECASE)
UPSTREAM_LETTERS = "ABCDEF"
NOT_TEXT = "\ufffd"
"""Begins the stand-in for an element of a list that is no text (see `upstream_list`)."""


def parse_answer(item: Item, text: str) -> Prediction:
    """The answer that `text` gives to `item`, or None when it cannot be read.

    Reasoning in `<think>` tags does not count (see `final_text`).
    """
    final = final_text(text)
    if final is None or len(final) > MAX_CHARACTERS:
        return None
    if item.kind == "entities":
        return list_items(final)
    if item.kind == "number":
        return parse_number(final)
    return parse_letters(final, item.choices, item.wanted)


def final_text(text: str) -> str | None:
    """What follows a model's reasoning: the text after the last closing tag; None when a block was never closed.

    >>> final_text("<think>Aだろうか。いや。</think>C")
    'C'
    >>> final_text("<think>Aだろうか") is None
    True
    """
    last = None
    for last in _THINKING.finditer(text):  # noqa: B007 (the last one is wanted)
        pass
    if last is None:
        return text
    return text[last.end() :] if last[1] else None


def parse_letters(text: str, choices: tuple[str, ...], wanted: int = 1) -> Prediction:
    """The letters that a text names, sorted and each once.

    Tried in order: the whole text is letters or the text of one option; the last LaTeX box; letters after a word such
    as "answer" or 正解 (the last one counts, so that reasoning may come first); lines of nothing but letters, if they
    agree; lines that begin with a label ("C. …"), if all such labels are the same; a small letter as in "選択肢c" or
    "cが正しい"; single capital letters standing alone, if there are exactly as many as the question asks for. A letter
    beyond the options makes the answer unreadable. Letters of words (C型肝炎, ビタミンC) and denied letters (Aではなく)
    are left out.

    >>> parse_letters("答えは「Ｃ」です。", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("ANSWER: c", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("よって $\\\\boxed{\\\\text{C}}$", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("c, a", ("x", "y", "z"), wanted=2)
    ('A', 'C')
    >>> parse_letters("AかBのどちらかです", ("x", "y")) is None
    True
    """
    known = LETTERS[: len(choices)]
    text = unicodedata.normalize("NFKC", text).strip()
    if letters := _whole(text, wanted):
        return _known(letters, known)
    options = [unicodedata.normalize("NFKC", choice).strip() for choice in choices]
    for option in (text, text.rstrip("。")):
        if options.count(option) == 1:
            return (known[options.index(option)],)
    if (boxes := _BOXED.findall(text)) and (letters := _whole(boxes[-1].strip(), wanted)):
        return _known(letters, known)
    if marked := _MARKED.findall(text):
        return _known(_letters(marked[-1]), known)
    for candidates in (
        {"".join(letters) for line in text.splitlines() if (letters := _whole(line.strip(), wanted))},
        {label.upper() for label in _LABEL.findall(text)} if wanted == 1 else set(),
        {(first or second).upper() for first, second in _NAMED.findall(text)},
    ):
        if len(candidates) == 1:
            return _known(list(candidates.pop()), known)
    alone = sorted(set(_STANDALONE.findall(text)))
    return _known(alone, known) if len(alone) == wanted else None


def _whole(text: str, wanted: int) -> list[str]:
    """The letters of a text that is nothing else ("C", "(c)", "A, C", "AC" where two are wanted), else []."""
    found = _ALONE.fullmatch(text)
    if not found or not (found[1] or len(found[2]) == wanted):
        return []
    return _letters(found[1] or found[2])


def _letters(group: str) -> list[str]:
    return [letter.upper() for letter in re.findall(r"[A-Za-z]", re.sub(r"(?i)\band\b", " ", group))]


def _known(letters: list[str], known: str) -> Prediction:
    found = tuple(sorted(set(letters)))
    return found if found and all(letter in known for letter in found) else None


def parse_number(text: str) -> Prediction:
    """The digits of the number that a text names, without the decimal point, as on the mark sheet.

    The last LaTeX box counts, else the number after a word such as "answer" or 答え (the last such one), else the only
    number in the text.

    >>> parse_number("答え：７．２０")
    ('720',)
    >>> parse_number("250 - 80 - 24 = 146") is None
    True
    """
    text = unicodedata.normalize("NFKC", text)
    if boxes := _BOXED.findall(text):
        text = boxes[-1]
    marked = _MARKED_NUMBER.findall(text)
    numbers = marked[-1:] or _NUMBER.findall(text)
    return (re.sub(r"\D", "", numbers[0]),) if len(numbers) == 1 else None


def upstream_letter(text: str) -> Prediction:
    """The published scorer's reading of a choice: the first of the letters A to F anywhere in the text.

    >>> upstream_letter("ANSWER: C")
    ('A',)
    """
    return next(((character,) for character in text if character in UPSTREAM_LETTERS), None)


def upstream_list(text: str) -> Prediction:
    """The published scorer's reading of a list: the elements of what Python evaluates the whole text to, each once.

    Nothing is evaluated here, only literals are read. An element that is no text (a number, None, a tuple) equals no
    gold string but counts as an answer: a stand-in takes its place. Two differences from the published scorer remain:
    it stops with an error at an element that cannot be in a set (a list, a dictionary), and it executes expressions;
    both are unreadable here.

    >>> upstream_list("['咳', '咳', 1, True]")
    ('咳', '\ufffdint 1')
    >>> upstream_list("回答: ['咳']") is None and upstream_list("[['咳']]") is None
    True
    """
    values = python_list(text)
    if values is None:
        return None
    try:
        distinct = list(dict.fromkeys(values))
    except TypeError:
        return None
    return tuple(
        value if isinstance(value, str) and whole_characters(value) == value else _stand_in(value, place)
        for place, value in enumerate(distinct)
    )


def _stand_in(value: object, place: int) -> str:
    return f"{NOT_TEXT}{type(value).__name__} {place}"
