"""From what a model wrote to an answer: letters, a list of strings, or the digits of a number.

Does: read tolerant forms (full-width letters, "Answer: C", several letters, a list inside other text), and, apart from
them, the readings of the published JMED-LLM scorer. Does not: evaluate code, guess among several candidates, or score.
An answer that cannot be read is None and counts as wrong.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias

from igakulm.benchmarks.items import LETTERS, Item
from igakulm.benchmarks.literals import MAX_CHARACTERS, string_list

Prediction: TypeAlias = tuple[str, ...] | None
"""Sorted capital letters, strings, or one string of digits; None = could not be read."""

_SEPARATOR = r"(?:\s*(?:[,、・/&]|と|および|及び|and|or)\s*|\s+)"
_GROUP = rf"[A-Za-z](?:{_SEPARATOR}[A-Za-z])*(?![A-Za-z0-9])(?!(?<=a)\s+[a-z])"  # not the article "a"
_OPENING, _CLOSING = r"[\s「『(\[\"'*]*", r"[\s」』)\]\"'*.。:]*"
_ALONE = re.compile(rf"{_OPENING}(?:({_GROUP})|([A-Z]{{2,5}}|[a-z]{{2,5}})){_CLOSING}(?:です{_CLOSING})?")
_MARKER = r"(?:final answer|correct answer|answer|正解|正答|解答|回答|答え|答)"
_MARKED = re.compile(rf"{_MARKER}\s*(?:は|が|is|[:=])?\s*[:=]?{_OPENING}({_GROUP})", re.IGNORECASE)
_LABEL = re.compile(rf"^{_OPENING}([A-Za-z])\s*[.:)、]\s*\S", re.MULTILINE)
_STANDALONE = re.compile(r"(?<![A-Za-z0-9])[A-Z](?![A-Za-z0-9])")
MAX_STARTS = 10
"""Opening brackets of an answer at which a list is looked for."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MARKED_NUMBER = re.compile(rf"{_MARKER}\s*(?:は|が|is|[:=])?[^\d\n]{{0,8}}({_NUMBER.pattern})", re.IGNORECASE)
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_WHOLE_STRINGS = re.compile(rf"\[\s*{_QUOTED}(?:\s*,\s*{_QUOTED})*")


def parse_answer(item: Item, text: str) -> Prediction:
    """The answer that `text` gives to `item`, or None when it cannot be read."""
    if len(text) > MAX_CHARACTERS:
        return None
    if item.kind == "entities":
        return parse_list(text)
    if item.kind == "number":
        return parse_number(text)
    return parse_letters(text, item.choices, item.wanted)


def parse_letters(text: str, choices: tuple[str, ...], wanted: int = 1) -> Prediction:
    """The letters that a text names, sorted and each once.

    Tried in order: the whole text is letters or the text of one option; letters after a word such as "answer" or 正解
    (the last one counts, so that reasoning may come first); lines that begin with one label ("C. …"), if no line begins
    with another; single capital letters standing alone, if there are exactly as many as the question asks for. A letter
    beyond the options makes the answer unreadable.

    >>> parse_letters("答えは「Ｃ」です。", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("ANSWER: c", ("x", "y", "z"))
    ('C',)
    >>> parse_letters("c, a", ("x", "y", "z"), wanted=2)
    ('A', 'C')
    >>> parse_letters("AかBのどちらかです", ("x", "y")) is None
    True
    """
    known = LETTERS[: len(choices)]
    text = unicodedata.normalize("NFKC", text).strip()
    if (whole := _ALONE.fullmatch(text)) and (whole[1] or len(whole[2]) == wanted):
        return _known(re.findall(r"[A-Za-z]", _without_words(whole[1] or whole[2])), known)
    options = [unicodedata.normalize("NFKC", choice).strip() for choice in choices]
    if options.count(text.rstrip("。")) == 1 or options.count(text) == 1:
        return (known[options.index(text if text in options else text.rstrip("。"))],)
    if marked := _MARKED.findall(text):
        return _known(re.findall(r"[A-Za-z]", _without_words(marked[-1])), known)
    if len(labels := {label.upper() for label in _LABEL.findall(text)}) == 1 and wanted == 1:
        return _known(list(labels), known)
    alone = sorted(set(_STANDALONE.findall(text)))
    return _known(alone, known) if len(alone) == wanted else None


def _without_words(letters: str) -> str:
    return re.sub(r"\b(?:and|or)\b", " ", letters, flags=re.IGNORECASE)


def _known(letters: list[str], known: str) -> Prediction:
    found = tuple(sorted({letter.upper() for letter in letters}))
    return found if found and all(letter in known for letter in found) else None


def parse_list(text: str) -> Prediction:
    """The strings of the list that a text holds, each once, in order.

    The list may stand inside other text. One that was cut off by the token limit counts up to its last whole string.
    Nested lists and anything that would have to be executed are unreadable.

    >>> parse_list("回答: ['発熱', '咳', '咳']")
    ('発熱', '咳')
    >>> parse_list('["発熱", "咳", "倦怠')
    ('発熱', '咳')
    >>> parse_list("__import__('os').listdir('/')") is None
    True
    """
    if len(text) > MAX_CHARACTERS:
        return None
    starts = [place for place, character in enumerate(text) if character == "["][:MAX_STARTS]
    end = text.rfind("]") + 1
    found = next((list_ for start in starts if (list_ := string_list(text[start:end])) is not None), None)
    if found is None and starts and starts[-1] >= end and text.count("[") == text.count("]") + 1:
        found = _cut_off(text[starts[-1] :])
    return None if found is None else tuple(dict.fromkeys(entry.strip() for entry in found if entry.strip()))


def _cut_off(text: str) -> tuple[str, ...] | None:
    """The whole strings at the beginning of an unclosed list."""
    begun = _WHOLE_STRINGS.match(text)
    return string_list(begun[0] + "]") if begun else None


def parse_number(text: str) -> Prediction:
    """The digits of the number that a text names, without the decimal point, as on the mark sheet.

    The number after a word such as "answer" or 答え counts (the last such one), else the only number in the text.

    >>> parse_number("答え：７．２０")
    ('720',)
    >>> parse_number("250 - 80 - 24 = 146") is None
    True
    """
    text = unicodedata.normalize("NFKC", text)
    marked = _MARKED_NUMBER.findall(text)
    numbers = marked[-1:] or _NUMBER.findall(text)
    return (re.sub(r"\D", "", numbers[0]),) if len(numbers) == 1 else None


def upstream_letter(text: str) -> Prediction:
    """The published scorer's reading of a choice: the first of the letters A to F anywhere in the text.

    >>> upstream_letter("ANSWER: C")
    ('A',)
    """
    return next(((character,) for character in text if character in "ABCDEF"), None)


def upstream_list(text: str) -> Prediction:
    """The published scorer's reading of a list (the whole text must be one), without its evaluation of code.

    Lists that would make the published scorer stop (nested ones) are unreadable here.
    """
    return string_list(text)
