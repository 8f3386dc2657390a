"""Addresses in web pages: one spelling for each, the links of a page, and what a page asks of robots.

Does: parse. Does not: fetch, or decide which host may be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

MAX_LENGTH = 2000
_MAX_SEGMENTS, _MAX_REPEATS = 20, 3  # deeper paths, or one segment again and again, are traps
_SAFE = "/%:@!$&'()*+,;=~-._"
_NO_PAGE = re.compile(
    r"\.(?:pdf|docx?|xlsx?|pptx?|zip|gz|bz2|xz|7z|rar|lzh|exe|dmg|iso|jpe?g|png|gif|webp|svg|ico|bmp|tiff?|mp3|mp4|"
    r"m4a"
    r"|avi|mov|wmv|webm|wav|ogg|css|js|mjs|json|xml|rss|atom|csv|tsv|woff2?|ttf|otf|eot|epub)$",
    re.IGNORECASE,
)

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:]+")


class PageLinks(NamedTuple):
    """Addresses that a page links to, in order, and what the page allows."""

    addresses: list[str]
    keep: bool
    follow: bool


def canonical(address: str, base: str = "") -> str | None:
    """One spelling of an address of a web page, without its fragment; None for what is no such address.

    >>> canonical("../b c.html?x=1#top", "HTTP://Example.JP:80/a/a.html")
    'http://example.jp/b%20c.html?x=1'
    >>> canonical("mailto:a@example.jp") is canonical("http://user@example.jp/") is canonical("/a", "") is None
    True
    """
    if len(address) > MAX_LENGTH:
        return None
    try:
        parts = urlsplit(urljoin(base, address.strip().replace("\n", "").replace("\t", "")))
        host, port = (parts.hostname or "").encode("idna").decode().lower(), parts.port
    except ValueError:
        return None
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(host)
        or parts.username is not None
        or len(address) > MAX_LENGTH
    ):
        return None
    if ":" in host:
        host = f"[{host}]"
    if port not in (None, 80 if parts.scheme == "http" else 443):
        host = f"{host}:{port}"
    path = quote(parts.path or "/", safe=_SAFE)
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) > _MAX_SEGMENTS or any(segments.count(one) > _MAX_REPEATS for one in segments):
        return None
    found = urlunsplit((parts.scheme, host, path, quote(parts.query, safe=_SAFE + "?"), ""))
    return found if len(found) <= MAX_LENGTH else None


def host_of(address: str) -> str:
    """Host and port of a canonical address: who is asked, and whose patience counts.

    >>> host_of("http://example.jp:8080/a"), host_of("https://example.jp/")
    ('example.jp:8080', 'example.jp')
    """
    return urlsplit(address).netloc


def may_be_page(address: str) -> bool:
    """False for names of pictures, archives and the like.

    >>> may_be_page("http://example.jp/a.PDF"), may_be_page("http://example.jp/a")
    (False, True)
    """
    return _NO_PAGE.search(urlsplit(address).path) is None


def page_links(page: str, address: str, headers: Mapping[str, str]) -> PageLinks:
    """The links of a page and its wishes (`<meta name="robots">`, X-Robots-Tag, tdm-reservation).

    Args:
        page: the HTML.
        address: where it came from.
        headers: of the answer, names in small letters.
    """
    import lxml.etree
    import lxml.html

    wishes = [headers.get("x-robots-tag", "")]
    reserved = headers.get("tdm-reservation", "").strip() == "1"
    try:
        tree = lxml.html.document_fromstring(
            page.encode("utf-8", "replace"), parser=lxml.html.HTMLParser(encoding="utf-8")
        )
    except (lxml.etree.LxmlError, ValueError):
        return PageLinks([], *_allowed(wishes, reserved))
    for meta in tree.iter("meta"):
        name = (meta.get("name") or "").strip().lower()
        if name in ("robots", "igakulm"):
            wishes.append(meta.get("content") or "")
        reserved = reserved or (name == "tdm-reservation" and (meta.get("content") or "").strip() == "1")
    keep, follow = _allowed(wishes, reserved)
    base = next((one.get("href") for one in tree.iter("base") if one.get("href")), None)
    start = canonical(base, address) or address if base else address
    hrefs = (one.get("href") for one in tree.iter("a", "area") if "nofollow" not in (one.get("rel") or "").lower())
    found = (canonical(href, start) for href in hrefs if href)
    return PageLinks(list(dict.fromkeys(one for one in found if one)) if follow else [], keep, follow)


def _allowed(wishes: Iterable[str], reserved: bool) -> tuple[bool, bool]:
    """(may be kept, links may be followed)."""
    words = {word.strip() for wish in wishes for word in re.split(r"[,:]", wish.lower())}
    keep = not reserved and not words & {"none", "noindex", "noarchive", "noai"}
    return keep, not words & {"none", "nofollow"}
