"""What each tuning row counts in the mean loss: tokens or rows alike, rare classes more.

Does: set the shares of rows. Does not: choose which rows a step sees (mixture.py).

The loss of a step is the sum of share x loss over the targets, divided by the sum of the shares. With one share for all
targets a list of thirty tokens counts fifteen times a letter with its end; with 1 / (targets of the row) every row
counts alike. Class weights multiply that, so that a class that is n times as rare counts up to n times as much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from igakulm.training.tuning_rows import TuningRow


def with_shares(rows: Sequence[TuningRow], *, by_row: bool, class_balance: float) -> list[TuningRow]:
    """The rows with their shares.

    Args:
        rows: all training rows.
        by_row: every row counts alike, not every token.
        class_balance: 0 = classes as they are, 1 = all classes of a task together count alike, between: a power. Only
            rows with a `label` (choices) have classes; the mean of a task's class weights is 1.
    """
    sizes, labels = Counter[str](), Counter[tuple[str, str]]()
    for row in rows:
        if row.label:
            sizes[row.task] += row.repeats
            labels[row.task, row.label] += row.repeats
    raw = {key: (sizes[key[0]] / count) ** class_balance for key, count in labels.items()}
    totals = dict.fromkeys(sizes, 0.0)
    for (task, label), weight in raw.items():
        totals[task] += weight * labels[task, label]
    found = []
    for row in rows:
        share = 1 / max(1, row.row().learnt) if by_row else 1.0
        if row.label and class_balance:
            share *= raw[row.task, row.label] * sizes[row.task] / totals[row.task]
        found.append(replace(row, share=share))
    return found
