"""Signs of the fonts Symbol and Wingdings, which word processors write to the private use area U+F020-F0FF.

Does: say which sign is meant. Does not: replace it in a text.

The code point does not tell the font. Greek letters and operators of Symbol, and the ticks, crosses, arrows and boxes
of Wingdings are what documents hold; where both fonts have a likely sign (λ and ●), its place decides: a bullet begins
a line. Digits, full stops and commas are never guessed: in Wingdings they are pictures.
Source: the encoding tables of both fonts as Adobe and Microsoft publish them.
"""

from __future__ import annotations

FIRST, LAST = 0xF020, 0xF0FF

_SYMBOL_HIGH = (
    "€ϒ'≤/∞ƒ♣♦♥♠↔←↑→↓°±\"≥×∝∂•÷≠≡≈…|―\n?????⊕∅∩∪⊃⊇?⊂⊆∈∉∠∇®©?∏√·¬∧∨⇔←↑→↓?〈®©?∑",
    0xF0A0,
)
_SYMBOL_LOW = {0xF020: " ", 0xF025: "%", 0xF028: "(", 0xF029: ")", 0xF02A: "*", 0xF02B: "+", 0xF02D: "-", 0xF02F: "/"}
_SYMBOL_SIGNS = {0xF03C: "<", 0xF03D: "=", 0xF03E: ">", 0xF05B: "[", 0xF05C: "∴", 0xF05D: "]", 0xF05E: "⊥"}
_SYMBOL_ENDS = {0xF07B: "{", 0xF07C: "|", 0xF07D: "}", 0xF07E: "〜", 0xF0C4: "⊗", 0xF0F1: "〉", 0xF0F2: "∫"}
_GREEK = "ΑΒΧΔΕΦΓΗΙ?ΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
_GREEK_SMALL = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"

SYMBOL: dict[int, str] = {
    **{code: sign for code, sign in enumerate(_SYMBOL_HIGH[0], _SYMBOL_HIGH[1]) if sign not in "?\n♣♦♥♠"},
    **{code: sign for code, sign in enumerate(_GREEK, 0xF041) if sign != "?"},
    **dict(enumerate(_GREEK_SMALL, 0xF061)),
    **_SYMBOL_LOW,
    **_SYMBOL_SIGNS,
    **_SYMBOL_ENDS,
}
WINGDINGS: dict[int, str] = {
    0xF06F: "□", 0xF0A1: "○", 0xF0A7: "■", 0xF0A8: "□", 0xF0AB: "★", 0xF0D8: "▶", 0xF0DF: "←", 0xF0E0: "→",
    0xF0E1: "↑", 0xF0E2: "↓", 0xF0E7: "←", 0xF0E8: "→", 0xF0E9: "↑", 0xF0EA: "↓", 0xF0EF: "←", 0xF0F0: "→",
    0xF0F3: "⇔", 0xF0FB: "×", 0xF0FC: "✓", 0xF0FD: "×", 0xF0FE: "✓", 0xF078: "×", 0xF09F: "・",
}  # fmt: skip
"""Signs of Wingdings that are likelier than what Symbol has there, anywhere in a line."""
BULLETS: dict[int, str] = {
    0xF06C: "●", 0xF06D: "○", 0xF06E: "■", 0xF070: "□", 0xF071: "□", 0xF072: "□", 0xF073: "◆", 0xF074: "◆",
    0xF075: "◆", 0xF076: "◆", 0xF077: "◆", 0xF0A2: "○", 0xF0A4: "◎", 0xF0AA: "◆", 0xF0B2: "◆",
}  # fmt: skip
"""Signs of Wingdings at the beginning of a line."""


def sign_of(code: int, *, bullet: bool) -> str:
    """The sign of a code point of U+F020-F0FF, "" where nobody can know; `bullet`: it begins a line as a bullet does.

    >>> sign_of(0xF0B1, bullet=False), sign_of(0xF06C, bullet=False), sign_of(0xF06C, bullet=True)
    ('±', 'λ', '●')
    >>> sign_of(0xF031, bullet=False)
    ''
    """
    if code in WINGDINGS:
        return WINGDINGS[code]
    return BULLETS[code] if bullet and code in BULLETS else SYMBOL.get(code, "")
