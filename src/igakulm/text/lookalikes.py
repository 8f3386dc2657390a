"""Characters of one look or one meaning, and the form that stands for them (section 2.2.1: one form of every symbol).

Does: hold the tables. Does not: apply them, or say which characters a document needs (characters.py).

Unicode's names decide about arrows: what points to the right becomes →, whatever its shaft. An arrow that is struck
through says the opposite, so it is none of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

Table = dict[str, str]


def _to(target: str, forms: str) -> Table:
    return dict.fromkeys(forms, target)


def _arrows() -> Table:
    """Arrows by the directions in their names; both ways at once is ↔, to and fro ⇄."""
    blocks = ((0x2190, 0x2200), (0x2794, 0x27C0), (0x27F0, 0x2800), (0x2900, 0x2980), (0x2B00, 0x2BB9))
    codes = (code for first, last in (*blocks, (0x1F800, 0x1F8B2)) for code in range(first, last))
    found = {}
    for code in codes:
        name = unicodedata.name(chr(code), "")
        target = _direction(set(name.replace("-", " ").split()))
        if target and "HARPOON" not in name and target != chr(code):
            found[chr(code)] = target
    return found


_DIRECTIONS: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(words.split()), arrow)
    for words, arrow in (
        ("LEFTWARDS RIGHTWARDS", "⇄"),
        ("LEFT RIGHT", "↔"),
        ("UP DOWN", "↕"),
        ("UPWARDS DOWNWARDS", "↕"),
        ("NORTH EAST", "↗"),
        ("SOUTH EAST", "↘"),
        ("NORTH WEST", "↖"),
        ("SOUTH WEST", "↙"),
        ("RIGHTWARDS", "→"),
        ("LEFTWARDS", "←"),
        ("UPWARDS", "↑"),
        ("DOWNWARDS", "↓"),
    )
)
_KEPT_ARROWS = frozenset("↔⇔⇄⇌↗↘↖↙↕")


def _direction(words: set[str]) -> str:
    """The arrow for the words of a name, "" for none of one direction."""
    if not words & {"ARROW", "ARROWHEAD"} or words & {"STROKE", "CIRCLE", "CLOCKWISE", "ANTICLOCKWISE", "THROUGH"}:
        return ""
    return next((arrow for wanted, arrow in _DIRECTIONS if wanted <= words), "")


def _numbered() -> Table:
    """Numbers and words in circles, parentheses or with a full stop: NFKC alone turns 「①1日3回」 into 「11日3回」."""
    table: Table = {"⓪": "(0)", "⓿": "(0)", "🔟": "(10)", "\U0001f100": "(0)"}
    runs = ((0x2776, 10, 1), (0x2780, 10, 1), (0x278A, 10, 1), (0x24EB, 10, 11), (0x24F5, 10, 1), (0x2488, 20, 1))
    for start, count, first in (*runs, (0x1F101, 10, 0)):
        table |= {chr(start + step): f"({first + step})" for step in range(count)}
    for start, stop in ((0x2460, 0x2474), (0x3251, 0x3260), (0x3280, 0x32C0), (0x32D0, 0x32FF)):
        table |= {chr(code): f"({unicodedata.normalize('NFKC', chr(code))})" for code in range(start, stop)}
    return table


LETTER_SIGNS: Table = {
    **{chr(0x24B6 + step): chr(0x41 + step) for step in range(26)},
    **{chr(0x24D0 + step): chr(0x61 + step) for step in range(26)},
    **{chr(start + step): chr(0x41 + step) for start in (0x1F130, 0x1F150, 0x1F170) for step in range(26)},
    "🆎": "AB",
}
"""Letters in circles and squares (血液型🅰): beside other letters they keep a space, or Ⓑ would make a word of them."""
for _sign, _plain in (("Ⓡ", "®"), ("ⓡ", "®"), ("Ⓒ", "©"), ("ⓒ", "©")):
    del LETTER_SIGNS[_sign]

BEFORE_NFKC: Table = {
    **_to("…", "‥︙︰"),
    **_to("，", "︐﹐"),
    **_to("．", "﹒"),
    **_to("°", "º˚"),
    **_to("'", "´΄"),
    **_to('"', "″"),
    **_to("®", "Ⓡⓡ"),
    **_to("©", "Ⓒⓒ"),
    **_to("(+)", "⊕⊞"),
    **_to("(-)", "⊖⊝⊟"),
    **_to("(×)", "⊗⊠"),
    "㏗": "pH",
    "℞": "Rx",
    **_numbered(),
    **LETTER_SIGNS,
}
"""Characters whose NFKC form says something else (「37ºC」 → 「37oC」), or has several characters of our choice."""

VARIANTS: Table = dict(zip("囊頰剝塡瘦嚙搔摑蟬醬麴繡軀顚鹼蠟", "嚢頬剥填痩噛掻掴蝉醤麹繍躯顛鹸蝋", strict=True))
"""Kanji that are one character in two shapes: the shape of JIS X 0208, in which nearly all text is written."""

_RADICALS = dict(zip("⺠⻁⻄⻅⻆⻉⻋⻑⻘⻝⻤⻨⻩⻫⻭⻯⻲", "民虎西見角貝車長青食鬼麦黄斉歯竜亀", strict=True))
"""What PDF readers make of 長, 歯 and others."""

UNIFIED: Mapping[str, str] = {
    **{form: arrow for form, arrow in _arrows().items() if form not in _KEPT_ARROWS},
    **_to("⇌", "⇋"),
    **_to("-", "˗֊‐‑‒–⁃−➖⸺⸻"),
    **_to("―", "—─━⎯"),
    **_to("〜", "~∼∾〰⁓"),
    **_to('"', "“”„‟〝〟❝❞"),
    **_to("'", "‘’‚‛′ʹʼ❛❜"),
    **_to("・", "•‣∙⋅·◦‧"),
    **_to("●", "⚫⬤◉⦿🔴🔵🟠🟡🟢🟣🟤"),
    **_to("○", "◯⚪⭕"),
    **_to("■", "▪◾◼⬛🟥🟧🟨🟩🟦🟪🟫"),
    **_to("□", "▫◽◻⬜☐"),
    **_to("▲", "▴🔺🔼"),
    **_to("△", "▵"),
    **_to("▼", "▾🔻🔽"),
    **_to("▽", "▿"),
    **_to("◆", "🔶🔷🔸🔹"),
    **_to("▶", "►▸"),
    **_to("◀", "◄◂"),
    **_to("★", "✮✭⭐"),
    **_to("☆", "✩✰"),
    **_to("×", "✕✖╳⨯❌❎✗✘☒☓"),
    **_to("✓", "✔☑✅"),
    **_to("+", "➕"),
    **_to("÷", "➗"),
    **_to("!", "❗❕"),
    **_to("?", "❓❔"),
    **_to("#", "♯"),
    **_to("*", "∗⁎✱✲"),
    **_to("†", "✝"),
    **_to("≤", "≦⩽"),
    **_to("≥", "≧⩾"),
    **_to("≒", "≈≃≅"),
    **_to("Δ", "∆⊿"),
    **_to("α", "ɑ"),
    **_to("φ", "⌀∅"),
    **_to("/", "⁄∕╱⧸"),
    **_to("\\", "╲⧹"),
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
    **_RADICALS,
    **VARIANTS,
}
"""Look-alikes after NFKC."""
