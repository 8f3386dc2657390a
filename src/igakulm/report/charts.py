"""Geometry of the report's charts: numbers to coordinates. charts.html.j2 draws them.

Does: scale, choose ticks, thin out curves. Does not: read files, choose what to show, or write markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from igakulm.report.numbers import Language, decimal, large

Point = tuple[float, float]
STEPS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
MOST_STEPS = 9


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from numbers to coordinates."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return round(self.start + share * (self.end - self.start), 2)


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place; `style` is a class of the style sheet."""

    text: str
    x: float
    y: float
    style: str = ""


@dataclass(frozen=True, slots=True)
class LineChart:
    """Curves over steps: paths as (SVG path, class), ticks as (place, text), the level of a reference or None."""

    width: int
    height: int
    x: Scale
    y: Scale
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    paths: list[tuple[str, str]]
    dots: list[Point]
    labels: list[Label]
    reference: float | None = None


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers (steps of 1, 2 or 5) inside an interval.

    >>> ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    >>> ticks(3.7, 8.4)
    [4.0, 5.0, 6.0, 7.0, 8.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda candidate: abs(candidate - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def downsample(points: Iterable[Point], limit: int = 240) -> list[Point]:
    """At most `limit` points: the means of equal runs of neighbours; numbers that are not finite are left out first.

    >>> downsample([(1, 4.0), (2, 2.0), (3, float("nan")), (4, 1.0), (5, 3.0)], limit=2)
    [(1.5, 3.0), (4.5, 2.0)]
    """
    usable = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
    width = math.ceil(len(usable) / limit) if usable else 1
    runs = [usable[start : start + width] for start in range(0, len(usable), width)]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def line_chart(
    curve: Sequence[Point],
    language: Language,
    checks: Sequence[Point] = (),
    reference: float | None = None,
    *,
    names: tuple[str, str] | None = None,
) -> LineChart | None:
    """A curve over steps, None without numbers.

    Args:
        curve: (step, value).
        language: of the ticks.
        checks: a second curve with a dot at each point.
        reference: a level that is drawn through.
        names: of both curves, for a chart of the larger kind; without them only the last value stands at the end.
    """
    points, checks = downsample(curve), [point for point in checks if math.isfinite(point[1])]
    everything = [*points, *checks]
    if not everything:
        return None
    width, height = 460, 230 if names else 150
    values = [y for _, y in everything] + ([] if reference is None else [reference])
    margin = 0.06 * (max(values) - min(values) or abs(values[0]) or 1.0)
    x = Scale(0, max(step for step, _ in everything), 40 if names else 52, width - (78 if names else 70))
    y = Scale(min(values) - margin, max(values) + margin, height - 30, 8)
    ends = [(points, names[0] if names else "", "ours"), (checks, names[1] if names else "", "second")]
    return LineChart(
        width,
        height,
        x,
        y,
        [(x(value), f"{value:g}" if value < 10_000 else large(value, language)) for value in ticks(x.low, x.high)],
        [(y(value), f"{value:g}") for value in ticks(y.low, y.high, 5 if names else 3)],
        [(_path(run, x, y), style) for run, style in ((points, "curve"), (checks, "check")) if run],
        [(x(a), y(b)) for a, b in checks],
        _end_labels([(y(run[-1][1]), run[-1][1], name, style) for run, name, style in ends if run], x.end + 8),
        None if reference is None else y(reference),
    )


def _path(points: Sequence[Point], x: Scale, y: Scale) -> str:
    return "M" + "L".join(f"{x(a):g} {y(b):g}" for a, b in points)


def _end_labels(ends: list[tuple[float, float, str, str]], x: float) -> list[Label]:
    """Names and last values beside the ends of the curves, moved apart when they would overlap."""
    ends.sort()
    places = [level for level, *_ in ends]
    if len(ends) == 2 and places[1] - places[0] < 14:
        middle = sum(places) / 2
        places = [middle - 7, middle + 7]
    return [
        Label(f"{name} {decimal(value, 2)}" if name else f"{value:.3g}", x, round(place + 4, 2), style)
        for place, (_, value, name, style) in zip(places, ends, strict=True)
    ]


def bar_span(share: float | None, start: float = 0.0) -> tuple[float, float]:
    """Where a bar begins and how long it is, of 100; a share above 0 can always be seen.

    >>> bar_span(0.25), bar_span(0.0001), bar_span(None)
    ((0.0, 25.0), (0.0, 0.4), (0.0, 0))
    """
    long, first = (round(100 * min(1.0, max(0.0, number or 0.0)), 2) for number in (share, start))
    return first, max(long, 0.4) if share and share > 0 else 0


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
        low, high = step * math.floor(lowest / step + 1e-9), step * math.ceil(highest / step - 1e-9)
        return cls(round(low, 9), round(high, 9), step)

    def place(self, value: float) -> float:
        """A value's position in per cent of the axis."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def stride(self) -> float:
        """A step in per cent of the axis."""
        return round(100 * self.step / (self.high - self.low), 3)

    @property
    def ticks(self) -> list[float]:
        """The values at the steps."""
        return [round(self.low + k * self.step, 9) for k in range(round((self.high - self.low) / self.step) + 1)]


@dataclass(frozen=True, slots=True)
class Forest:
    """Values with their intervals, one line each: a table whose middle column is drawn with the page's style, so that
    names stay readable on a phone and on paper however many lines there are. `reference` is drawn through all lines.
    """

    title: str
    subtitle: str
    rows: list[Estimate]
    reference: float | None
    reported: Reported | None
    axis: Axis


def forest_chart(
    title: str, subtitle: str, rows: list[Estimate], reference: float | None = None, reported: Reported | None = None
) -> Forest:
    """A forest plot with an axis that holds everything."""
    bounds = [bound for row in rows for bound in (row.value, row.low, row.high) if bound is not None]
    bounds += [value for _, value in reported.values] if reported else []
    return Forest(title, subtitle, rows, reference, reported, Axis.around([0.0, *bounds]))
