"""Forest plots: values with their intervals, one line each. A table whose middle column is drawn with the page's style,
so that names stay readable on a phone and on paper however many lines there are.

Does: scale numbers to positions and write the markup. Does not: read files, or choose what to show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from igakulm.report.page import Child, Html, decimal, el

STEPS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
MOST_STEPS = 9


@dataclass(frozen=True, slots=True)
class Estimate:
    """One line of a forest plot; `style` is "ours", "base" (hollow) or "" (a baseline)."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    style: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """Figures from elsewhere, (name, value) each, on one line with marks of another shape."""

    label: str
    values: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from `low` to `high` in equal steps."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Sequence[float]) -> Axis:
        """An axis that holds 0, 1 and all values.

        >>> Axis.around([-0.31, 0.4])
        Axis(low=-0.4, high=1.0, step=0.2)
        """
        lowest, highest = min(0.0, *values), max(1.0, *values)
        step = next((step for step in STEPS if (highest - lowest) / step <= MOST_STEPS - 1), (highest - lowest) / 5)
        low, high = (step * math.floor(lowest / step + 1e-9), step * math.ceil(highest / step - 1e-9))
        return cls(round(low, 9), round(high, 9), step)

    def place(self, value: float) -> float:
        """A value's position in per cent of the axis."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> list[float]:
        """The values at the steps."""
        return [round(self.low + k * self.step, 9) for k in range(round((self.high - self.low) / self.step) + 1)]


def forest_chart(
    title: str,
    subtitle: str,
    rows: Sequence[Estimate],
    reference: float | None = None,
    reported: Reported | None = None,
) -> Html:
    """Values with their intervals, one line each; `reference` is a level that is drawn through all lines."""
    bounds = [bound for row in rows for bound in (row.value, row.low, row.high) if bound is not None]
    bounds += [value for _, value in reported.values] if reported else []
    axis = Axis.around([0.0, *bounds])
    line = None if reference is None else el("u", style=f"left:{axis.place(reference)}%")
    body = [_estimate(row, axis, line) for row in rows]
    if reported and reported.values:
        body.append(_reported(reported, axis, line))
    labels = [
        el("span", decimal(tick, 1 if axis.step < 1 else 0), style=f"left:{axis.place(tick)}%") for tick in axis.ticks
    ]
    foot = el("tr", el("td"), el("td", el("div", labels, class_="axis")), el("td"), aria_hidden="true")
    caption = el("figcaption", title, el("small", subtitle) if subtitle else None)
    return el(
        "figure",
        caption,
        el("table", el("tbody", body), el("tfoot", foot), class_="forest", style=f"--step:{_step(axis)}%"),
    )


def _step(axis: Axis) -> float:
    return round(100 * axis.step / (axis.high - axis.low), 3)


def _estimate(row: Estimate, axis: Axis, reference: Html | None) -> Html:
    interval: Child = None
    if row.low is not None and row.high is not None:
        start, end = axis.place(row.low), axis.place(row.high)
        interval = el("i", style=f"left:{start}%;width:{round(end - start, 2)}%")
    mark = el("b", style=f"left:{axis.place(row.value)}%")
    label = el("th", row.label, el("small", row.remark) if row.remark else None, scope="row")
    digits = 3 if abs(row.value) <= 2 else 1
    return el(
        "tr",
        label,
        el("td", el("div", reference, interval, mark, class_="track")),
        el("td", decimal(row.value, digits)),
        class_=row.style or None,
    )


def _reported(reported: Reported, axis: Axis, reference: Html | None) -> Html:
    marks = [
        el("b", style=f"left:{axis.place(value)}%", title=f"{name} {decimal(value, 2)}")
        for name, value in reported.values
    ]
    values = [value for _, value in reported.values]
    between = f"{decimal(min(values), 2)}–{decimal(max(values), 2)}"
    label = el("th", reported.label, scope="row")
    return el(
        "tr",
        label,
        el("td", el("div", reference, marks, class_="track")),
        el("td", between),
        class_="reported",
    )
