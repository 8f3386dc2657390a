"""Metrics against values worked out by hand, against scikit-learn, and against the published oddities."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from igakulm.answering.reading import Prediction
from igakulm.evaluation.measured import Measured
from igakulm.evaluation.metrics import (
    character_counts,
    is_right,
    measure,
    measure_upstream,
    overlap_counts,
    overlaps,
    partial_f1_upstream,
)
from igakulm.recipe.schema import Jmed
from igakulm.tasks.benchmarks.jmed import load_test
from igakulm.tasks.items import LETTERS, Item


def choices(gold: str, *, ordered: bool = False, size: int = 4) -> list[Item]:
    return [
        Item(str(place), "t", "choice", "q", tuple("甲乙丙丁戊己"[:size]), (letter,), ordered=ordered)
        for place, letter in enumerate(gold)
    ]


def said(letters: str) -> list[Prediction]:
    return [None if letter == "-" else (letter,) for letter in letters]


def values(measured: Sequence[Measured]) -> dict[str, float]:
    return {metric.name: metric.value for metric in measured}


def entities(*gold: tuple[str, ...]) -> list[Item]:
    return [Item(str(place), "t", "entities", "q", (), answer) for place, answer in enumerate(gold)]


def test_accuracy_and_kappa_by_hand() -> None:
    # observed 3/4; chance = (2*1 + 2*3) / 16 = 1/2; kappa = (3/4 - 1/2) / (1/2)
    found = values(measure(choices("AABB", size=2), said("ABBB")))
    assert found == {"kappa": pytest.approx(0.5), "accuracy": 0.75}


def test_linear_kappa_by_hand() -> None:
    # distances 0 1 0 2 -> 3; expected over all 16 pairs of A C B D with A B B B: 1*6 ... = 20/16 a pair, 5 in all
    gold, guess = "ABCD", "ACCB"
    distances = sum(abs(LETTERS.index(a) - LETTERS.index(b)) for a, b in zip(gold, guess, strict=True))
    chance = sum(abs(LETTERS.index(a) - LETTERS.index(b)) for a in gold for b in guess) / 4
    found = values(measure(choices(gold, ordered=True), said(guess)))
    assert found["kappa"] == pytest.approx(1 - distances / chance)


def test_kappa_is_zero_when_chance_agrees_fully_and_for_a_constant_answer() -> None:
    assert values(measure(choices("AAA"), said("AAA")))["kappa"] == 0.0
    assert values(measure(choices("AABB"), said("AAAA")))["kappa"] == 0.0


def test_unreadable_answers_are_a_class_after_the_last_choice() -> None:
    near = values(measure(choices("ABCD", ordered=True), said("ABC-")))["kappa"]
    far = values(measure(choices("DBCA", ordered=True), said("DBC-")))["kappa"]
    assert far < near < 1
    both: list[Prediction] = [("A", "B"), ("A",)]
    assert values(measure(choices("AA"), both))["accuracy"] == 0.5


@pytest.mark.parametrize("ordered", [False, True])
def test_kappa_agrees_with_scikit_learn(ordered: bool) -> None:
    from sklearn.metrics import cohen_kappa_score

    generator = random.Random(1)
    gold = "ABCDEF" * 9
    guess = "".join(letter if generator.random() < 0.5 else generator.choice("ABCDEF-") for letter in gold)
    expected = cohen_kappa_score(
        list(gold), [x.replace("-", "None") for x in guess], weights="linear" if ordered else None
    )
    items = choices(gold, ordered=ordered, size=6)
    assert values(measure(items, said(guess)))["kappa"] == pytest.approx(expected)
    assert values(measure_upstream(items, said(guess)))["kappa_upstream"] == pytest.approx(expected)


@pytest.mark.parametrize("ordered", [False, True])
def test_published_figures_of_choices_are_those_of_scikit_learn(ordered: bool) -> None:
    from sklearn.metrics import accuracy_score, cohen_kappa_score

    generator = random.Random(2)
    for trial in range(40):
        gold = [generator.choice("ABCD") for _ in range(30)]
        wild = ["A", "C", "D", "E", "F", "None"][: 2 + trial % 5]  # often without the letters in between
        guess = [letter if generator.random() < 0.4 else generator.choice(wild) for letter in gold]
        predictions: list[Prediction] = [None if letter == "None" else (letter,) for letter in guess]
        kappa, accuracy = measure_upstream(choices("".join(gold), ordered=ordered), predictions)
        assert accuracy.value == pytest.approx(accuracy_score(gold, guess))
        assert kappa.value == pytest.approx(cohen_kappa_score(gold, guess, weights="linear" if ordered else None))
        half = kappa.statistics[::2].sum(axis=0)  # a resample is scored as if it were the whole
        of_half = cohen_kappa_score(gold[::2], guess[::2], weights="linear" if ordered else None)
        assert float(kappa.combine(half)) == pytest.approx(of_half)


def test_published_kappa_of_one_class_is_zero_not_nan() -> None:
    assert values(measure_upstream(choices("AAA"), said("AAA"))) == {"kappa_upstream": 0.0, "accuracy_upstream": 1.0}


def test_published_f1_by_its_definition() -> None:
    def f1(gold: set[str], guess: set[str], found: int) -> float:
        recall, precision = found / len(gold), found / len(guess) if guess else 0.0
        return 2 * recall * precision / (recall + precision) if recall + precision else 0.0

    generator = random.Random(4)
    gold = [tuple(generator.sample("甲乙丙丁戊", generator.randint(1, 5))) for _ in range(200)]
    guess: list[Prediction] = [tuple(generator.choices("甲乙丙丁戊己庚", k=generator.randint(0, 6))) for _ in gold]
    pairs = [(set(a), set(b or ())) for a, b in zip(gold, guess, strict=True)]
    found = values(measure_upstream(entities(*gold), guess))
    exact = [f1(a, b, len(a & b)) for a, b in pairs]
    partial = [f1(a, b, sum(any(x in b or y in a for y in b) for x in a)) for a, b in pairs]
    assert found["exact_f1_upstream"] == pytest.approx(sum(exact) / len(gold))
    assert found["partial_f1_upstream"] == pytest.approx(sum(partial) / len(gold))


def test_questions_that_want_several_answers_have_no_kappa() -> None:
    items = [Item("1", "t", "choice", "q", ("a", "b", "c"), ("A", "C"), wanted=2)]
    assert values(measure(items, [("C", "A")])) == {"accuracy": 1.0}
    assert values(measure(items, [("A",)])) == {"accuracy": 0.0}


def test_other_accepted_answers_count() -> None:
    item = Item("1", "t", "choice", "q", ("a", "b", "c"), ("A",), also=(("C",),))
    assert is_right(item, ("C",)) and not is_right(item, ("B",)) and not is_right(item, None)


def test_score_share_is_the_mean_over_years_of_points() -> None:
    def question(year: str, points: int) -> Item:
        return Item(f"{year}{points}", "igakuqa", "choice", "q", ("a", "b"), ("A",), points=points, group=year)

    items = [question("2018", 3), question("2018", 1), question("2019", 1), question("2019", 0)]
    found = values(measure(items, said("ABBA")))
    assert found == {"score_share": pytest.approx((3 / 4 + 0) / 2), "accuracy": 0.5}


def test_exact_f1_macro_and_micro_by_hand() -> None:
    items = entities(("発熱", "咳"), ("痛み",))
    found = values(measure(items, [("咳", "熱感", "嘔吐"), ("痛み",)]))
    # row 1: precision 1/3, recall 1/2, F1 0.4; row 2: 1. Micro: 2 right of 4 said and 3 gold
    assert found["exact_f1"] == pytest.approx((0.4 + 1) / 2)
    assert found["exact_f1_micro"] == pytest.approx(2 * 2 / (4 + 3))


def test_overlap_pairs_one_to_one_and_ignores_far_too_long_or_short() -> None:
    assert overlaps("呼吸状態", "呼吸状態悪化") and not overlaps("悪化", "呼吸状態悪化") and not overlaps("", "咳")
    assert overlap_counts(["呼吸状態"], ["呼吸", "状態", "呼吸状態悪化"]) == (1.0, 1.0, 1.0, 3.0)
    # the greedy pairing 甲乙-甲乙丙 would leave 甲乙丙丁 without a partner
    assert overlap_counts(["甲乙", "甲乙丙丁"], ["甲乙丙", "甲乙"])[0] == 2.0
    document = "朝から発熱と咳がありぐったりしている"
    assert values(measure(entities(("発熱", "咳")), [(document,)]))["overlap_f1"] == 0.0


def test_character_overlap_by_hand() -> None:
    assert character_counts(["呼吸状態悪化"], ["状態の悪化"]) == (2.0, 6.0, 2.0, 5.0)
    found = values(measure(entities(("呼吸状態悪化",)), [("呼吸状態",)]))
    assert found["character_f1"] == pytest.approx(2 * (4 / 6) * 1 / (4 / 6 + 1))
    assert found["character_f1_micro"] == found["character_f1"]


def test_unreadable_empty_and_doubled_lists() -> None:
    items = entities(("咳",))
    assert set(values(measure(items, [None])).values()) == {0.0}
    assert set(values(measure(items, [()])).values()) == {0.0}
    assert values(measure(items, [("咳", "咳")]))["exact_f1"] == 1.0
    nothing = entities(())
    assert values(measure(nothing, [()]))["exact_f1"] == 1.0
    assert values(measure(nothing, [None]))["exact_f1"] == 0.0
    assert values(measure(nothing, [("咳",)]))["exact_f1"] == 0.0


def test_strings_are_compared_as_written_and_counted_once() -> None:
    items = entities(("３８℃", "咳", "咳"))
    found = values(measure(items, [("38℃", "咳", "")]))
    assert found["exact_f1"] == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert found["overlap_f1"] == found["exact_f1"]
    assert values(measure(items, [("咳", "３８℃")]))["exact_f1_micro"] == 1.0


def test_long_answers_are_scored_quickly() -> None:
    begun = time.process_time()
    gold = tuple(f"症状{place}の悪化" for place in range(60))
    many: list[Prediction] = [tuple(f"症状{place}" for place in range(1_000)), ("あ" * 19_000,)]
    measure(entities(gold, ("あい",) * 60), many)
    assert time.process_time() - begun < 10


def test_the_published_partial_f1_is_kept_with_its_bug() -> None:
    assert partial_f1_upstream({"a", "b", "c", "d"}, {"a"}) == pytest.approx(2 * 1 * 4 / (1 + 4))
    assert partial_f1_upstream({"発熱"}, {"発"}) == 0.0
    assert partial_f1_upstream({"a"}, set()) == 0.0


@pytest.mark.parametrize(("task", "first_only"), [("mrner_disease", 1.71), ("mrner_medicine", 1.29), ("nrner", 1.30)])
def test_published_partial_f1_on_real_rows(real_data: Path, task: str, first_only: float) -> None:
    items = load_test(Jmed(path=str(real_data / "jmed-llm"), tasks=(task,)))[task]
    first: list[Prediction] = [item.answer[:1] for item in items]
    perfect: list[Prediction] = [item.answer for item in items]
    shortened: list[Prediction] = [tuple(text[1:] for text in item.answer if len(text) > 1) for item in items]
    assert round(values(measure_upstream(items, first))["partial_f1_upstream"], 2) == first_only
    assert values(measure_upstream(items, perfect))["partial_f1_upstream"] == pytest.approx(1.0)
    assert values(measure_upstream(items, shortened))["partial_f1_upstream"] < 0.05
    ours = values(measure(items, shortened))
    assert ours["overlap_f1"] > 0.99 and ours["exact_f1"] < 0.01
    assert values(measure(items, first))["overlap_f1"] < 0.75
    assert list(values(measure(items, perfect)).values()) == pytest.approx([1.0] * 6)
