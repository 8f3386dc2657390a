"""Documents that are not Japanese, or mostly symbols or digits.

Does: judge shares of scripts among the characters. Does not: identify other languages.

Two kinds of good text look foreign or like tables when letters and digits are only counted: sentences with Latin names
("Clostridium perfringens", titles, LaTeX) and sentences full of dates and shares. So a document that fails the plain
count is counted again: a Latin word says about as much as two Japanese characters, and a number that a word or unit
follows (1960年, 27.2%) belongs to a sentence.
"""

from __future__ import annotations

import re

import numpy as np

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.corpus.filters.measure import GARBLED, HIRAGANA, KANJI, KATAKANA, NUMERAL, SPACE, SYMBOL
from igakulm.recipe.schema import Filters

_LATIN = re.compile(r"\\[A-Za-z]+|[A-Za-z\u00c0-\u024f]+")
_FORMULA_SIGNS = re.compile(r"[{}_^\\]")
_WORD = 2  # Japanese characters that a Latin word counts for
_UNIT = r"[%℃‰々\u3041-\u30ff\u3400-\u9fffA-Za-zμΩ]"
_IN_A_SENTENCE = re.compile(rf"[0-9][0-9.,:/]*(?={_UNIT})(?!{_UNIT}{{1,2}}\s+[0-9])|(?<=第)[0-9]+")


def judge(document: Document, filters: Filters) -> Finding | None:
    """Shares of scripts, symbols and digits among the characters without white space."""
    assert document.measured is not None
    counts = np.bincount(document.measured.classes, minlength=9).tolist()
    total = max(sum(counts) - counts[SPACE], 1)
    kana = counts[HIRAGANA] + counts[KATAKANA]
    japanese = kana + counts[KANJI] + counts[GARBLED]
    text = document.text
    if japanese < filters.min_japanese_share * (total - _said_shortly(text, japanese, total, filters)):
        return "not_japanese", f"Japanese characters {japanese / total:.2f}"
    if kana < filters.min_kana_share * japanese:
        return "not_japanese", f"kana among Japanese characters {kana / japanese:.2f}"
    if counts[GARBLED] > 0.02 * total:
        return "not_japanese", f"garbled characters {counts[GARBLED] / total:.2f}"
    most = filters.max_symbol_share * total
    if counts[SYMBOL] > most and counts[SYMBOL] - len(_FORMULA_SIGNS.findall(text)) > most:
        return "symbols", f"symbols {counts[SYMBOL] / total:.2f}"
    if counts[NUMERAL] > filters.max_digit_share * total and _loose(text) > filters.max_digit_share * total:
        return "digits", f"digits {counts[NUMERAL] / total:.2f}"
    return None


def _said_shortly(text: str, japanese: int, total: int, filters: Filters) -> int:
    """Characters by which Latin words and formulas are longer than what they say; 0 where it is not asked."""
    if japanese >= filters.min_japanese_share * total:
        return 0
    return sum(max(0, len(word) - _WORD) for word in _LATIN.findall(text)) + len(_FORMULA_SIGNS.findall(text))


def _loose(text: str) -> int:
    """Digits of numbers that no word or unit follows.

    >>> _loose("1960年8月、27.20%が第3回に出た"), _loose("12345 67890 11111")
    (0, 15)
    >>> _loose("2023年 2022年 2021年 2020年")  # an archive's menu
    12
    """
    return sum(character.isdecimal() for character in _IN_A_SENTENCE.sub("", text))


FILTER = Filter(
    reasons=("not_japanese", "symbols", "digits"),
    keys=("min_japanese_share", "min_kana_share", "max_symbol_share", "max_digit_share"),
    judge=judge,
    order=30,
    needs_measures=True,
)
