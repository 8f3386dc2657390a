"""The forms that depend on neighbours: numbers that stay numbers under NFKC, letters that stay words, marks that join.

Does: replace every character whose form is not one character of a table; nothing that it writes makes one number of
two. Does not: delete or unify (cleaning.py); it is all of the form `width`.

10³ is 10^3 and not 103, SpO₂98 is "SpO2 98", 2½ is "2 1/2", ①1日 is "(1)1日", 1️⃣5mg is "(1)5mg", MRⅠ is "MR I".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from igakulm.text import characters as ch
from igakulm.text.broken import REPLACEMENT
from igakulm.text.characters import SEPARATOR, tables
from igakulm.text.lookalikes import BEFORE_NFKC
from igakulm.text.mapped import MappedCodes, Positions
from igakulm.text.replacement import repair
from igakulm.text.symbol_fonts import sign_of

RAISED = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
LOWERED = frozenset("₀₁₂₃₄₅₆₇₈₉₊₋")
SMALL_ROMANS = frozenset("ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅰⅱⅲⅳⅴⅵⅶⅷⅸ")
"""Two of them side by side are two numbers (誘導ⅡⅢ); ⅩⅢ is thirteen."""
VOICED = {"゛": "\u3099", "ﾞ": "\u3099", "゜": "\u309a", "ﾟ": "\u309a"}
LONGEST_BRACKET = 80
"""Characters between ≪ and ≫ that are brackets; else they are signs for much less and much greater."""
_BRACKETED = re.compile(f"[^≪≫\n{SEPARATOR}]{{1,{LONGEST_BRACKET - 1}}}≫")
_PROTECTED_OR_EDGE = frozenset(ch.PROTECTED + SEPARATOR)
_KEYCAP = re.compile("([0-9#*])\ufe0f?\u20e3")
_CIRCLED = re.compile("([0-9]{1,2}|[A-Za-z])\u20dd")
_STRUCK = re.compile("(?:[^\n\x1e\u0336]\u0336){2,}")
_SPACED_MARK = re.compile("(?<=[か-とは-ほうカ-トハ-ホウワヰヱヲ]) [\u3099\u309a]")


def expand(text: str, codes: MappedCodes) -> None:
    """Write the forms into `codes`, which holds the code points of `text`."""
    special, kinds = _special(codes)
    if (kinds == ch.RARE).any() and (edited := _edit_rare(text, codes)) is not text:
        text = edited
        special, kinds = _special(codes)
    if special.size:
        _expand_at(text, codes, special, kinds)


def _special(codes: MappedCodes) -> tuple[Positions, NDArray[np.uint8]]:
    """Places of all characters that the table of 1:1 forms does not settle, and their kinds."""
    kinds = tables().kind[codes.codes]
    places = np.flatnonzero(kinds)
    return places, kinds[places]


def _numbered(found: re.Match[str]) -> str:
    return found[1] if found[1] in "#*" else f"({found[1]})"


_RARE: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    ("\u20e3", _KEYCAP, _numbered),
    ("\u20dd", _CIRCLED, _numbered),
    ("\u0336", _STRUCK, lambda _: " "),  # what is struck through is deleted, as <del> is
    (" \u3099", _SPACED_MARK, lambda found: found[0][1]),
    (" \u309a", _SPACED_MARK, lambda found: found[0][1]),
)
"""Patterns over several characters, each with the literal without which it is not tried."""


def _edit_rare(text: str, codes: MappedCodes) -> str:
    for literal, pattern, written in _RARE:
        if literal in text:
            text = _replace(text, codes, [(*found.span(), written(found)) for found in pattern.finditer(text)])
    return _replace(text, codes, list(repair(text))) if REPLACEMENT in text else text


def _replace(text: str, codes: MappedCodes, edits: list[tuple[int, int, str]]) -> str:
    if not edits:
        return text
    starts, ends, pieces = zip(*edits, strict=True)
    return codes.replace(text, starts, ends, pieces)


def _expand_at(text: str, codes: MappedCodes, positions: Positions, kinds: NDArray[np.uint8]) -> None:
    """Each special character for itself, with the marks that follow and may be joined to it."""
    heads = (kinds < ch.VOICED) | (np.diff(positions, prepend=-2) > 1)
    first = np.flatnonzero(heads)
    starts: list[int] = positions[first].tolist()
    ends: list[int] = (positions[np.append(first[1:], positions.size) - 1] + 1).tolist()
    pieces: list[str] = []
    done, last = 0, ""
    for place, (start, end, kind) in enumerate(zip(starts, ends, kinds[first].tolist(), strict=True)):
        if kind >= ch.VOICED and start > done and text[start - 1] not in _PROTECTED_OR_EDGE:
            starts[place] = start - 1
            piece = _joined(_nfkc(text[start - 1]), text[start:end])
        elif kind >= ch.VOICED:
            piece = _joined("", text[start:end])
        else:
            before = last if start == done else _plain(text[start - 1])
            after = text[end] if end == start + 1 and end < len(text) else ""
            head = _form(text, start, kind, before, after)
            piece = head if end == start + 1 else _joined(head, text[start + 1 : end])
        pieces.append(piece)
        done, last = end, piece[-1:]
    codes.replace(text, starts, ends, pieces)


@lru_cache(4096)
def _nfkc(character: str) -> str:
    form = BEFORE_NFKC.get(character) or unicodedata.normalize("NFKC", character)
    return character if _stands_alone(form) else form


def _stands_alone(form: str) -> bool:
    """Whether this is NFKC of an accent by itself: a space with a mark on it, which is to nobody's use."""
    return len(form) > 1 and form[0] == " "


@lru_cache(4096)
def _plain(character: str) -> str:
    """A character of the table of 1:1 forms, in its form."""
    return chr(tables().normal[ord(character)])


@lru_cache(4096)
def _joined(before: str, marks: str) -> str:
    """Marks with what they stand on. A spacing voiced mark belongs to a kana before it; ゜ behind a number is °."""
    alone = bool(before) and _stands_alone(unicodedata.normalize("NFKC", before[-1]))
    done, written = (before, "") if alone else ("", before)
    for mark in marks:
        last = written[-1:]
        if mark not in VOICED or "ぁ" <= last <= "ゖ" or "ァ" <= last <= "ー":
            written = unicodedata.normalize("NFKC", written + VOICED.get(mark, mark))
        else:
            done += written + ("°" if mark in "゜ﾟ" and last.isdecimal() else mark)
            written = ""
    return done + written


def _form(text: str, place: int, kind: int, before: str, after: str) -> str:
    """The form of text[place]; `before` is the last character written, `after` the next one as it stands."""
    character = text[place]
    if kind == ch.NUMBER:
        return _number(character, before, text[place - 1 : place], after)
    if kind == ch.ROMAN:
        return _roman(character, before, text[place - 1 : place], after)
    if kind == ch.LETTER_SIGN:
        sign = _nfkc(character)
        return _apart(before) + sign + (" " if _is_latin(after) else "")
    if kind == ch.MIDDLE_DOT:
        return "." if before.isdecimal() and after.isdecimal() else character
    if kind == ch.BRACKET:
        return _bracket(text, place)
    if kind == ch.FONT:
        return _font_sign(text, place, after)
    return _nfkc(character)


def _number(character: str, before: str, previous: str, after: str) -> str:
    """A form with digits at an end: apart from other digits; raised behind a number it is a power."""
    form = _nfkc(character)
    family = RAISED if character in RAISED else LOWERED if character in LOWERED else frozenset[str]()
    if before.isdecimal() and previous not in family:
        if family is RAISED and (form.isdecimal() or (after in RAISED and after not in "⁺⁻")):
            form = "^" + form
        elif form[0].isdecimal():
            form = " " + form
    ends_number = form[-1].isdecimal() or (form[-1] in "+-−" and family)
    return form + " " if ends_number and after.isdecimal() else form


def _roman(character: str, before: str, previous: str, after: str) -> str:
    form = _nfkc(character)
    if character in SMALL_ROMANS and "Ⅰ" <= after <= "ⅿ":
        form += "・"
    return form if "Ⅰ" <= previous <= "ⅿ" else _apart(before) + form


def _apart(before: str) -> str:
    return " " if _is_latin(before) else ""


def _is_latin(character: str) -> bool:
    """Whether a letter would make one word with an ASCII letter beside it."""
    return bool(character) and bool(tables().flags[ord(_plain(character))] & ch.LATIN)


def _bracket(text: str, place: int) -> str:
    """≪ and ≫ stay brackets where both stand in one line with something between; else they are << and >>."""
    if text[place] == "≪":
        return "≪" if _BRACKETED.match(text, place + 1, place + 1 + LONGEST_BRACKET) else "<<"
    start = text.rfind("≪", max(0, place - LONGEST_BRACKET), place)
    return "≫" if start >= 0 and (found := _BRACKETED.match(text, start + 1)) and found.end() == place + 1 else ">>"


def _font_sign(text: str, place: int, after: str) -> str:
    line = text.rfind("\n", 0, place) + 1
    begins = not text[max(line, place - 4) : place].strip(" \t\u3000" + SEPARATOR)
    bullet = begins and not (after.isascii() and after.isalnum())
    return sign_of(ord(text[place]), bullet=bullet) or text[place]
