"""Characters that must be pieces of the vocabulary, however rare they are in its corpus.

Does: name the sets that a recipe may require. Does not: train, or look at text.
A character outside the vocabulary takes two to four byte tokens. The sets come from Python's own codecs, so that no
table is copied.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from igakulm.tokenizer.spelling import METASPACE

RequiredKanji = Literal["none", "jis-1", "jis-2"]
_KANA_ROWS, _FIRST_ROWS, _SECOND_ROWS = range(4, 6), range(16, 48), range(48, 85)
"""Rows of JIS X 0208: hiragana and katakana, kanji of level 1, kanji of level 2."""
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def required_characters(extra: str, kanji: RequiredKanji) -> str:
    """ASCII, the space as U+2581, `extra` without white space, and the wanted level of JIS X 0208; sorted, once each.

    >>> "".join(sorted(set(required_characters("μ 囊", "none")) - set(required_characters("", "none"))))
    'μ囊'
    """
    extra = "".join(character for character in extra if not character.isspace())
    return "".join(sorted(set(_ASCII + METASPACE + extra + japanese_characters(kanji))))


@cache
def japanese_characters(level: RequiredKanji) -> str:
    """Kana and kanji of JIS X 0208: "jis-1" has level 1 (2,965 kanji), "jis-2" both levels (6,355), "none" nothing.

    >>> len(japanese_characters("jis-1")), len(japanese_characters("jis-2"))
    (3134, 6524)
    """
    if level == "none":
        return ""
    rows = [*_KANA_ROWS, *_FIRST_ROWS, *(_SECOND_ROWS if level == "jis-2" else ())]
    # EUC-JP writes row and cell as two bytes from 0xA1 on; cells without a character are ignored.
    codes = (bytes((0xA0 + row, 0xA0 + cell)) for row in rows for cell in range(1, 95))
    return "".join(code.decode("euc_jp", "ignore") for code in codes)
