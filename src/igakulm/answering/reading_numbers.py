"""The number that a free answer names, as the digits of a mark sheet.

Does: take the number in a box, behind a word such as 答え, behind the last sign of equality, or the only one.
Does not: calculate, or choose between two.
"""

from __future__ import annotations

import re

from igakulm.answering.markup import boxes, json_answer, plain, unwrapped

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_ANY = re.compile(_NUMBER)
_UNITS = re.compile(r"/?\s*1\.73\s*m\^?2|(?<=[a-zA-Z])\^?[0-9]|[×x]\s*10\^?\d+|10\^\d+")
_LEFT = r"(?<![不非誤])"
_MARKER = rf"(?:{_LEFT}正解|{_LEFT}正答|解答|{_LEFT}回答|答え|(?<![不誤正解回応])答|(?:[Tt]he )?(?<![a-z])[Aa]nswer)"
_FINAL = re.compile(rf"(?:最終(?:的な)?(?:回答|解答|答え)|[Ff]inal [Aa]nswer|結論)[^\d\n]{{0,10}}?({_NUMBER})")
_MARKED = re.compile(rf"{_MARKER}\s*(?:は|が|is|[:=])?[^\d\n。]{{0,10}}?({_NUMBER})", re.IGNORECASE)
_SO = re.compile(rf"(?:したがって|よって|ゆえに|以上より|計算すると)[^\d\n。=]{{0,12}}({_NUMBER})(?![^。\n]*[=≒])")
_EQUAL = re.compile(rf"[=≒≈]\s*約?\s*({_NUMBER})(?!\s*[-+×*÷/]\s*\d)")
_INSTEAD = re.compile(r"\s*(?:[^\d\s。]{0,6}?)\s*(?:か|または|又は|もしくは|あるいは|or|、|,|〜|~)\s*\d")


def parse_number(text: str) -> tuple[str, ...] | None:
    """The digits of the number that a text names, without the decimal point; None when it names none or several.

    >>> parse_number("答え：７．２０"), parse_number("250 - 80 - 24 = 146")
    (('720',), ('146',))
    >>> parse_number("80 または 90") is None
    True
    """
    text = unwrapped(text)
    told = json_answer(text)
    if told is not None:
        return _only(told[0]) if len(told) == 1 else None
    found, text = boxes(text)
    if found:
        return _only(found[-1])
    text = _UNITS.sub(" ", plain(text))
    for pattern in (_FINAL, _MARKED, _SO):
        places = list(pattern.finditer(text))
        if places:
            numbers = {place[1] for place in places}
            doubtful = any(_INSTEAD.match(text, place.end()) for place in places)
            return _digits(numbers.pop()) if len(numbers) == 1 and not doubtful else None
    equal = _EQUAL.findall(text)
    return _digits(equal[-1]) if equal else _only(text)


def _only(text: str) -> tuple[str, ...] | None:
    numbers = set(_ANY.findall(_UNITS.sub(" ", text)))
    return _digits(numbers.pop()) if len(numbers) == 1 else None


def _digits(number: str) -> tuple[str, ...]:
    return (re.sub(r"\D", "", number),)
