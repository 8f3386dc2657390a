"""Two judges as one: pooling, and the weight that held-out rows choose."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igakulm.evaluation.baselines import Setting, ngram_shares, predict
from igakulm.evaluation.stacking import LEAST, WEIGHTS, fit_weight, likeliest, pool
from igakulm.tasks.items import Item

SHARES = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(lambda raw: [value / sum(raw) for value in raw])


def choice(number: int, text: str, answer: str) -> Item:
    return Item(str(number), "t", "choice", text, ("ある", "ない", "不明"), (answer,), document=text)


@given(first=SHARES, second=SHARES, weight=st.floats(0, 1))
def test_pooling_lies_between_the_two(first: list[float], second: list[float], weight: float) -> None:
    found = pool(first, second, weight)
    assert math.fsum(found) == pytest.approx(1)
    for one in range(3):
        for other in range(3):
            odds = [math.log(max(side[one], LEAST) / max(side[other], LEAST)) for side in (first, second)]
            assert math.log(found[one] / found[other]) == pytest.approx(
                weight * odds[0] + (1 - weight) * odds[1], abs=1e-9
            )


def test_the_judge_that_is_right_gets_the_weight() -> None:
    items = [choice(number, "咳", letter) for number, letter in enumerate("ABCAB")]
    right = [[0.8 if letter == item.answer[0] else 0.1 for letter in "ABC"] for item in items]
    blind = [[1 / 3] * 3 for _ in items]
    assert fit_weight(items, right, blind).weight == 1.0
    assert fit_weight(items, blind, right).weight == 0.0
    assert fit_weight(items, right, right).weight == 0.5


def test_rare_classes_count_as_much_as_frequent_ones() -> None:
    items = [choice(number, "咳", letter) for number, letter in enumerate("AAAAAAAAAB")]
    for_a, for_b = [[0.6, 0.3, 0.1]] * 10, [[0.3, 0.6, 0.1]] * 10
    fitted = fit_weight(items, for_a, for_b)
    assert fitted.n == 10 and len(fitted.losses) == len(WEIGHTS)
    assert fitted.weight == 0.5


def test_an_impossible_option_is_still_a_number() -> None:
    assert all(
        math.isfinite(value) for value in fit_weight([choice(1, "咳", "B")], [[1.0, 0, 0]], [[1.0, 0, 0]]).losses
    )
    assert likeliest(pool((1.0, 0, 0), (0, 1.0, 0), 0.7)) == "A"


def test_shares_of_the_ngram_classifier_say_what_it_answers() -> None:
    train = [
        choice(number, f"{word}{number}", letter)
        for number, (word, letter) in enumerate([("咳", "A"), ("熱", "B")] * 9)
    ]
    asked = [choice(1, "咳あり", "A"), choice(2, "熱あり", "B")]
    shares = ngram_shares(asked, Setting(train))
    assert shares is not None
    assert [(likeliest(row),) for row in shares] == predict("ngram", asked, Setting(train)) == [("A",), ("B",)]
    assert all(row[2] == 0 and math.fsum(row) == pytest.approx(1) for row in shares)
    assert ngram_shares(asked, Setting(train[:1])) == [(1.0, 0.0, 0.0)] * 2
    assert ngram_shares(asked, Setting()) is None
