"""Learning curves: nested subsets with whole patients, figures that a direct computation gives, no promise above 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from igakulm.evaluation.baselines import Setting, predict
from igakulm.evaluation.item_files import Answered, write_items
from igakulm.evaluation.learning_curve import baseline_curves, model_curve, read_curves, write_curves
from igakulm.evaluation.metrics import measure
from igakulm.progress import SilentProgress
from igakulm.report.learning_curve import curve_sentences, learning_curve_part
from igakulm.tasks.items import Item
from igakulm.tasks.splits import nested_order

WORDS = [
    f"{first}{second}" for first in "頭胸腹腰肩膝手足" for second in ("痛", "部腫脹", "部発赤", "のしびれ", "の違和感")
]


def note(number: int, side: str) -> Item:
    word = WORDS[number * 7 % len(WORDS)]
    text = f"{number}日目、{word}を訴える。"
    return Item(
        f"{side}{number}",
        "signs",
        "entities",
        f"所見は。\n「{text}」",
        (),
        (word,),
        text,
        patient=f"{side}{number // 3}",
    )


TRAIN, TEST = [note(number, "r") for number in range(80)], [note(number, "t") for number in range(30)]


@pytest.fixture(scope="module")
def curves() -> dict[str, dict[int, tuple[float, float, float]]]:
    found = baseline_curves({"signs": TRAIN}, {"signs": TEST}, 3, SilentProgress())
    assert all(one["metric"] == "overlap_f1" for one in found)
    return {
        one["model"]: {point["rows"]: (point["low"], point["value"], point["high"]) for point in one["points"]}
        for one in found
    }


def test_subsets_are_nested_and_keep_patients_together() -> None:
    order = nested_order(TRAIN, 5)
    assert sorted(order) == list(range(80)) and order != nested_order(TRAIN, 6)
    patients = [TRAIN[place].patient for place in order]
    assert all(patients.count(one) == len(set(range(80)) & {p for p, two in enumerate(patients) if two == one})
               for one in set(patients))  # fmt: skip
    assert [one for n, one in enumerate(patients) if n == 0 or patients[n - 1] != one] == list(dict.fromkeys(patients))


def test_the_same_rows_give_the_same_curves() -> None:
    small = {"signs": TRAIN[:20]}, {"signs": TEST[:6]}
    assert baseline_curves(*small, 3, SilentProgress()) == baseline_curves(*small, 3, SilentProgress())


def test_figures_are_those_of_a_direct_computation(curves: dict[str, dict[int, tuple[float, float, float]]]) -> None:
    assert set(curves) == {"nearest", "dictionary", "tagger"}  # character n-grams choose options only
    assert list(curves["dictionary"]) == [10, 20, 40, 80]
    whole = predict("dictionary", TEST, Setting(TRAIN, 3))
    assert whole is not None
    assert curves["dictionary"][80][1] == pytest.approx(measure(TEST, whole)[0].value)
    scores = []
    for seed in range(3, 8):
        said = predict("dictionary", TEST, Setting([TRAIN[place] for place in nested_order(TRAIN, seed)[:20]], 3))
        assert said is not None
        scores.append(measure(TEST, said)[0].value)
    low, value, high = curves["dictionary"][20]
    assert value == pytest.approx(sum(scores) / 5) and low <= min(scores) and max(scores) <= high
    assert curves["dictionary"][10][1] < curves["dictionary"][80][1]


def test_a_model_s_curve_comes_from_its_files_and_promises_no_more_than_there_is(tmp_path: Path) -> None:
    runs = {}
    for rows, right in ((20, 10), (40, 20), (80, 29)):
        said = [item.answer if place < right else ("別",) for place, item in enumerate(TEST)]
        runs[rows] = tmp_path / f"{rows}.jsonl"
        write_items(runs[rows], TEST, Answered("tuned", "model", "generate", "chat", said, said), ())
    curve = model_curve("signs", "tuned", runs, 0)
    assert curve is not None and [point["value"] for point in curve["points"]] == pytest.approx([1 / 3, 2 / 3, 29 / 30])
    doubling = curve["doubling"]
    # The slope would be (29 - 10) / 60 a doubling; only 1 / 30 is left.
    assert doubling is not None and doubling["rows"] == 160
    assert doubling["value"] == pytest.approx(1 / 30) and doubling["low"] <= doubling["value"] <= doubling["high"]
    alone = model_curve("signs", "tuned", {80: runs[80]}, 0)
    assert alone is not None and alone["doubling"] is None
    write_curves(tmp_path, [curve, alone])
    assert read_curves(tmp_path) == (curve, alone) and read_curves(tmp_path / "none") == ()
    (sentence,) = curve_sentences(tmp_path, {"signs": "症状"})
    assert sentence.startswith("「症状」は、80 行を使う調整後モデル") and "160 行で +0.03" in sentence
    page = learning_curve_part(tmp_path, "en")
    assert "expected +0.03 with 160 rows" in page and "too few rows" in page
