"""Documents that are not Japanese, or mostly symbols or digits.

Does: judge shares of scripts among the characters. Does not: identify other languages.
"""

from __future__ import annotations

import numpy as np

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.corpus.filters.measure import GARBLED, HIRAGANA, KANJI, KATAKANA, NUMERAL, SPACE, SYMBOL
from igakulm.recipe.schema import Filters


def judge(document: Document, filters: Filters) -> Finding | None:
    """Shares of scripts, symbols and digits among the characters without white space."""
    assert document.measured is not None
    counts = np.bincount(document.measured.classes, minlength=9).tolist()
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


FILTER = Filter(
    reasons=("not_japanese", "symbols", "digits"),
    keys=("min_japanese_share", "min_kana_share", "max_symbol_share", "max_digit_share"),
    judge=judge,
    order=30,
    needs_measures=True,
)
