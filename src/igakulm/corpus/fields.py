"""What each format makes of the fields of a row: text, id and metadata.

Does: OSCAR's three forms, wiki40b's markers, plain columns, pages of a dump, saved pages. Does not: read files
(rows.py), or clean or judge text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from igakulm.corpus.html import decode_page, main_text
from igakulm.corpus.wikicode import body_and_losses
from igakulm.recipe.schema import Source


class Unusable(Exception):
    """A row that can be read but holds no document; the message says why."""


class Parts(NamedTuple):
    """What a format makes of the fields of one row. `meta` has no key for what is unknown."""

    text: object
    id: object
    meta: dict[str, Any]


def _plain(fields: Mapping[str, object], source: Source) -> Parts:
    identifier = fields.get(source.id_field) if source.id_field else None
    return Parts(fields.get(source.text_field), identifier, {key: fields.get(key) for key in ("title", "url")})


def _oscar(fields: Mapping[str, object], source: Source) -> Parts:
    """23.01 and 22.01: `content` and `warc_headers`; the hub's form: `id`, `text`, `meta`."""
    details = fields.get("meta")
    outer = details if isinstance(details, dict) else fields
    headers, about = _object(outer, "warc_headers"), _object(fields, "metadata")
    identifier = fields.get("id") if "content" not in fields else None
    identifier = headers.get("warc-record-id", identifier)
    if isinstance(identifier, str):
        identifier = identifier.removeprefix("<urn:uuid:").removesuffix(">")
    language = _object(about, "identification") or _object(outer, "identification")
    meta = {
        "url": headers.get("warc-target-uri"),
        "date": headers.get("warc-date"),
        "warnings": about.get("quality_warnings") or about.get("annotation") or outer.get("annotations"),
        "harmful_pp": about.get("harmful_pp"),
        "language": language.get("label"),
        "language_probability": language.get("prob"),
        "categories": about.get("categories"),
    }
    return Parts(fields.get("content", fields.get("text")), identifier, meta)


def _object(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    """A field that holds fields.

    Raises:
        Unusable: it holds something else.
    """
    value = fields.get(name) or {}
    if not isinstance(value, dict):
        raise Unusable(f"{name} is no object but {type(value).__name__}")
    return value


def _wiki40b(fields: Mapping[str, object], source: Source) -> Parts:
    text = fields.get("text")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unusable(f"the text is not UTF-8: {error}") from error
    if isinstance(text, str) and text[:2] in ("b'", 'b"'):
        text = _bytes_of_repr(text)
    if not isinstance(text, str):
        return Parts(None, fields.get("wikidata_id"), {})
    title, body = wiki40b_body(text)
    return Parts(body, fields.get("wikidata_id"), {"title": title, "version": fields.get("version_id")})


def _bytes_of_repr(text: str) -> str | None:
    try:
        value = ast.literal_eval(text)
        return value.decode("utf-8") if isinstance(value, bytes) else None
    except (ValueError, SyntaxError, UnicodeDecodeError, MemoryError, RecursionError):
        return None


def wiki40b_body(text: str) -> tuple[str, str]:
    r"""Title and paragraphs of an article; headings are left out (section 2.2.1 uses the body only).

    >>> wiki40b_body("\n_START_ARTICLE_\n梅雨\n_START_SECTION_\n概要\n_START_PARAGRAPH_\n雨が降る。_NEWLINE_続く。")
    ('梅雨', '雨が降る。\n続く。')
    """
    title = marker = ""
    body: list[str] = []
    for line in text.split("\n"):
        if line in ("_START_ARTICLE_", "_START_SECTION_", "_START_PARAGRAPH_"):
            marker = line
        elif marker == "_START_ARTICLE_":
            title = title or line.strip()
        elif marker != "_START_SECTION_" and line.strip():
            body.append(line.replace("_NEWLINE_", "\n"))
    return title, "\n".join(body)


def _mediawiki(fields: Mapping[str, Any], source: Source) -> Parts:
    meta = {key: fields.get(key) for key in ("title", "url", "date")}
    body, losses = body_and_losses(fields["wikicode"])
    if losses:
        meta["sentences_without_a_number"] = losses
    return Parts(body, fields.get("id"), meta)


def _office(fields: Mapping[str, Any], source: Source) -> Parts:
    """A PDF file or a Word document."""
    if not fields["text"].strip():
        raise Unusable("the document holds no text")
    return Parts(fields["text"], None, {key: fields.get(key) for key in ("title", "pages_without_text")})


def _page(fields: Mapping[str, Any], source: Source) -> Parts:
    """A saved page, or a page of a WARC file, whose `body` is bytes."""
    try:
        decoded = decode_page(fields["body"], fields.get("content_type") or "")
    except ValueError as error:
        raise Unusable(f"the page cannot be read: {error}") from error
    found = main_text(decoded.text)
    if not found.text:
        raise Unusable("the page has no main text")
    meta = {"title": found.title, "url": fields.get("url"), "date": fields.get("date")}
    if decoded.broken:
        meta["unreadable_characters"] = decoded.broken
    return Parts(found.text, fields.get("id"), meta)


PARTS: dict[str, Callable[[Mapping[str, Any], Source], Parts]] = {
    "jsonl": _plain,
    "oscar": _oscar,
    "csv": _plain,
    "text": _plain,
    "parquet": _plain,
    "wiki40b": _wiki40b,
    "wikipedia": _plain,
    "mediawiki": _mediawiki,
    "html": _page,
    "warc": _page,
    "pdf": _office,
    "docx": _office,
}
