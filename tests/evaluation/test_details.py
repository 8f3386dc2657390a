"""Classes, calibration, subgroups, analytic chance and free texts, against slow oracles."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from igakulm.answering.reading import Prediction
from igakulm.evaluation.details import calibration, class_rows, subgroup_rows
from igakulm.evaluation.metrics import chance_metrics, chance_of, is_right, measure
from igakulm.evaluation.text_metrics import characters_of, normalised, rouge, text_metrics
from igakulm.tasks.items import Item


def item(place: int, answer: str = "A", **changes: Any) -> Item:
    made = Item(str(place), "t", "choice", f"問{place}", ("甲", "乙", "丙"), tuple(answer), document=f"文{place}")
    return replace(made, **{"wanted": len(answer), **changes})


def test_precision_and_recall_of_each_class() -> None:
    items = [item(place, letter) for place, letter in enumerate("AABBC")]
    rows = class_rows(items, [("A",), ("B",), ("B",), None, ("A",)])
    assert [(row["gold"], row["said"], row["right"]) for row in rows] == [(2, 2, 1), (2, 2, 1), (1, 0, 0)]
    assert [(row["precision"], row["recall"]) for row in rows] == [(0.5, 0.5), (0.5, 0.5), (None, 0.0)]
    assert class_rows([item(0), item(1, choices=("別", "の"))], [("A",), ("A",)]) == []


def test_calibration_is_that_of_its_definition() -> None:
    chance = random.Random(1)
    items, shares = [], []
    for place in range(200):
        cuts = sorted(chance.random() for _ in range(2))
        shares.append((cuts[0], cuts[1] - cuts[0], 1 - cuts[1]))
        items.append(item(place, "ABC"[chance.randrange(3)]))
    found = calibration(items, shares)
    assert found is not None and found["n"] == 200
    best = [max(range(3), key=one.__getitem__) for one in shares]
    right = [one.answer == ("ABC"[place],) for one, place in zip(items, best, strict=True)]
    error = 0.0
    for number in range(10):
        inside = [
            place
            for place, one in enumerate(shares)
            if number / 10 <= max(one) < (number + 1) / 10 or (number == 9 and max(one) == 1)
        ]
        if inside:
            mean = sum(max(shares[place]) for place in inside) / len(inside)
            error += abs(mean - sum(right[place] for place in inside) / len(inside)) * len(inside) / 200
    assert found["ece"] == pytest.approx(error)
    brier = sum(
        (share - (one.answer == ("ABC"[place],))) ** 2
        for one, several in zip(items, shares, strict=True)
        for place, share in enumerate(several)
    )
    assert found["brier"] == pytest.approx(brier / 200)
    assert calibration(items, [None] * 200) is None


def test_subgroups_by_tag_year_and_named_fields() -> None:
    items = [
        item(place, tag="咳" if place % 2 else "熱", labels=(("ward", "3A" if place < 30 else "4B"),))
        for place in range(60)
    ]
    said: list[Prediction] = [("A",) if place < 30 else ("B",) for place in range(60)]
    rows = subgroup_rows(items, said, 200, 0)
    accuracy = {(row["field"], row["value"]): row["n"] for row in rows}
    assert accuracy == {("tag", "咳"): 30, ("tag", "熱"): 30, ("ward", "3A"): 30, ("ward", "4B"): 30}


@pytest.mark.parametrize(("wanted", "options"), [(1, 5), (2, 5), (3, 4), (0, 4)])
def test_chance_is_the_share_of_all_sets(wanted: int, options: int) -> None:
    letters = "ABCDE"[:options]
    one = Item(
        "1", "t", "choice", "q", tuple(letters), tuple(letters[: wanted or 2]), wanted=wanted, also=((letters[-1],),)
    )
    sizes = [wanted] if wanted else range(1, options + 1)
    sets = [chosen for size in sizes for chosen in itertools.combinations(letters, size)]
    assert chance_of(one) == pytest.approx(sum(is_right(one, chosen) for chosen in sets) / len(sets))


def test_chance_has_no_luck() -> None:
    items = [item(place, "ABC"[place % 3]) for place in range(30)]
    kappa, accuracy = chance_metrics(items)
    assert (kappa.name, accuracy.name) == ("kappa", "accuracy")
    assert kappa.value == pytest.approx(0) and accuracy.value == pytest.approx(1 / 3)
    assert [one.name for one in measure(items, [("A",)] * 30)] == [kappa.name, accuracy.name]
    assert kappa.statistics.shape == measure(items, [("A",)] * 30)[0].statistics.shape


def text(place: int, *references: str) -> Item:
    also = tuple((other,) for other in references[1:])
    return Item(str(place), "t", "text", f"問{place}", (), references[:1], document=f"文{place}", also=also)


def test_free_texts() -> None:
    pytest.importorskip("rouge_score")
    pytest.importorskip("sacrebleu")
    items = [
        text(0, "発熱と咳がある。"),
        text(1, "異常なし", "特記事項なし"),
        text(2, "胸部X線で右下肺野に浸潤影を認める。"),
    ]
    right = {
        one.name: one.value for one in text_metrics(items, [("発熱と咳がある。",), ("特記事項なし",), items[2].answer])
    }
    assert right["exact_match"] == right["rouge_l_words"] == right["rouge_2_characters"] == pytest.approx(1)
    assert right["bleu_words"] == pytest.approx(1) and right["bleu_characters"] == pytest.approx(1)
    near = {one.name: one.value for one in text_metrics(items, [("発熱と咳がある",), None, ("右下肺野の浸潤影",)])}
    assert near["exact_match"] == 0 and near["normalised_match"] == pytest.approx(1 / 3)
    assert 0 < near["bleu_characters"] < near["rouge_1_characters"] < 1
    assert text_metrics(items, [None] * 3)[0].value == 0


def test_rouge_is_that_of_its_definition() -> None:
    """ROUGE-1 by counted characters and ROUGE-L by the longest common subsequence, written out."""
    pytest.importorskip("rouge_score")
    chance = random.Random(5)
    for _ in range(40):
        one, two = ("".join(chance.choices("発熱咳痰", k=chance.randint(1, 9))) for _ in range(2))
        both = sum(min(one.count(sign), two.count(sign)) for sign in set(one))
        assert rouge(one, two, "rouge1", characters_of) == pytest.approx(2 * both / (len(one) + len(two)))
        table = [[0] * (len(two) + 1) for _ in range(len(one) + 1)]
        for a, b in itertools.product(range(len(one)), range(len(two))):
            table[a + 1][b + 1] = table[a][b] + 1 if one[a] == two[b] else max(table[a][b + 1], table[a + 1][b])
        assert rouge(one, two, "rougeL", characters_of) == pytest.approx(2 * table[-1][-1] / (len(one) + len(two)))


def test_normalised_forms() -> None:
    assert normalised("ＣＲＰは、1.2 mg/dL。") == normalised("CRPは1.2mg/dl") != normalised("CRPは12mg/dl")
