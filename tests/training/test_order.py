"""The order of rows: every row once an epoch, another order each epoch, the same on every machine."""

from collections import Counter

import pytest

from igakulm.training.order import mix, permutation, rows_of_step


@pytest.mark.parametrize(("rows", "batch"), [(10, 3), (7, 7), (5, 12), (1, 4)])
def test_epochs_are_permutations(rows: int, batch: int) -> None:
    seen = [row for step in range(4 * rows) for row in rows_of_step(3, step, rows, batch)]
    epochs = [seen[start : start + rows] for start in range(0, 4 * rows * batch, rows)]
    assert all(sorted(epoch) == list(range(rows)) for epoch in epochs)


def test_epochs_and_seeds_differ() -> None:
    orders = {tuple(permutation(seed, epoch, 50).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_a_step_does_not_need_the_steps_before() -> None:
    permutation.cache_clear()
    late = rows_of_step(1, 1000, 33, 8)
    for step in range(20):
        rows_of_step(1, step, 33, 8)
    assert rows_of_step(1, 1000, 33, 8) == late


def test_the_order_is_fixed_for_ever() -> None:
    assert permutation(0, 0, 8).tolist() == [1, 3, 6, 5, 0, 7, 4, 2]
    assert mix(1, 2, 3) == 15020427595393229491


def test_positions_are_uniform() -> None:
    firsts = Counter(int(permutation(seed, 0, 10)[0]) for seed in range(2000))
    assert min(firsts.values()) > 140 and max(firsts.values()) < 260
