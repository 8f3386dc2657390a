"""Telephone numbers, extensions and pagers.

Does: find numbers by Japan's numbering plan, after labels, from abroad, in Chinese numerals, and extensions after 内線
and PHS. Does not: take serial, model, lot or record numbers of the same look: the word before them says so.
Source of the plan: ministerial ordinance 82 of 2019 (電気通信番号計画): ten digits, or eleven after 020, 050, 0[6-9]0,
0800.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from igakulm.text.personal.reading import kanji_digits
from igakulm.text.personal.spans import Piece

_BETWEEN = r"(?:\) ?-?|\(| ?[-.―・] ?| )"
_TAIL = r"(?![0-9]|[.-][0-9])"
_GROUPS = rf"[0-9]{{1,4}}{_BETWEEN}[0-9]{{1,4}}{_BETWEEN}[0-9Oo]{{3,4}}{_TAIL}\)?"
_BRACKETED = re.compile(rf"\(0{_GROUPS}")
_SEPARATED = re.compile(rf"0(?<![0-9]0){_GROUPS}")
_SOLID = re.compile(
    rf"0(?<![0-9A-Za-z.-]0)(?:[5789]0[- ]?[0-9]{{8}}|[5789]0[- ]?[0-9]{{4}}[- ][0-9]{{4}}|120[- ]?[0-9]{{6}}"
    rf"|120[- ][0-9]{{2}}[- ]?[0-9]{{4}}){_TAIL}"
)
_ABROAD = re.compile(
    r"(?<![0-9])(?:\(\+81\)|(?:\+ ?|00|"
    r"010-?)81)[- ]?(?:\(0\))?[-( ]?[0-9]{1,4}[-) ]?[0-9]{1,4}[- ]?[0-9]{3,4}(?![0-9])"
)
_FOREIGN = re.compile(
    r"\+[1-9](?<![0-9]..)[0-9]{0,2}[ -]?(?:\([0-9]{1,4}\)|[0-9]{1,4})(?:[ -]?[0-9]{2,4}){2,4}(?![0-9])"
)
_ABROAD_SIGNS = ("+81", "+ 81", "0081", "01081", "010-81")
_NUMERAL = "[一二三四五六七八九〇零0-9]"
_KANJI = tuple(
    (zero, re.compile(rf"{zero}{_NUMERAL}{{1,3}}[-(・]{_NUMERAL}{{1,4}}[-)・]{_NUMERAL}{{4}}")) for zero in "〇零"
)
_LABEL = (
    r"(?:電話|でんわ|携帯|連絡先|ファックス|ファクス|℡|☎|(?<![A-Za-z])(?:TEL|Tel|tel|FAX|Fax|fax|Phone|phone|"
    r"Mobile))(?:番号)?"
    r"[:;.は、,(【「\[ ]{0,3}"
)
_AFTER_LABEL = re.compile(_LABEL + "$")
_LABELLED = re.compile(r"0(?<![0-9]0)(?:[0-9]{8,10}|[0-9]{1,3}[-( ][0-9]{6,8})(?![0-9]|-[0-9]|[年月日円])")
_LOCAL = tuple((mark, re.compile(rf"{re.escape(mark)}[0-9]{{4}}(?![0-9]|-[0-9]|[年月日円])")) for mark in "-(")
_LOCAL_BEFORE = re.compile(_LABEL + "(?P<number>[1-9][0-9]{1,3})$")
_EXTENSION = {
    "内線": re.compile(
        r"内線(?:番号)?[:は(【「 ]{0,3}(?P<number>[0-9]{2,6}(?:-[0-9]{2,4})?)(?![0-9.]|-[0-9]| ?[本台回件人つ])"
    ),
    "PHS": re.compile(r"PHS(?:番号)?[:は(【「 ]{0,3}(?P<number>[0-9]{3,6})(?![0-9.]|-[0-9]| ?[本台回件人年])"),
    "ピッチ": re.compile(r"ピッチ(?:番号)?[:は(【「 ]{0,3}(?P<number>[0-9]{3,6})(?![0-9.]|-[0-9]| ?[本台回件人年])"),
    "ext": re.compile(r"ext(?:ension)?[.:]? ?(?P<number>[0-9]{2,6})(?![0-9])"),
    "Ext": re.compile(r"Ext(?:ension)?[.:]? ?(?P<number>[0-9]{2,6})(?![0-9])"),
}
"""By how each begins: a pattern that begins with a literal is looked for 50 times as fast as one of alternatives."""
SHORT_NUMBER = re.compile(r"#(?:7119|8000|9110|8891|8103|8008|7111)(?![0-9])")
_RECORD = re.compile(
    r"(?:ID|Id|id|(?<![A-Za-z])No\.?|コード|番号|ロット|Lot|LOT|シリアル|(?<![A-Za-z])S/?N|型番|型式|品番|製番|"
    r"品目|Cat\.?|CAT|REF|JAN|"
    r"GTIN|UDI|バーコード|カタログ|モデル|伝票|承認|文書|特願|特許)[:.#=( ]*$"
)
_NOT_RECORD = re.compile(r"(?:新番号|電話|携帯|連絡先|FAX|TEL|ダイヤル|内線|PHS)[^\n]{0,6}$", re.IGNORECASE)
_LETTER_LABEL = re.compile(r"(?:^|[^A-Za-z])(?:TEL|Tel|tel|FAX|Fax|fax|Phone|phone|PHONE|Call|T|F|P|M)$")
_WINDOW = 16


def find_telephones(seen: str) -> Iterator[Piece]:
    """Numbers in a text as `reading.read` gives it."""
    yield from _from_abroad(seen)
    if "0" in seen:
        if "(0" in seen:
            yield from _checked(_BRACKETED, seen)
        yield from _checked(_SEPARATED, seen)
        yield from _checked(_SOLID, seen)
        yield from _labelled(seen)
    yield from _local(seen)
    for sign, pattern in _EXTENSION.items():
        if sign in seen:
            yield from _numbers(pattern, seen, sign)
    if "#" in seen:
        yield from (Piece(*found.span()) for found in SHORT_NUMBER.finditer(seen))
    for zero, pattern in _KANJI:
        for found in pattern.finditer(seen) if zero in seen else ():
            if telephone_shape(re.findall("[0-9]+", kanji_digits(found[0]))):
                yield Piece(*found.span())


def _from_abroad(seen: str) -> Iterator[Piece]:
    if _has_sign_of_abroad(seen):
        yield from _checked(_ABROAD, seen)
    if "+" in seen:
        for found in _FOREIGN.finditer(seen):
            if 9 <= sum(map(str.isdigit, found[0])) <= 15:
                yield Piece(*found.span(), 0.9)


def _has_sign_of_abroad(seen: str) -> bool:
    place = seen.find("81")
    while place >= 0:
        if seen.endswith(_ABROAD_SIGNS, 0, place + 2):
            return True
        place = seen.find("81", place + 2)
    return False


def _local(seen: str) -> Iterator[Piece]:
    """Numbers without an area code, after a label."""
    for mark, pattern in _LOCAL:
        for found in pattern.finditer(seen) if mark in seen else ():
            before = _LOCAL_BEFORE.search(seen, max(0, found.start() - _WINDOW), found.start())
            if before:
                yield Piece(before.start("number"), found.end(), 0.98)


def _labelled(seen: str) -> Iterator[Piece]:
    for found in _LABELLED.finditer(seen):
        if _AFTER_LABEL.search(seen, max(0, found.start() - _WINDOW), found.start()):
            yield Piece(*found.span(), 0.98)


def _numbers(pattern: re.Pattern[str], seen: str, label: str) -> Iterator[Piece]:
    for found in pattern.finditer(seen):
        before = seen[found.start() - 1 : found.start()]
        if not (label.isascii() and before.isascii() and before.isalpha()):
            yield Piece(*found.span("number"), 0.98)


def _checked(pattern: re.Pattern[str], seen: str) -> Iterator[Piece]:
    for found in pattern.finditer(seen):
        start, end = found.span()
        if not _is_telephone(found):
            continue
        text = found[0]
        if text[0] == "(" and ")" not in text:
            start += 1
        if text[-1] == ")" and text.count("(") < text.count(")"):
            end -= 1
        yield Piece(start, end)


def _is_telephone(found: re.Match[str]) -> bool:
    """Whether the digits have the shape of a Japanese number and the word before does not say otherwise."""
    before = found.string[max(0, found.start() - _WINDOW) : found.start()].rsplit("\n", 1)[-1]
    if before and before[-1] == "/" and re.search(r"[0-9]{3,4}\)?/$", before) is None:
        return False
    if before and (before[-1] == "-" or (before[-1] == "." and before[-2:-1].isdigit())):
        return False
    if before and before[-1].isascii() and before[-1].isalpha() and not _LETTER_LABEL.search(before):
        return False
    if _RECORD.search(before) and not _NOT_RECORD.search(before):
        return False
    return telephone_shape(re.findall("[0-9+]+", re.sub("[Oo]", "0", found[0])))


def telephone_shape(groups: list[str]) -> bool:
    """Japan's numbering plan: ten digits, or eleven after 020, 050, 070, 080, 090 and 0800.

    >>> telephone_shape(["03", "1234", "5678"]), telephone_shape(["01", "05", "2024"])
    (True, False)
    """
    digits = "".join(groups)
    for abroad in ("+81", "0081", "01081"):
        if digits.startswith(abroad):
            national = "0" + digits.removeprefix(abroad).removeprefix("0")
            return len(national) in (10, 11) and national[1] != "0"
    if len(digits) == 11:
        return digits[:3] in ("020", "050", "060", "070", "080", "090") or digits[:4] == "0800"
    if len(groups) == 3 and len(groups[2]) != 4 and digits[:4] not in ("0120", "0570", "0990"):
        return False
    return len(digits) == 10 and digits[1] != "0"
