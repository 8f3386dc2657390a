"""The bootstrap keeps documents together, is seeded, and is as wide as theory says."""

from __future__ import annotations

import numpy as np
import pytest

from igakulm.evaluation.intervals import Resampler, document_groups, unanimous, wilson
from igakulm.evaluation.measured import Measured, mean_of
from igakulm.evaluation.metrics import measure
from igakulm.tasks.items import Item


def items(documents: list[str], sentences: list[tuple[str, ...]] | None = None) -> list[Item]:
    pairs = sentences or [()] * len(documents)
    return [
        Item(str(place), "t", "choice", "q", ("a", "b"), ("A",), document=document, sentences=pair)
        for place, (document, pair) in enumerate(zip(documents, pairs, strict=True))
    ]


def interval(measured: Measured, of: list[Item], seed: int = 0, samples: int = 2000) -> tuple[float, float]:
    return Resampler(of, samples, seed).interval(measured.statistics, measured.combine)


def test_groups_follow_documents_and_shared_sentences() -> None:
    assert document_groups(items(["甲。", "乙", "甲", "", ""])).tolist() == [0, 1, 0, 2, 3]
    linked = items([""] * 4, [("い", "ろ"), ("は", "に"), ("ろ", "は"), ("ほ", "へ")])
    assert document_groups(linked).tolist() == [0, 0, 0, 1]


def test_width_is_that_of_the_binomial_for_single_items() -> None:
    of = items([f"文{place}" for place in range(100)])
    low, high = interval(mean_of("accuracy", [1.0] * 60 + [0.0] * 40), of)
    assert low == pytest.approx(0.6 - 1.96 * 0.049, abs=0.015)
    assert high == pytest.approx(0.6 + 1.96 * 0.049, abs=0.015)


def test_items_of_one_document_widen_the_interval() -> None:
    scores = mean_of("accuracy", [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 5)
    alone = interval(scores, items([f"文{place}" for place in range(40)]))
    together = interval(scores, items([f"文{place // 4}" for place in range(40)]))
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_seeded_and_the_same_for_every_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    of = items([f"文{place}" for place in range(30)])
    scores = mean_of("accuracy", [place**2 / 900 for place in range(30)])
    first = interval(scores, of)
    assert interval(scores, of) == first
    assert interval(scores, of, seed=1) != first
    monkeypatch.setattr("igakulm.evaluation.intervals.CELLS_AT_ONCE", 7 * 30)
    assert interval(scores, of) == pytest.approx(first, abs=0.05)


def test_kappa_of_samples_with_one_class_only_is_finite() -> None:
    of = items(["甲", "乙"])
    (kappa, _) = measure([of[0], Item("1", "t", "choice", "q", ("a", "b"), ("B",), document="乙")], [("A",), ("B",)])
    low, high = interval(kappa, of)
    assert np.isfinite([low, high]).all() and low == 0.0 and high == 1.0


def test_a_single_document_says_next_to_nothing() -> None:
    low, high = interval(mean_of("accuracy", [1.0, 0.0]), items(["甲", "甲"]))
    assert low < 0.02 and high > 0.98


def test_unanimous_answers_have_an_exact_interval() -> None:
    """Where the bootstrap has no width: the exact interval of Clopper and Pearson; coverage at n = 30, p = .95."""
    of = items([f"文{place}" for place in range(30)])
    assert interval(mean_of("accuracy", [1.0] * 30), of) == pytest.approx((0.8843, 1.0), abs=1e-4)
    assert interval(mean_of("accuracy", [0.0] * 30), of) == pytest.approx((0.0, 0.1157), abs=1e-4)
    assert unanimous(1.0, 30, (-1.0, 1.0))[0] == pytest.approx(1 - 2 * 0.1157, abs=1e-4)
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        scores = (generator.random(30) < 0.95).astype(float).tolist()
        low, high = interval(mean_of("accuracy", scores), of, samples=300)
        held += low <= 0.95 <= high
    assert held >= 180  # .766 of intervals did before


def test_wilson_limits() -> None:
    """Against the formula's definition: the limits are the shares whose test just does not reject."""
    for right, n in ((0, 10), (3, 10), (10, 10), (97, 100)):
        low, high = wilson(right, n)
        for limit in (low, high):
            spread = (limit * (1 - limit) / n) ** 0.5
            assert abs(right / n - limit) == pytest.approx(1.959964 * spread, abs=1e-6)
