"""A page of the report as its tests see it: elements, text, and that everything nests."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "col"}
FORBIDDEN = {"script", "img", "link", "iframe", "object", "embed", "base", "form", "image", "use"}


class Structure(HTMLParser):
    """Collects elements and text and checks that elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.pieces.append(data)

    @property
    def text(self) -> str:
        """All text, one space between its pieces."""
        return " ".join(" ".join(self.pieces).split())

    @property
    def links(self) -> list[str | None]:
        """Where links lead."""
        return [attributes.get("href") for tag, attributes in self.seen if tag == "a"]

    @property
    def sections(self) -> list[str | None]:
        """The anchors of the sections."""
        return [attributes.get("id") for tag, attributes in self.seen if tag == "section"]


def parsed(html: str) -> Structure:
    """The structure of a page or a part of one."""
    structure = Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    return structure


def section(html: str, anchor: str) -> str:
    """The markup of one section of a page."""
    found = re.search(rf'<section id="{anchor}".*?</section>', html, re.DOTALL)
    assert found, anchor
    return found[0]


def assert_closed(html: str) -> None:
    """The page fetches nothing and runs nothing."""
    structure = parsed(html)
    assert not {tag for tag, _ in structure.seen} & FORBIDDEN
    for _, attributes in structure.seen:
        assert not {"src", "srcset", "action", "poster"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
        assert "url(" not in (attributes.get("style") or "")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in html or "default-src &#39;none&#39;" in html
