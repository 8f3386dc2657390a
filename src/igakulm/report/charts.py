"""Charts of the report as hand-made SVG: curves and bars. Colours and type sizes come from the page's style.

Does: scale numbers to coordinates and write the markup. Does not: read files, or choose what to show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from igakulm.report.page import Html, decimal, el, large

Point = tuple[float, float]


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
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def downsample(points: Sequence[Point], limit: int = 240) -> list[Point]:
    """At most `limit` points: the means of equal runs of neighbours; numbers that are not finite are left out first.

    >>> downsample([(1, 4.0), (2, 2.0), (3, float("nan")), (4, 1.0), (5, 3.0)], limit=2)
    [(1.5, 3.0), (4.5, 2.0)]
    """
    usable = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
    width = math.ceil(len(usable) / limit) if usable else 1
    runs = [usable[start : start + width] for start in range(0, len(usable), width)]
    return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def curve_chart(
    title: str, subtitle: str, curve: Sequence[Point], checks: Sequence[Point], reference: tuple[float, str] | None
) -> Html:
    """Training loss over steps with validation points; `reference` is a level with its name."""
    width, height = 460, 230
    points = downsample(curve)
    checks = [point for point in checks if math.isfinite(point[1])]
    everything = [*points, *checks]
    if not everything:
        return el("figure", el("figcaption", title), el("p", "記録がありません。", class_="note"))
    values = [y for _, y in everything] + ([reference[0]] if reference else [])
    margin = 0.06 * (max(values) - min(values) or 1.0)
    x = Scale(0, max(step for step, _ in everything), 40, width - 78)
    y = Scale(min(values) - margin, max(values) + margin, height - 30, 8)
    parts = _axes(x, y, "ステップ")
    if reference:
        level = y(reference[0])
        parts.append(el("line", x1=x.start, x2=x.end, y1=level, y2=level, class_="reference"))
        parts.append(el("text", reference[1], x=x.end - 2, y=level - 4, class_="end"))
    parts.append(_path(points, x, y, "curve"))
    parts.append(_path(checks, x, y, "check"))
    parts.extend(el("circle", cx=x(a), cy=y(b), r=3, class_="check-dot") for a, b in checks)
    parts.extend(_end_labels(points, checks, x, y))
    last = f"最後の損失 {decimal(points[-1][1])}" if points else ""
    return _figure(title, subtitle, f"{title}。{subtitle}。{last}", width, height, parts)


def line_chart(title: str, subtitle: str, curve: Sequence[Point]) -> Html:
    """One quantity over steps, with its last value beside the curve; nothing without numbers."""
    points = downsample(curve)
    if not points:
        return Html("")
    width, height = 460, 150
    values = [y for _, y in points]
    margin = 0.06 * (max(values) - min(values) or abs(values[0]) or 1.0)
    x = Scale(0, max(step for step, _ in points), 52, width - 70)
    y = Scale(min(values) - margin, max(values) + margin, height - 30, 8)
    last = f"{points[-1][1]:.3g}"
    label = el("text", last, x=x.end + 8, y=round(y(points[-1][1]) + 4, 2), class_="ours")
    parts = [*_axes(x, y, "ステップ", wanted=3), _path(points, x, y, "curve"), label]
    return _figure(title, subtitle, f"{title}。{subtitle}。最後の値 {last}", width, height, parts)


def _axes(x: Scale, y: Scale, x_name: str, wanted: int = 5) -> list[Html]:
    parts = []
    for value in ticks(y.low, y.high, wanted):
        parts.append(el("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="grid"))
        parts.append(el("text", f"{value:g}", x=x.start - 6, y=y(value) + 4, class_="end"))
    parts.append(el("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis"))
    for value in ticks(x.low, x.high):
        parts.append(el("line", x1=x(value), x2=x(value), y1=y.start, y2=y.start + 4, class_="axis"))
        label = f"{value:g}" if value < 10_000 else large(value)
        parts.append(el("text", label, x=x(value), y=y.start + 16, class_="middle"))
    parts.append(el("text", x_name, x=x.end + 14, y=y.start + 16))
    return parts


def _path(points: Sequence[Point], x: Scale, y: Scale, style: str) -> Html:
    line = "M" + "L".join(f"{x(a):g} {y(b):g}" for a, b in points) if points else ""
    return el("path", d=line, class_=style) if line else Html("")


def _end_labels(points: Sequence[Point], checks: Sequence[Point], x: Scale, y: Scale) -> list[Html]:
    """Names and last values beside the ends of the curves, moved apart when they would overlap."""
    labels = []
    if points:
        labels.append((y(points[-1][1]), f"訓練 {decimal(points[-1][1], 2)}", "ours"))
    if checks:
        labels.append((y(checks[-1][1]), f"検証 {decimal(checks[-1][1], 2)}", "second"))
    labels.sort()
    if len(labels) == 2 and labels[1][0] - labels[0][0] < 14:
        middle = (labels[0][0] + labels[1][0]) / 2
        labels = [(middle - 7, *labels[0][1:]), (middle + 7, *labels[1][1:])]
    return [el("text", text, x=x.end + 8, y=round(level + 4, 2), class_=style) for level, text, style in labels]


def bar(share: float | None, *, tall: bool = False, start: float = 0.0) -> Html:
    """A bar for a table cell: `share` of the cell's width from `start` (both 0 to 1)."""
    if share is None:
        return Html("")
    long, first = (round(100 * min(1.0, max(0.0, number)), 2) for number in (share, start))
    track = el("rect", x=0, y=0, width=100, height=10, class_="track")
    filled = el("rect", x=first, y=0, width=max(long, 0.4) if share > 0 else 0, height=10)
    return el(
        "svg",
        track,
        filled,
        class_="bar tall" if tall else "bar",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _figure(title: str, subtitle: str, spoken: str, width: int, height: float, parts: Sequence[Html]) -> Html:
    caption = el("figcaption", title, el("small", subtitle) if subtitle else None)
    return el("figure", caption, el("svg", parts, viewBox=f"0 0 {width} {height:g}", role="img", aria_label=spoken))
