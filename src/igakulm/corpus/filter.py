"""Rules that drop a document, each with a reason code (section 2.1: unsuitable, cut-off or repeated text).

Does: judge cleaned documents by the thresholds of the recipe's `filters`, 15 MB/s and more on one core; say which rule
dropped a document and what it measured. Does not: change a document, or judge quality by a model.

The first rule that matches gives the reason, in the order of `REASONS`. What a reason means and which key of the recipe
sets its threshold stands beside the keys of `Filters`.

Good text that the rules must not lose: nursing records and findings of 60 characters without a full stop, problem
lists, laws in katakana, verse and dialogue. Where a rule looks at the share of something, it therefore also asks for a
minimum amount of it; the numbers below were set on such text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.flags import flag_reason
from igakulm.corpus.repetition import repeated_ngram_shares, repetition_reason
from igakulm.corpus.vocabulary import Words, count_words
from igakulm.recipe.schema import Filters
from igakulm.text.characters import SEPARATOR
from igakulm.text.mapped import codes_of
from igakulm.text.replacement import unreadable

REASONS = (
    "too_short",
    "too_long",
    "broken_characters",
    "oscar_warning",
    "oscar_category",
    "oscar_harmful",
    "oscar_language",
    "not_japanese",
    "symbols",
    "digits",
    "repetition",
    "adult",
    "advertisement",
    "list_page",
    "truncated",
)

_CUT_MARK = re.compile(
    r"(?:続きを(?:読む|みる|見る)|もっと(?:見る|読む)|全文を(?:読む|見る)|\.\.\.|\[…\]|read more)"
    r"[ 」)\]>》]*(?:\([^()]*\))?$"
)
_SENTENCE_ENDS = "。!?」』)】…〉》\"'♪"
_FINAL_FORMS = "たすんねよないるかがしてどうくだぁぇあわさけりせとむもぬっーえお"
"""Hiragana that sentences end with, in notes and chats too; others before … or the end mean a cut."""
_UNFINISHED = "、はがをにへのでもつまひみ"
_MOJIBAKE = "縺繧繝蜷譁"  # what UTF-8 read as Shift_JIS is full of
_PREDICATES = ("なし", "あり", "する", "した", "める", "ない", "いる", "ます", "です", "った")
"""Short lines of notes end so (「排便なし」), lines of menus do not."""
_SHORT_LINE = 12
_FEW_LINES = 6
_SNIPPET = 2000  # characters; a longer document is worth keeping even if its last sentence is cut

SPACE, HIRAGANA, KATAKANA, KANJI, LATIN, NUMERAL, PUNCTUATION, SYMBOL, GARBLED = range(9)
_PUNCTUATION = "、。「」『』()・,.…ー〜-:!?/%\"'[]【】"


@cache
def _classes() -> NDArray[np.uint8]:
    """Class of every code point."""
    classes = np.full(0x110000, SYMBOL, np.uint8)
    for first, last, kind in (
        (0x41, 0x5A, LATIN), (0x61, 0x7A, LATIN), (0xC0, 0x24F, LATIN), (0x370, 0x3FF, LATIN), (0x30, 0x39, NUMERAL),
        (0x3041, 0x309F, HIRAGANA), (0x30A1, 0x30FF, KATAKANA), (0x31F0, 0x31FF, KATAKANA), (0x3400, 0x4DBF, KANJI),
        (0x4E00, 0x9FFF, KANJI), (0xF900, 0xFAFF, KANJI), (0x20000, 0x323AF, KANJI),
    ):  # fmt: skip
        classes[first : last + 1] = kind
    classes[[ord(character) for character in "々〆〇"]] = KANJI
    classes[[ord(character) for character in _PUNCTUATION]] = PUNCTUATION
    classes[ord("ー")] = KATAKANA
    classes[[ord(character) for character in _MOJIBAKE]] = GARBLED
    classes[[ord(character) for character in " \n" + SEPARATOR]] = SPACE
    return classes


def drop_reason(text: str, filters: Filters, meta: str = "{}") -> tuple[str, str] | None:
    """Reason code and detail if the document is dropped, None if it is kept.

    >>> drop_reason("短い。", Filters())
    ('too_short', '3 characters')
    >>> drop_reason("安静時の血圧が持続的に高い状態を高血圧症という。" * 1, Filters(min_characters=10)) is None
    True
    """
    return drop_reasons([text], filters, [meta])[0]


def drop_reasons(
    texts: Sequence[str], filters: Filters, metas: Sequence[str] | None = None, read: Sequence[str] | None = None
) -> list[tuple[str, str] | None]:
    """`drop_reason` of each document; characters and words of all of them are counted at once.

    `metas` are the documents' metadata as JSON; without them the rules about OSCAR's flags find nothing. `read` are the
    documents before cleaning, which deletes characters that could not be read; without them none is missed.
    """
    metas = metas if metas is not None else ["{}"] * len(texts)
    reasons = [
        _by_length(text, filters) or _by_reading(before, filters) or flag_reason(meta, filters)
        for text, meta, before in zip(texts, metas, read or texts, strict=True)
    ]
    open_cases = [index for index, reason in enumerate(reasons) if reason is None]
    for index, reason in zip(open_cases, _by_content([texts[index] for index in open_cases], filters), strict=True):
        reasons[index] = reason
    return reasons


def _by_content(texts: Sequence[str], filters: Filters) -> list[tuple[str, str] | None]:
    codes = codes_of(SEPARATOR.join([*texts, ""]))
    offsets = np.cumsum([0, *(len(text) + 1 for text in texts)])
    classes = _classes()[codes]
    words = count_words(codes, offsets)
    shares = repeated_ngram_shares(codes, offsets, filters.max_duplicate_ngram_share).tolist()
    return [
        _by_characters(np.bincount(classes[start : start + len(text)], minlength=9).tolist(), filters)
        or repetition_reason(text, share, filters)
        or (_by_words(text, words[index], filters) if index in words else None)
        or _by_lines(text, filters)
        or (_truncated(text) if filters.drop_truncated else None)
        for index, (text, start, share) in enumerate(zip(texts, offsets.tolist(), shares, strict=False))
    ]


def _by_length(text: str, filters: Filters) -> tuple[str, str] | None:
    if len(text) < filters.min_characters:
        return "too_short", f"{len(text)} characters"
    if len(text) > filters.max_characters:
        return "too_long", f"{len(text):,} characters"
    return None


def _by_reading(text: str, filters: Filters) -> tuple[str, str] | None:
    lost = unreadable(text)
    return ("broken_characters", f"{lost:,} characters") if lost > filters.max_broken_characters else None


def _by_characters(counts: list[int], filters: Filters) -> tuple[str, str] | None:
    """Shares of scripts, symbols and digits among the characters without white space."""
    total = max(sum(counts) - counts[SPACE], 1)
    kana = counts[HIRAGANA] + counts[KATAKANA]
    japanese = kana + counts[KANJI] + counts[GARBLED]
    if japanese < filters.min_japanese_share * total:
        return "not_japanese", f"Japanese characters {japanese / total:.2f}"
    if kana < filters.min_kana_share * japanese:
        return "not_japanese", f"kana among Japanese characters {kana / japanese:.2f}"
    if counts[GARBLED] > 0.02 * total:
        return "not_japanese", f"garbled characters {counts[GARBLED] / total:.2f}"
    if counts[SYMBOL] > filters.max_symbol_share * total:
        return "symbols", f"symbols {counts[SYMBOL] / total:.2f}"
    if counts[NUMERAL] > filters.max_digit_share * total:
        return "digits", f"digits {counts[NUMERAL] / total:.2f}"
    return None


def _by_words(text: str, words: Words, filters: Filters) -> tuple[str, str] | None:
    """Adult words are counted in the document, advertising words for each 1,000 characters (at least 500)."""
    advertisement, adult = words
    if sum(adult.values()) > filters.max_adult_words:
        return "adult", ", ".join(sorted(adult)[:3])
    rate = 1000 * sum(advertisement.values()) / max(len(text), 500)
    if rate > filters.max_advertisement_words and len(advertisement) > 1:  # one word alone is what a text is about
        return "advertisement", f"{rate:.1f} for each 1,000 characters: {', '.join(sorted(advertisement)[:3])}"
    return None


def _by_lines(text: str, filters: Filters) -> tuple[str, str] | None:
    """Menus and lists of links: most lines, or parts between | and ■, are short and hold most of the text."""
    breaks = text.count("\n") + text.count("|") + text.count("■")
    if breaks + 1 < _FEW_LINES or (breaks + 1) * (_SHORT_LINE - 1) <= 0.4 * len(text):
        return None  # the lines cannot be short
    lines = [line for line in text.replace("|", "\n").replace("■", "\n").split("\n") if line]
    if len(lines) < _FEW_LINES:
        return None
    short = [
        len(line)
        for line in lines
        if len(line) < _SHORT_LINE and line[-1] not in "。、!?」" and not line.endswith(_PREDICATES)
    ]
    if len(short) > filters.max_short_line_share * len(lines) and sum(short) > 0.4 * len(text):
        return "list_page", f"short lines {len(short) / len(lines):.2f}"
    return None


def _truncated(text: str) -> tuple[str, str] | None:
    """A visible cut mark at the end, or a last sentence that stops within itself after whole sentences.

    Text without full stops (notes, findings, lists) says nothing about its end and is kept.
    """
    if len(text) > _SNIPPET:
        return None
    start = text.rfind("\n") + 1
    last = text[start:]
    mark = _CUT_MARK.search(last)
    if mark:
        # A mark on a line of its own is a link of the page unless the line before is cut too.
        above = text[:start].rstrip("\n").rpartition("\n")[2]
        cut = mark.start() > 0 or (len(above) >= _SHORT_LINE and above[-1] not in _SENTENCE_ENDS)
        return ("truncated", f"ends with {mark[0]!r}") if cut else None
    if "。" not in text:
        return None
    if last[-1] == "…":
        word = last.rstrip("…")[-1:]
        return ("truncated", f"ends with {last[-8:]!r}") if word and word not in _FINAL_FORMS + _SENTENCE_ENDS else None
    return _cut_sentence(text, last)


def _cut_sentence(text: str, last: str) -> tuple[str, str] | None:
    """The last sentence ends in a particle or in the middle of a word, and most of the text is whole sentences."""
    tail = last[last.rfind("。") + 1 :]
    if len(tail) < 10 or tail[-1] not in _UNFINISHED or tail.endswith(("もの", "なの", "ので", "ように")):
        return None
    before = text[: len(text) - len(tail)].split("\n")
    whole = sum(len(line) for line in before if line[-1:] in _SENTENCE_ENDS and line)
    if whole < 0.6 * sum(map(len, before)):
        return None
    return "truncated", f"ends with {tail[-8:]!r}"
