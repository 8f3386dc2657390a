"""A page of the report: parts with their anchors, the style, and nothing that the browser would have to fetch.

Does: put the parts into the document around them. Does not: know what the parts say, or write files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from igakulm.report.numbers import Language
from igakulm.report.render import render


@dataclass(frozen=True, slots=True)
class Part:
    """A numbered section."""

    anchor: str
    title: str
    body: Markup


def page(
    title: str,
    parts: Sequence[Part],
    language: Language,
    *,
    kind: str,
    heading: str,
    footer: str,
    header: Markup | None = None,
    finished: str = "",
) -> str:
    """The whole document.

    Args:
        title: of the window.
        parts: the sections, in order.
        language: of the words.
        kind: what kind of page it is, above the heading.
        heading: what it is about.
        footer: the last line.
        header: below the heading.
        finished: date and time, empty when unknown.
    """
    style = Markup(Path(__file__).with_name("report.css").read_text(encoding="utf-8"))
    return render(
        "page.html.j2",
        language,
        style=style,
        title=title,
        parts=parts,
        kind=kind,
        heading=heading,
        footer=footer,
        header=header or Markup(""),
        finished=finished,
    )
