"""The character tables of the cleaning (section 2.2.1): what is needed, and how each code point is treated.

Does: say which characters a cleaned document may hold, and fuse NFKC, look-alikes and deletion into arrays indexed by
code point. Does not: apply them, or decide which characters look alike (lookalikes.py).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from igakulm.text.broken import REPLACEMENT
from igakulm.text.lookalikes import BEFORE_NFKC, LETTER_SIGNS, UNIFIED
from igakulm.text.symbol_fonts import FIRST, LAST

Codes = NDArray[np.uint32]

SEPARATOR = "\x1e"
"""Stands between the documents of a batch; as a control character it is never part of a cleaned document."""
UNSEEN, GAP = 1, 2
"""What stands for a deleted character until the characters around it are known: for one that nobody sees (a mark, a
control, a joiner), and for one that was seen."""

PROTECTED = "…℃℉．，"
"""NFKC would decompose the first three; the full-width stop and comma are settled later, by what surrounds them."""

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
    "\n々〆〇ヶ、。「」『』【】〈〉《》〔〕…―〜・※〒〃℃℉°±×÷≤≥≠≒≡∞∝√∑∏∫∂∇∈∉∴∵∠⊥∥⊂⊃⊄⊆⊇∩∪∧∨¬∀∃≲≳≮≯≰≱≢‰‱"
    "→←↑↓↔↕↗↘↖↙⇔⇄⇌↛⇏○●◎△▲▽▼□■◇◆☆★▶◀▷◁✓♪♀♂†‡§¶€£¥¢©®"
)

LETTER, KATAKANA, ALNUM, DIGIT, BEFORE_STOP, BEFORE_WIDE_STOP, AFTER_STOP, NO_WORD_START, BEFORE_LAUGH = (
    1 << bit for bit in range(9)
)
LATIN, WORD, SIGN = 1 << 9, 1 << 10, 1 << 11
"""Latin letters; letters and digits of any kind; signs that make one thing of what stands beside them (1.5, 10-20)."""
CLOSING = "」』】〉》〕"
NEVER_FIRST = "ンッャュョァィゥェォヮ"
"""Katakana that begin no word: a hyphen before them is a long-vowel mark (「メ-ンテナンス」)."""
SIGNS = "+-.,/:^*=<>%~〜±×÷≤≥'\"．，…°_#"

FAST, EXPANDED, NUMBER, ROMAN, LETTER_SIGN, MIDDLE_DOT, BRACKET, FONT, VOICED, JOINED, RARE = range(11)
"""How a character becomes its form: by the table of 1:1 forms; as several characters; by a rule that looks at its
neighbours (expansion.py); VOICED, JOINED and RARE with the character before it, RARE by a pattern first."""
RARE_CHARACTERS = "\u20dd\u20e3\u0336\u3099\u309a" + REPLACEMENT


@dataclass(frozen=True, slots=True)
class Tables:
    """Arrays of 0x110000 entries.

    `kind`: FAST … JOINED. `normal`: 1:1 NFKC. `fused`: that, unification and deletion (UNSEEN, GAP) in one.
    `flags`: bits LETTER … of a cleaned character.
    """

    kind: NDArray[np.uint8]
    normal: Codes
    fused: Codes
    flags: NDArray[np.uint16]


@cache
def needed() -> frozenset[str]:
    """Every character that a cleaned document may hold."""
    found = {chr(code) for first, last in NEEDED_RANGES for code in range(first, last + 1)}
    return frozenset(found - {"\xd7", "\xf7"} | set(NEEDED_SYMBOLS)) - set(UNIFIED)


@cache
def tables() -> Tables:
    """Build the arrays once for each process (about 0.3 s)."""
    size = 0x110000
    kind = np.zeros(size, np.uint8)
    normalised = np.arange(size, dtype=np.uint32)
    fused = np.full(size, GAP, np.uint32)
    keep = needed() | set(PROTECTED) | {SEPARATOR}
    composing = _composing()
    for code in (*range(0xD800), *range(0xE000, 0x20000), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE1000)):
        character = chr(code)
        normal = character if character in PROTECTED else BEFORE_NFKC.get(character)
        if normal is None:
            normal = unicodedata.normalize("NFKC", character)
        kind[code] = _kind(character, normal, composing)
        if kind[code] == FAST and len(normal) == 1:
            normalised[code] = ord(normal)
        unified = UNIFIED.get(normal, normal)
        fused[code] = ord(unified) if unified in keep else UNSEEN if _unseen(character) else GAP
    plane = np.arange(0x20000, 0x323B0, dtype=np.uint32)
    plane = plane[(plane < 0x2F800) | (plane >= 0x2FA20)]
    fused[plane] = plane
    return Tables(kind, normalised, fused, _flags())


def _kind(character: str, normal: str, composing: frozenset[int]) -> int:
    code, category = ord(character), unicodedata.category(character)
    if FIRST <= code <= LAST:
        return FONT
    if character in RARE_CHARACTERS:
        return RARE
    by_name = {"·": MIDDLE_DOT, "≪": BRACKET, "≫": BRACKET, **dict.fromkeys("゛゜ﾞﾟ", VOICED)}
    if character in by_name:
        return by_name[character]
    if character in LETTER_SIGNS:
        return LETTER_SIGN
    if category == "Nl" and normal.isascii():
        return ROMAN
    if category != "Nd" and normal and (normal[0].isdecimal() or normal[-1].isdecimal() or _raised_sign(character)):
        return NUMBER
    if code in composing or (normal and ord(normal[0]) in composing):
        return JOINED
    # NFKC of a spacing accent is a space with a mark on it: to nobody's use.
    return EXPANDED if len(normal) != 1 and not normal.startswith(" ") else FAST


def _raised_sign(character: str) -> bool:
    return character in "⁺⁻₊₋"


def _unseen(character: str) -> bool:
    """Whether a reader sees nothing of a character: controls, joiners, selectors, and marks on another one.

    Signs of category Cf that are seen (Arabic number signs, marks of ruby and of hieroglyphs) are not of them.
    """
    category, code = unicodedata.category(character), ord(character)
    if category == "Cf":
        seen = ((0x0600, 0x0605), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x08E2), (0xFFF9, 0xFFFB))
        return not any(first <= code <= last for first, last in (*seen, (0x110BD, 0x110CD), (0x13430, 0x1345F)))
    return category in ("Cc", "Mn", "Me") or code in (0x115F, 0x1160, 0x3164, 0xFFA0)


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
    _mark(flags, LATIN, "".join(chr(code) for code in (*range(0x41, 0x7B), *range(0xC0, 0x250)) if chr(code).isalpha()))
    _mark(flags, WORD, "".join(character for character in needed() if character.isalnum()))
    _mark(flags, SIGN, SIGNS)
    japanese = (flags & LETTER) > 0
    flags[japanese] |= BEFORE_STOP | BEFORE_WIDE_STOP | AFTER_STOP | WORD
    _mark(flags, BEFORE_STOP | BEFORE_WIDE_STOP, CLOSING)
    _mark(flags, BEFORE_WIDE_STOP, ")]}%℃\"'")
    _mark(flags, AFTER_STOP, CLOSING + "「『【〈《〔()\"' \n" + SEPARATOR)
    _mark(flags, NO_WORD_START, NEVER_FIRST)
    for first, last in ((0x3041, 0x3096), (0x30A1, 0x30FA), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)):
        flags[first : last + 1] |= BEFORE_LAUGH
    _mark(flags, BEFORE_LAUGH, "ー々!?")
    return flags
