from __future__ import annotations

import random

import numpy as np
import pytest

from igakulm.corpus.filter import drop_reason
from igakulm.corpus.filters.repetition import NGRAM, repeated_ngram_shares
from igakulm.recipe.schema import Filters
from igakulm.text.mapped import codes_of

KANJI = [chr(code) for code in range(0x4E00, 0x5600)]
ALL = 0.0  # of interest is every share


def random_text(seed: int, length: int) -> str:
    return "".join(random.Random(seed).choices(KANJI, k=length))


def shares(texts: list[str], least: float = ALL) -> list[float]:
    offsets = np.cumsum([0, *(len(text) + 1 for text in texts)])
    found: list[float] = repeated_ngram_shares(codes_of("\x1e".join([*texts, ""])), offsets, least).tolist()
    return found


def exact(text: str) -> float:
    grams = [text[start : start + NGRAM] for start in range(len(text) - NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def test_shares_are_those_of_each_document_by_itself() -> None:
    unit = random_text(1, 40)
    texts = ["", "短い", unit, unit * 3, unit, "あ" * 10, "あ" * 11, random_text(2, 3000) * 2, unit * 200, "\n"]
    assert shares(texts) == pytest.approx([exact(text) for text in texts])


@pytest.mark.parametrize("unit", [1, 2, 5, 11, 30, 100, 400])
def test_no_document_above_the_threshold_is_missed(unit: int) -> None:
    texts = [
        random_text(seed, round(0.05 * size)) + random_text(100 + seed, unit) * (size // unit)
        for seed in range(30)
        for size in (900, 5000)
    ]
    expected = [exact(text) for text in texts]
    found = shares(texts, 0.8)
    for share, true in zip(found, expected, strict=True):
        assert share == (pytest.approx(true) if true > 0.8 or share else 0.0)


def test_ordinary_text_is_not_counted_in_full() -> None:
    assert shares([random_text(3, 5000)], 0.8) == [0.0]
    assert shares([], 0.8) == []


def test_text_without_stops_that_repeats_itself_is_dropped() -> None:
    circle = "きれいな財布が届きましたのでまた買います" * 12
    found = drop_reason(circle, Filters())
    assert found is not None and found[0] == "repetition" and "characters 0.9" in found[1]
    assert drop_reason(circle, Filters(max_duplicate_ngram_share=1.0)) is None


def test_a_form_with_many_common_words_is_kept() -> None:
    form = "\n".join(
        f"第{number}条 指定訪問看護事業者は、別表第{number}に定める基準による。" for number in range(1, 30)
    )
    assert drop_reason(form, Filters()) is None
