"""Menus around the text of a web page, and what is left of a line whose telephone number or address was deleted.

Does: take out runs of menu lines at the head and foot of a document, judged by where they stand; take out lines of
labels whose values the masking deleted (電話:FAX:). Does not: look into the middle of a page, or drop documents.

A menu line is short, ends in no stop and no verb, and holds no number but those of dates and of counts in brackets. One
alone may be a title; three in a row at the edge of a page are its navigation. Lines with doses or values end the run.
"""

from __future__ import annotations

import re

from igakulm.corpus.filters.list_page import PREDICATES

_LONGEST = 20
_RUN = 3
_STOPS = "。、!?…」』)】"
_COUNTED = re.compile(r"[^0-9]*\([0-9,]+\)")
_DATED = re.compile(
    r"[^0-9]{0,8}[0-9]{4}[年/.-] ?[0-9]{1,2}[月/.-] ?[0-9]{1,2}日?(?: ?\(.\))?(?: ?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
)
_RIGHTS = re.compile("copyright|all rights reserved|©", re.IGNORECASE)
_LABELS = ("お?電話(?:番号)?", "携帯(?:電話)?", "TEL", "ファックス", "ファクス", "FAX", "E-?mail", "Mail")
_MORE_LABELS = ("メール(?:アドレス)?", "URL", "ホームページ", "HP", "連絡先")
_LABEL = f"(?:{'|'.join((*_LABELS, *_MORE_LABELS))})"
_SKELETON_LINE = re.compile(rf"^[ :/|()・,、-]*(?:{_LABEL}[ :/|()・,、-]*)+(?:まで)?$\n?", re.IGNORECASE | re.MULTILINE)
_SKELETON_BRACKET = re.compile(rf"\((?:{_LABEL}[ :/・,、-]*)+\)", re.IGNORECASE)


def without_menus(text: str) -> str:
    """A cleaned document without the menus at its head and foot; one that is all menu stays for the filters.

    >>> without_menus("ホーム\\n案内\\n地図\\n高血圧は自覚症状に乏しい。\\nログイン\\nコメント(0)\\n2022/11/29 05:30")
    '高血圧は自覚症状に乏しい。'
    >>> without_menus("処方\\nアムロジピン5mg\\n1日1回 朝食後")
    '処方\\nアムロジピン5mg\\n1日1回 朝食後'
    """
    lines = text.split("\n")
    head = _run(lines)
    if head == len(lines):
        return text
    foot = _run(lines[::-1])
    if head < _RUN and foot < _RUN:
        return text
    return "\n".join(lines[head if head >= _RUN else 0 : len(lines) - (foot if foot >= _RUN else 0)])


def _run(lines: list[str]) -> int:
    """How many lines from the first are menu lines."""
    return next((place for place, line in enumerate(lines) if not _is_menu(line)), len(lines))


def _is_menu(line: str) -> bool:
    if not any(character.isalnum() for character in line):
        return True
    if _RIGHTS.search(line):
        return len(line) < 4 * _LONGEST
    if _COUNTED.fullmatch(line) or _DATED.fullmatch(line):
        return len(line) < 2 * _LONGEST
    if len(line) >= _LONGEST or line[-1] in _STOPS or line.endswith(PREDICATES):
        return line.endswith("見る") and len(line) < _LONGEST
    return not any(character.isdecimal() for character in line)


def without_skeletons(text: str) -> str:
    """A document from which values were deleted, without lines and brackets that hold their labels alone.

    >>> without_skeletons("本院へどうぞ(電話:)。\\n電話:FAX:\\n受付は9時から。")
    '本院へどうぞ。\\n受付は9時から。'
    """
    return _SKELETON_LINE.sub("", _SKELETON_BRACKET.sub("", text)).rstrip("\n")
