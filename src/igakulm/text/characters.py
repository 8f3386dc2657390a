"""The character tables of the cleaning (section 2.2.1): what is unified, what is needed, what is shortened.

Does: hold the tables, and fuse them into arrays indexed by code point for `clean.py`.
Does not: apply them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]

SEPARATOR = "\x1e"
"""Stands between the documents of a batch; as a control character it is never part of a cleaned document."""


def _to(target: str, forms: str) -> dict[str, str]:
    return dict.fromkeys(forms, target)


def _circled() -> dict[str, str]:
    """Circled numbers and words in parentheses: NFKC alone turns 「①1日3回」 into 「11日3回」."""
    table: dict[str, str] = {"⓪": "(0)", "⓿": "(0)"}
    for start, count, first in ((0x2776, 10, 1), (0x2780, 10, 1), (0x278A, 10, 1), (0x24EB, 10, 11), (0x24F5, 10, 1)):
        table |= {chr(start + step): f"({first + step})" for step in range(count)}
    for start, stop in ((0x2460, 0x2474), (0x3251, 0x3260), (0x3280, 0x32C0), (0x32D0, 0x32FF)):
        table |= {chr(code): f"({unicodedata.normalize('NFKC', chr(code))})" for code in range(start, stop)}
    return table


PROTECTED = "…℃℉．，"
"""NFKC would decompose the first three; the full-width stop and comma are settled later, by what surrounds them."""

BEFORE_NFKC: dict[str, str] = {
    **_to("…", "‥"),
    **_to("°", "º˚゜"),
    **_to("'", "´΄"),
    **_to('"', "″"),
    **_to("", "¨¯¸˘˙˛˝゛￣‾"),
    "㏗": "pH",
    **_circled(),
}
"""Characters whose NFKC form says something else (「37ºC」 → 「37oC」)."""

UNIFIED: dict[str, str] = {
    **_to("-", "˗֊‐‑‒–⁃−➖⸺⸻"),
    **_to("―", "—─━⎯"),
    **_to("〜", "~∼∾〰"),
    **_to('"', "“”„‟〝〟"),
    **_to("'", "‘’‚‛′ʹʼ"),
    **_to("・", "•‣∙⋅·◦‧"),
    **_to("●", "⚫⬤◉⦿"),
    **_to("○", "◯⚪"),
    **_to("■", "▪◾◼⬛"),
    **_to("□", "▫◽◻⬜"),
    **_to("▶", "►▸"),
    **_to("★", "✮✭⭐"),
    **_to("☆", "✩✰"),
    **_to("→", "⇒➡⇨➔⟶➜"),
    **_to("←", "⇐⬅"),
    **_to("↑", "⇑⬆"),
    **_to("↓", "⇓⬇"),
    **_to("×", "✕✖╳⨯"),
    **_to("✓", "✔☑"),
    **_to("≤", "≦⩽"),
    **_to("≥", "≧⩾"),
    **_to("≒", "≈≃≅"),
    **_to("Δ", "∆"),
    **_to("φ", "⌀∅"),
    **_to("/", "⁄∕"),
    **_to(":", "∶"),
    **_to("|", "¦∣│"),
    **_to("《", "≪«⟪"),
    **_to("》", "≫»⟫"),
    **_to("〈", "⟨‹"),
    **_to("〉", "⟩›"),
    **_to("〔", "〘"),
    **_to("〕", "〙"),
    **_to(" ", "\t\u1680"),
    **_to("\n", "\r\u2028\u2029\u0085\x0b\x0c"),
    **dict(zip("⺠⻁⻄⻅⻆⻉⻋⻑⻘⻝⻤⻨⻩⻫⻭⻯⻲", "民虎西見角貝車長青食鬼麦黄斉歯竜亀", strict=True)),
}
"""Look-alikes after NFKC; the last line is what PDF readers make of 長, 歯 and others."""

NEEDED_RANGES: tuple[tuple[int, int], ...] = (
    (0x20, 0x7E),  # ASCII
    (0xC0, 0x24F),  # Sjögren, Ménière, Behçet
    (0x370, 0x3FF),  # Greek
    (0x3041, 0x3096),  # hiragana
    (0x309D, 0x309E),  # ゝゞ
    (0x30A1, 0x30FE),  # katakana, ・, ー, ヽヾ
    (0x31F0, 0x31FF),  # small katakana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),  # the few that NFKC leaves: 﨑
    (0x20000, 0x323AF),  # 𠮟, 𩸽
)
NEEDED_SYMBOLS = (
    "\n々〆〇ヶ、。「」『』【】〈〉《》〔〕…―〜・※〒℃℉°±×÷≤≥≠≒≡∞∝√∑∫∂∈∴∵∠⊥⊂⊃∩∪∧∨→←↑↓↔⇔⇄⇌○●◎△▲▽▼□■◇◆☆★▶✓♪♀♂†‡§¶‰€£¥¢©®"
)

RUNS: dict[str, int] = {
    **dict.fromkeys("!?、。…ー〜・―♪☆★", 2),
    **dict.fromkeys("-_=*#→←:,※", 3),  # two are code, or a result that did not change
    **dict.fromkeys("○●◎△▲▽▼□■◇◆×/|^<>↑↓", 4),  # 「○○病院」「WBC↑↑」
    **dict.fromkeys("+", 5),  # 「尿蛋白(++++)」 is a result
    **dict.fromkeys(map(chr, range(0x3041, 0x3097)), 4),
    **dict.fromkeys(map(chr, range(0x30A1, 0x30FB)), 4),
}
"""A run of at least so many becomes one character. Digits and letters are never shortened."""

LETTER, KATAKANA, ALNUM, DIGIT, BEFORE_STOP, BEFORE_WIDE_STOP, AFTER_STOP, NO_WORD_START, BEFORE_LAUGH = (
    1 << bit for bit in range(9)
)
CLOSING = "」』】〉》〕"
NEVER_FIRST = "ンッャュョァィゥェォヮ"
"""Katakana that begin no word: a hyphen before them is a long-vowel mark (「メ-ンテナンス」)."""
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
FRACTIONS = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
SMALL_ROMANS = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅰⅱⅲⅳⅴⅵⅶⅷⅸ"

FAST, SLOW, CONTEXT, JOINED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Tables:
    """Arrays of 0x110000 entries.

    `kind`: FAST (one table look-up does it), SLOW (becomes several characters or none), CONTEXT (depends on its
    neighbour), JOINED (NFKC may join it to the character before it).
    `normal`: 1:1 NFKC. `fused`: that, unification and deletion (0) in one. `flags`: bits LETTER … of a cleaned
    character. `runs`: least length of a run that is shortened, 0 for never.
    """

    kind: NDArray[np.uint8]
    normal: Codes
    fused: Codes
    flags: NDArray[np.uint16]
    runs: NDArray[np.uint8]


@cache
def needed() -> frozenset[str]:
    """Every character that a cleaned document may hold."""
    found = {chr(code) for first, last in NEEDED_RANGES for code in range(first, last + 1)}
    return frozenset(found - {"\xd7", "\xf7"} | set(NEEDED_SYMBOLS)) - set(UNIFIED)


@cache
def tables() -> Tables:
    """Build the arrays once for each process (about 0.2 s)."""
    size = 0x110000
    kind = np.zeros(size, np.uint8)
    normalised = np.arange(size, dtype=np.uint32)
    fused = np.zeros(size, np.uint32)
    keep = needed() | set(PROTECTED) | {SEPARATOR}
    composing = _composing()
    for code in (*range(0xD800), *range(0xE000, 0x20000), *range(0x2F800, 0x2FA20)):
        character = chr(code)
        normal = character if character in PROTECTED else BEFORE_NFKC.get(character)
        if normal is None:
            normal = unicodedata.normalize("NFKC", character)
        if character in SUPERSCRIPTS or character in FRACTIONS or character in SMALL_ROMANS:
            kind[code] = CONTEXT
        elif code in composing or (normal and ord(normal[0]) in composing):
            kind[code] = JOINED
        elif len(normal) != 1:
            kind[code] = SLOW
        else:
            normalised[code] = ord(normal)
            normal = UNIFIED.get(normal, normal)
            fused[code] = ord(normal) if normal in keep else 0
    plane = np.arange(0x20000, 0x323B0, dtype=np.uint32)
    plane = plane[(plane < 0x2F800) | (plane >= 0x2FA20)]
    fused[plane] = plane
    return Tables(kind, normalised, fused, _flags(), _runs())


def _composing() -> frozenset[int]:
    """Characters that NFKC may join to, or move beside, the one before: they need unicodedata and its context."""
    found = {code for code in (*range(0xD800), *range(0xE000, 0x20000)) if unicodedata.combining(chr(code))}
    for code in range(0x20000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(int(parts[1], 16))
    return frozenset(found)


def _mark(flags: NDArray[np.uint16], bit: int, characters: str) -> None:
    flags[[ord(character) for character in characters]] |= bit


def _flags() -> NDArray[np.uint16]:
    flags = np.zeros(0x110000, np.uint16)
    letters = ((0x3041, 0x3096), (0x309D, 0x309E), (0x30A1, 0x30FA), (0x30FC, 0x30FE), (0x3400, 0x4DBF))
    for first, last in (*letters, (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)):
        flags[first : last + 1] |= LETTER
    _mark(flags, LETTER, "々〆〇")
    flags[0x30A1 : 0x30FA + 1] |= KATAKANA
    _mark(flags, DIGIT | ALNUM, "0123456789")
    _mark(flags, ALNUM, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    japanese = (flags & LETTER) > 0
    flags[japanese] |= BEFORE_STOP | BEFORE_WIDE_STOP | AFTER_STOP
    _mark(flags, BEFORE_STOP | BEFORE_WIDE_STOP, CLOSING)
    _mark(flags, BEFORE_WIDE_STOP, ")]}%℃\"'")
    _mark(flags, AFTER_STOP, CLOSING + "「『【〈《〔()\"' \n" + SEPARATOR)
    _mark(flags, NO_WORD_START, NEVER_FIRST)
    for first, last in ((0x3041, 0x3096), (0x30A1, 0x30FA), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)):
        flags[first : last + 1] |= BEFORE_LAUGH
    _mark(flags, BEFORE_LAUGH, "ー々!?")
    return flags


def _runs() -> NDArray[np.uint8]:
    runs = np.zeros(0x110000, np.uint8)
    for character, least in RUNS.items():
        runs[ord(character)] = least
    return runs
