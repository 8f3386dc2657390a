"""Markup inside sentences that carries a number: powers, indices, what is struck out, and tables of doses.

Does: write them as text that says the same when the tags are gone, for web pages and wikicode alike.
Does not: remove other markup (html.py, wikicode.py).

Without it 10<sup>5</sup>/μL reads 105/μL, and <del>5mg</del><ins>10mg</ins> reads 5mg10mg.
"""

from __future__ import annotations

import re

_DIGIT = "[0-9０-９]"
_POWER = re.compile(rf"(?<={_DIGIT})\s*<sup\b[^<>]*>\s*([+\-−–]?[0-9０-９]+)\s*</sup\s*>", re.IGNORECASE)
_OPENED = re.compile(rf"(?<={_DIGIT})(?=<su[bp]\b[^<>]*>\s*{_DIGIT})", re.IGNORECASE)
_CLOSED = re.compile(rf"(?<={_DIGIT})(\s*</su[bp]\s*>)(?={_DIGIT})", re.IGNORECASE)
_SIGN_CLOSED = re.compile(rf"(?<=[+\-−])(\s*</su[bp]\s*>)(?={_DIGIT})", re.IGNORECASE)
_STRUCK = re.compile(r"<(del|s|strike)\b[^<>]*(?<!/)>(?:(?!</?\1\b).)*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TABLE = re.compile(r"<table\b[^<>]*>(?:(?!<table\b).)*?</table\s*>", re.IGNORECASE | re.DOTALL)
_DOSE = re.compile(
    r"[0-9０-９][0-9０-９.,〜~～\-–]*\s*(?:mg|㎎|ｍｇ|[gｇ]|μg|µg|mL|ml|L|錠|カプセル|包|単位|IU|mEq|mmol|回|滴)"
)
MOST_ROWS = 200
LONGEST_CELL = 120


def with_meaning(markup: str) -> str:
    """Markup in which powers, indices and struck-out text say as plain characters what their tags say.

    >>> with_meaning("10<sup>5</sup>/μL、SpO<sub>2</sub>98、m<sup>2</sup>")
    '10^5/μL、SpO<sub>2 </sub>98、m<sup>2</sup>'
    >>> with_meaning("<del>5mg</del><ins>10mg</ins>")
    '<ins>10mg</ins>'
    """
    if "<" not in markup:
        return markup
    markup = _STRUCK.sub(_gap, markup)
    if "<su" in markup or "<SU" in markup:
        markup = _OPENED.sub(" ", _POWER.sub(r"^\1", markup))
        markup = _SIGN_CLOSED.sub(r" \1", _CLOSED.sub(r" \1", markup))
        markup = re.sub(rf"(\^[+\-−–]?[0-9０-９]+)(?={_DIGIT}|<su[bp]\b[^<>]*>\s*{_DIGIT})", r"\1 ", markup)
    return markup


def _gap(found: re.Match[str]) -> str:
    """Nothing, or a space where digits would come together."""
    before, after = found.string[found.start() - 1 : found.start()], found.string[found.end() : found.end() + 1]
    return " " if before.isdecimal() and after.isdecimal() else ""


def with_dose_lines(page: str) -> str:
    """A page in which tables of doses are paragraphs, a row each, as "薬剤: アムロジピン, 用量: 2.5〜5mg".

    A table is one of doses when its first row is a header and half of the other rows hold a number with a unit;
    others, of menus and layout, stay tables.
    """
    if "<table" not in page and "<TABLE" not in page:
        return page
    return _TABLE.sub(_dose_lines, page)


def _dose_lines(found: re.Match[str]) -> str:
    import lxml.html

    try:
        table = lxml.html.fragment_fromstring(found[0])
    except (ValueError, lxml.etree.LxmlError):
        return found[0]
    rows = _rows(table)
    if len(rows) < 2 or not 2 <= len(rows[0]) <= 8 or len(rows) > MOST_ROWS or not all(rows[0]):
        return found[0]
    header, *body = rows
    dosed = sum(any(_DOSE.search(cell) for cell in row) for row in body)
    if any(len(row) != len(header) for row in body) or 2 * dosed < len(body):
        return found[0]
    if any(len(cell) > LONGEST_CELL for row in rows for cell in row):
        return found[0]
    lines = [", ".join(f"{name}: {cell}" for name, cell in zip(header, row, strict=True) if cell) for row in body]
    return "".join(f"<p>{_escaped(line)}</p>" for line in lines)


def _rows(table: object) -> list[list[str]]:
    """Cells of all rows, a cell over several rows in each of them; none where the first row is no header."""
    rows: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}
    for row in table.iter("tr"):  # type: ignore[attr-defined]
        cells: list[str] = []
        given = [cell for cell in row if cell.tag in ("td", "th")]
        if not rows and not (len(given) > 1 and all(cell.tag == "th" for cell in given)):
            return []
        for cell in given:
            while len(cells) in hanging:
                _hang(hanging, cells)
            if cell.get("colspan", "1") != "1":
                return []
            text = " ".join(cell.text_content().split())
            span = cell.get("rowspan", "1")
            if span.isdecimal() and 1 < int(span) <= MOST_ROWS:
                hanging[len(cells)] = (int(span), text)
                _hang(hanging, cells)
            else:
                cells.append(text)
        while len(cells) in hanging:
            _hang(hanging, cells)
        rows.append(cells)
    return rows


def _hang(hanging: dict[int, tuple[int, str]], cells: list[str]) -> None:
    """Put down a cell that stands over this row too, and forget it after its last row."""
    left, text = hanging.pop(len(cells))
    if left > 1:
        hanging[len(cells)] = (left - 1, text)
    cells.append(text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
