"""Pages of a raw Wikipedia dump (`pages-articles.xml.bz2`, multistream or not) as title and wikicode.

Does: stream the XML (export format 0.10, 0.11) with one page in memory; yield articles only, that is pages of
namespace 0 that are wikicode and no redirects; report a page with broken UTF-8 and go on.
Does not: read the wikicode (wikicode.py), histories (the last revision of a page wins), or files with a DOCTYPE.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.parsers import expat

from igakulm.corpus.streams import Advance, Span, bz2_ranges, chunks, nothing
from igakulm.errors import InputError

_BROKEN = "\ufdd0"
"""Stands for bytes that are not UTF-8: a code point that no text may hold, and that XML lets pass."""
_CUT_OFF = "get it again, it was cut off"
_AGAIN = "get it again, or set the source's `format` if it is none"
_FORBIDDEN = bytes(code for code in range(32) if code not in (9, 10, 13))
_WANTED = frozenset(("title", "ns", "id", "model", "text", "timestamp"))

codecs.register_error(
    "igakulm-mark", lambda error: (_BROKEN, error.end if isinstance(error, UnicodeDecodeError) else 0)
)


@dataclass(slots=True)
class Page:
    """One article. `broken`: some of its bytes were not UTF-8."""

    number: int
    id: str
    title: str
    url: str
    timestamp: str
    wikicode: str
    broken: bool


class _Handler:
    """Collects the elements of one page at a time."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.number = 0
        self.site = ""
        self.root = ""
        self._path: list[str] = []
        self._fields: dict[str, str] = {}
        self._redirect = False
        self._text: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        self._path.append(name)
        self._text = None
        if name == "page":
            self._fields, self._redirect = {}, False
        elif name == "redirect":
            self._redirect = True
        elif name in _WANTED or name == "base":
            self._text = []

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, name: str) -> None:
        self._path.pop()
        if self._text is not None:
            above = self._path[-1] if self._path else ""
            if name == "base":
                self.site = "".join(self._text).rpartition("/")[0]
            elif above in ("page", "revision") and not (name == "id" and above == "revision"):
                self._fields[name] = "".join(self._text)
            self._text = None
        if name == "page":
            self._finish()

    def doctype(self, *_: object) -> None:
        raise ValueError("it has a DOCTYPE, which no dump has")

    def _finish(self) -> None:
        self.number += 1
        fields = self._fields
        if self._redirect or fields.get("ns", "0") != "0" or fields.get("model", "wikitext") != "wikitext":
            return
        title, wikicode = fields.get("title", ""), fields.get("text", "")
        broken = _BROKEN in wikicode or _BROKEN in title
        url = f"{self.site}/{quote(title.replace(' ', '_'))}" if self.site and not broken else ""
        page = Page(self.number, fields.get("id", ""), title, url, fields.get("timestamp", ""), wikicode, broken)
        self.pages.append(page)


def pages(path: Path, advance: Advance = nothing, span: Span | None = None) -> Iterator[Page]:
    """Yield the articles of a dump in its order; `number` counts all pages from 1.

    Args:
        path: the dump.
        advance: told the bytes read.
        span: read this range of a multistream dump only (streams.bz2_ranges); `number` counts from its beginning.

    Raises:
        InputError: the file is missing, cut off, broken, or no dump of MediaWiki.
    """
    handler = _Handler()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.buffer_size = 1 << 18
    parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = handler.data, handler.doctype
    if span is not None and span[0] > 0:
        parser.Parse(f"<mediawiki><siteinfo><base>{_base(path)}</base></siteinfo>", False)
    decode = codecs.getincrementaldecoder("utf-8")("igakulm-mark").decode
    try:
        for chunk in chunks(path, advance, span):
            parser.Parse(decode(chunk.translate(None, _FORBIDDEN)), False)
            if handler.root and handler.root != "mediawiki":
                raise ValueError(f"it begins with <{handler.root}>, not <mediawiki>")
            yield from handler.pages
            handler.pages.clear()
        within = span is not None and span[1] < path.stat().st_size
        parser.Parse(decode(b"", True) + ("</mediawiki>" if within else ""), True)
    except (expat.ExpatError, ValueError) as error:
        cut = isinstance(error, expat.ExpatError) and error.code in _CUT
        what = "the dump ends too early" if cut else f"this is no dump of MediaWiki: {error}"
        where = f"{path}, after page {handler.number:,}"
        raise InputError(what, where=where, hint=_CUT_OFF if cut else _AGAIN) from error
    yield from handler.pages


def page_ranges(path: Path, size: int) -> Iterator[Span]:
    """Cut a multistream dump into ranges of about `size` bytes, each of which begins with a page.

    A dump that was packed again in blocks (pbzip2, lbzip2) has streams that begin within a page: these stay together.
    """
    start = last = 0
    for first, end in bz2_ranges(path, size):
        if first > start and _begins_with_page(path, (first, end)):
            yield start, first
            start = first
        last = end
    if last > start:
        yield start, last


def _begins_with_page(path: Path, span: Span) -> bool:
    try:
        return next(chunks(path, span=span), b"").lstrip().startswith((b"<page>", b"</mediawiki>"))
    except InputError:
        return False  # whoever reads the file says what is wrong with it


def _base(path: Path) -> str:
    """The address of the wiki's main page, from the head of the dump, as XML text."""
    head = next(chunks(path), b"")
    found = re.search(rb"<base>([^<>]*)</base>", head)
    return found[1].decode("utf-8", "replace") if found else ""


_CUT = {
    expat.errors.codes[name] for name in (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)
}
