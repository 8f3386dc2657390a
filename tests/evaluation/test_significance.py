"""The paired test: symmetric, exact where it can be, and neither too eager nor too shy on simulated models."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from igakulm.evaluation.intervals import Resampler, document_groups
from igakulm.evaluation.measured import Measured, mean_of
from igakulm.evaluation.metrics import measure
from igakulm.evaluation.significance import ENUMERATED, Paired, holm, paired
from igakulm.tasks.items import Item


def means(scores: np.ndarray | list[float]) -> Measured:
    return mean_of("accuracy", list(map(float, scores)))


def compare(first: object, second: object, groups: object = None, samples: int = 999, seed: int = 0) -> Paired:
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    number = np.arange(len(one)) if groups is None else np.asarray(groups)
    return paired(means(one), means(other), number.astype(np.int64), samples, seed)


def simulated(generator: np.random.Generator, edge: float, documents: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two models' right answers on the same documents, some harder than others; the first is better by `edge`."""
    ease = generator.uniform(0.2, 0.7, documents)
    return generator.random(documents) < ease + edge, generator.random(documents) < ease


def test_identical_models() -> None:
    scores = [1.0, 0.0, 1.0, 1.0, 0.0] * 10
    assert compare(scores, scores) == Paired(0.0, 0.0, 0.0, 1.0, 50, 50)


def test_order_turns_the_sign_only() -> None:
    first, second = simulated(np.random.default_rng(1), 0.2)
    one, other = compare(first, second), compare(second, first)
    assert one.difference == pytest.approx(first.mean() - second.mean())
    assert (one.difference, one.p) == (-other.difference, other.p)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.low < one.difference < one.high


def test_enumeration_is_exact_by_hand() -> None:
    # five documents, all for the first model: only "as it is" and "all swapped" are as extreme, 2 of 2^5
    assert compare([1.0] * 5, [0.0] * 5).p == 2 / 32
    differences = [0.3, -0.1, 0.5, 0.2]
    extreme = sum(
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True))) >= 0.9 - 1e-9
        for signs in product((1, -1), repeat=4)
    )
    assert compare(differences, [0.0] * 4).p == extreme / 16


def test_documents_without_a_difference_do_not_count_against_enumeration() -> None:
    first, second = np.zeros(100), np.zeros(100)
    first[:ENUMERATED] = 1.0
    assert compare(first, second).p == 2 / 2**ENUMERATED
    sampled = compare([1.0] * 13, [0.0] * 13, samples=999).p
    assert sampled >= 1 / 1000 and sampled == pytest.approx(2 / 2**13, abs=0.002)


def test_whole_documents_are_swapped() -> None:
    first, second = np.repeat([1.0, 1.0, 0.0], 10), np.repeat([0.0, 0.0, 1.0], 10)
    together = compare(first, second, np.repeat([0, 1, 2], 10))
    alone = compare(first, second)
    assert (together.p, together.documents, together.n) == (1.0, 3, 30)
    assert alone.p < 0.2 and alone.high - alone.low < together.high - together.low


def test_size_and_calibration_without_a_difference() -> None:
    generator = np.random.default_rng(2)
    p = np.array([compare(*simulated(generator, 0.0), samples=299).p for _ in range(400)])
    # exact tests of discrete data are at most as eager as stated: 400 trials leave +- 2 points
    assert 0.02 <= (p <= 0.05).mean() <= 0.075
    assert 0.06 <= (p <= 0.10).mean() <= 0.14
    assert 0.4 <= (p <= 0.5).mean() <= 0.6


def test_power_with_a_difference() -> None:
    generator = np.random.default_rng(3)
    found = [compare(*simulated(generator, 0.3), samples=299) for _ in range(60)]
    assert np.mean([result.p <= 0.05 for result in found]) > 0.8
    assert np.mean([result.low <= 0.3 <= result.high for result in found]) > 0.85


def test_interval_uses_the_resamples_of_single_models() -> None:
    items = [Item(str(n), "t", "choice", "q", ("a", "b"), ("AB"[n % 2],), document=f"文{n // 2}") for n in range(40)]
    generator = np.random.default_rng(4)
    said = [[("AB"[int(n)],) for n in generator.integers(0, 2, 40)] for _ in range(2)]
    kappas = [measure(items, predictions)[0] for predictions in said]
    constant = Measured("kappa", np.zeros_like(kappas[0].statistics), kappas[0].combine)
    alone = Resampler(items, 500, 7).interval(kappas[0].statistics, kappas[0].combine)
    against_nothing = paired(kappas[0], constant, document_groups(items), 500, 7)
    assert (against_nothing.low, against_nothing.high) == alone
    first, second = kappas
    result = paired(first, second, document_groups(items), 500, 7)
    assert result == paired(first, second, document_groups(items), 500, 7)
    assert result.documents == 20 and result.difference == pytest.approx(first.value - second.value)


def test_blocks_cover_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = simulated(np.random.default_rng(5), 0.1)
    whole = compare(first, second, samples=2000)
    monkeypatch.setattr("igakulm.evaluation.intervals.CELLS_AT_ONCE", 7 * 60)
    blocks = compare(first, second, samples=2000)
    assert blocks.p == pytest.approx(whole.p, abs=0.05)


def test_other_metrics_or_items_are_refused() -> None:
    with pytest.raises(ValueError, match="accuracy"):
        paired(means([1.0]), mean_of("exact_f1", [1.0]), np.array([0]), 10, 0)
    with pytest.raises(ValueError, match="groups"):
        paired(means([1.0]), means([1.0]), np.array([0, 1]), 10, 0)


def test_holm_by_hand() -> None:
    assert holm([]) == []
    assert holm([0.04]) == [0.04]
    assert holm([0.01, 0.02, 0.9]) == pytest.approx([0.03, 0.04, 0.9])
    assert holm([0.5, 0.5]) == [1.0, 1.0]
