"""HTML for the report: elements that escape their text, tables, numbers in Japanese notation, the page around it all.

Does: build markup as strings; plain text is always escaped, so no corpus text or model answer can become markup.
Does not: read files or know what a stage is.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

MISSING = "–"
_VOID = {"meta", "br", "col"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Html(str):
    """Text that is markup already and is not escaped again."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"


def escape(text: str) -> Html:
    """Plain text as markup; control characters, direction overrides and lone surrogates become U+FFFD.

    >>> escape('<b> & "x"')
    '&lt;b&gt; &amp; &quot;x&quot;'
    """
    return Html(html.escape(_UNPRINTABLE.sub("�", text)))


def el(tag: str, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """One element. `class_` gives `class`, other underscores become hyphens; None and False leave an attribute out.

    >>> el("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    >>> el("ul", [el("li", 1), el("li", None)])
    '<ul><li>1</li><li></li></ul>'
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{escape(_plain(value))}"')
    parts.append(">")
    if tag not in _VOID:
        parts.extend(_render(child) for child in children)
        parts.append(f"</{tag}>")
    return Html("".join(parts))


def join(*children: Child) -> Html:
    """Several pieces after another, plain text escaped."""
    return Html("".join(_render(child) for child in children))


def _render(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int | float):
        return escape(_plain(child))
    return "".join(_render(part) for part in child)


def _plain(value: str | int | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def finite(value: object) -> float | None:
    """A number as float; None for everything else, and for NaN and infinities.

    >>> finite(3), finite("3"), finite(float("nan")), finite(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(value: object) -> str:
    """A whole number with separators.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    number = finite(value)
    return MISSING if number is None else f"{round(number):,}"


def large(value: object) -> str:
    """A number in 万 and 億, two or three digits.

    >>> large(3_104_256), large(1_191_282_688), large(123_456_789), large(950)
    ('310万', '11.9億', '1.23億', '950')
    """
    number = finite(value)
    if number is None:
        return MISSING
    for unit, name in ((1e12, "兆"), (1e8, "億"), (1e4, "万")):
        if abs(number) >= unit:
            scaled = number / unit
            return f"{scaled:,.{max(0, 2 - int(math.log10(abs(scaled))))}f}{name}"
    return f"{number:,.0f}"


def decimal(value: object, digits: int = 3) -> str:
    """A number with fixed digits; a real minus sign.

    >>> decimal(0.51234), decimal(-0.02, 2), decimal(None)
    ('0.512', '−0.02', '–')
    """
    number = finite(value)
    return MISSING if number is None else f"{number:,.{digits}f}".replace("-", "−")


def percent(share: object, digits: int = 1) -> str:
    """A share of 0 to 1 as per cent.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '–')
    """
    number = finite(share)
    return MISSING if number is None else f"{decimal(100 * number, digits)} %"


def duration(seconds: object) -> str:
    """Seconds in words.

    >>> duration(0.42), duration(75), duration(7325)
    ('0.4 秒', '1 分 15 秒', '2 時間 02 分')
    """
    number = finite(seconds)
    if number is None:
        return MISSING
    if number < 10:
        return f"{number:.1f} 秒"
    whole = round(number)
    if whole < 60:
        return f"{whole} 秒"
    if whole < 3600:
        return f"{whole // 60} 分 {whole % 60:02d} 秒"
    return f"{whole // 3600} 時間 {whole % 3600 // 60:02d} 分"


def size(number_of_bytes: object) -> str:
    """Bytes in binary units.

    >>> size(900), size(1536), size(13_000_000)
    ('900 B', '1.5 KiB', '12.4 MiB')
    """
    number = finite(number_of_bytes)
    if number is None:
        return MISSING
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"


def table(
    head: Sequence[Child],
    rows: Iterable[Sequence[Child]],
    *,
    caption: str = "",
    label: str = "",
    numbers: bool = True,
    kind: str = "",
) -> Html:
    """A table whose first cell of each row is its header; `numbers` sets the other cells right-aligned.

    `label` names a table that stands below a heading and needs no caption.

    A cell that is a ready `<td …>` or `<th …>` element is taken as it is.
    """
    header = el("tr", [cell if _is_cell(cell) else el("th", cell, scope="col") for cell in head])
    body = [
        el("tr", [c if _is_cell(c) else el("td", c) if i else el("th", c, scope="row") for i, c in enumerate(row)])
        for row in rows
    ]
    classes = " ".join(filter(None, ("numbers" if numbers else "words", kind)))
    inner = [el("caption", caption) if caption else None, el("thead", header), el("tbody", body)]
    return scroll(caption or label, el("table", inner, class_=classes))


def scroll(label: str, inner: Html) -> Html:
    """A wide table in a frame that scrolls, by keyboard too."""
    return el("div", inner, class_="scroll", tabindex=0, role="region", aria_label=label or None)


def _is_cell(cell: Child) -> bool:
    return isinstance(cell, Html) and cell.startswith(("<td", "<th"))


def facts(pairs: Iterable[tuple[Child, Child]]) -> Html:
    """Names and values in two columns."""
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in pairs], class_="facts")


def note(*children: Child) -> Html:
    """A small paragraph below a table or figure."""
    return el("p", *children, class_="note")


def details(summary: Child, *children: Child) -> Html:
    """A closed block that opens on a click and stands open on paper."""
    return el("details", el("summary", summary), *children)


def bulk(summary: Child, *children: Child) -> Html:
    """A closed block of material to look things up in; on paper only where the reader has opened it."""
    return el("details", el("summary", summary), *children, class_="bulk")


def one_of(group: str, summary: Child, *children: Child, is_open: bool = False) -> Html:
    """A block of which one of the group stands open at a time (no script: the element's `name` does it)."""
    return el("details", el("summary", summary), *children, name=group, open=is_open, class_="bulk")


def heading(level: int, text: Child, *, anchor: str | None = None) -> Html:
    """A heading of a level (1 to 6)."""
    return el(f"h{min(max(level, 1), 6)}", text, id=anchor)


def section(anchor: str, number: int, title: str, *children: Child) -> Html:
    """A numbered section with its anchor."""
    heading = el("h2", el("span", number, class_="number"), title, id=f"{anchor}-title")
    return el("section", heading, *children, id=anchor, aria_labelledby=f"{anchor}-title")


def page(title: str, header: Html, contents: Sequence[tuple[str, str]], body: Iterable[Html], footer: str) -> Html:
    """The whole document: style inline, no script, and a policy that forbids every request."""
    style = Html(Path(__file__).with_name("report.css").read_text(encoding="utf-8"))
    head = el(
        "head",
        el("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", style),
    )
    links = [el("li", el("a", name, href=f"#{anchor}")) for anchor, name in contents]
    navigation = el("nav", el("ol", links), aria_label="目次")
    skip = el("a", "本文へ", href="#main", class_="skip")
    main = el("main", header, *body, el("footer", footer), id="main")
    return join(Html("<!DOCTYPE html>\n"), el("html", head, el("body", skip, navigation, main), lang="ja"), Html("\n"))
