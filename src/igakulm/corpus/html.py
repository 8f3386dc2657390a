"""Saved web pages: bytes to characters, and the main text out of the page by trafilatura.

Does: find a page's encoding (byte-order mark, HTTP header, `<meta>`, then trials; Shift_JIS, EUC-JP and ISO-2022-JP as
browsers read them); the main text without navigation, comments and tables (but for doses); the title.
Does not: fetch pages (crawl.py), follow links, or run scripts.
"""

from __future__ import annotations

import html
import logging
import re
from typing import NamedTuple

from igakulm.corpus.encodings import BOMS, TRIALS, Decoded, decode, likeliest
from igakulm.errors import InputError
from igakulm.text.inline_markup import with_dose_lines, with_meaning

MAX_BYTES = 20 * 2**20
"""Larger pages are data, not prose: they are reported, not read."""

_HEAD = 4096  # bytes in which a <meta> charset is looked for; the standard asks for 1024, some sites need more
_META = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.\-]+)|<\?xml[^>]*encoding=["']([\w\-]+)""", re.IGNORECASE
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w:.\-]+)", re.I)
_TITLE_WITHIN = 1 << 16
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.I | re.S)
_NAMES = {
    **dict.fromkeys(("shift_jis", "shift-jis", "x-sjis", "sjis", "windows-31j", "ms_kanji", "cp932"), "cp932"),
    **dict.fromkeys(("euc-jp", "x-euc-jp", "eucjp", "cseucpkdfmtjapanese"), "euc_jp"),
    **dict.fromkeys(("iso-2022-jp", "csiso2022jp"), "iso2022_jp_ext"),
    **dict.fromkeys(("utf-8", "utf8", "unicode-1-1-utf-8"), "utf-8"),
    # What a page calls Latin-1 or ASCII is guessed anew: Japanese servers send it by default.
}
_TOLERATED, _MAX_BROKEN = 0.001, 0.01  # broken characters of a page that names its encoding, and of any page


class MainText(NamedTuple):
    """Title and main text of a page; the text is empty where there is none."""

    title: str
    text: str


def decode_page(data: bytes, content_type: str = "") -> Decoded:
    """The characters of a page.

    Args:
        data: the page as it was sent.
        content_type: the HTTP header of that name, if known; wins over the page's own word, as in browsers.

    Raises:
        ValueError: no encoding fits, or the file is no text.

    >>> decode_page('<meta charset="Shift_JIS">病①'.encode("cp932")).text
    '<meta charset="Shift_JIS">病①'
    >>> decode_page("これは病気の説明です。".encode("euc_jp"), "text/html")[1:]
    ('euc_jp', 0)
    """
    for mark, name in BOMS:
        if data.startswith(mark):
            return decode(data[len(mark) :], name)
    declared = [found[1] for found in [_CHARSET.search(content_type)] if found]
    if found := _META.search(data[:_HEAD]):
        declared.append((found[1] or found[2]).decode("ascii", "replace"))
    names = [_NAMES[one.lower()] for one in declared if one.lower() in _NAMES]
    if b"\x1b$" in data[: 1 << 16]:
        names.append("iso2022_jp_ext")
    if b"\0" in data[:_HEAD] and not names:
        raise ValueError("it holds binary data")
    for name in names:  # the page's own word is believed unless much of it is unreadable
        decoded = decode(data, name)
        if decoded.broken <= _TOLERATED * len(decoded.text):
            return decoded
    trials = list(dict.fromkeys((*names, *TRIALS)))
    best = likeliest(data, trials)
    if best.broken > _MAX_BROKEN * len(best.text):
        raise ValueError(f"no encoding fits (tried {', '.join(trials)})")
    return best


def main_text(page: str) -> MainText:
    """Title and main text of a page.

    Raises:
        InputError: the extra `html` is not installed.
    """
    try:
        import trafilatura
    except ImportError as error:
        raise InputError("saved pages need the package trafilatura", hint="pip install 'igakulm[html]'") from error
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    found = _TITLE.search(page[:_TITLE_WITHIN])
    title = " ".join(html.unescape(found[1]).split()) if found else ""
    try:
        page = with_meaning(with_dose_lines(page))
        text = trafilatura.extract(page, include_comments=False, include_tables=False, deduplicate=False)
    except (ValueError, RecursionError):  # pages that lxml cannot build a tree of
        return MainText(title, "")
    return MainText(title, text or "")
