"""From the characters of a PDF page to lines in reading order.

Does: put characters together to cells, cells to rows and two columns of prose one after the other; write raised and
lowered digits with their meaning; leave out running heads and page numbers; join the lines of a paragraph.
Does not: read the file (pdf.py), know pdfminer's classes, recognise text in pictures or read vertical writing.

A wrong number is worse than a badly joined line: cells of a row stay in one line in their order, and where a rule is in
doubt the line break stays.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from igakulm.text.inline_markup import with_meaning

UNKNOWN = "�"
"""A glyph whose character the file does not tell; the cleaning drops a document that has one."""
_SMALL = 0.95  # of the size of a line: smaller characters that stand higher or lower are raised or lowered
_OVERPRINT = 0.2  # of the size: the same character again so near by is a bold face drawn twice
_EDGE_ROWS = 2  # at the head and foot of a page, where running heads and page numbers stand
_LONGEST_HEAD = 40  # characters
_PROSE = 12  # characters; shorter cells on both sides of a gap are a table
_COLUMN_ROWS = 6
_TAGS = re.compile("</?(?:su[bp]|s)>")
_JAPANESE = re.compile("[\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_ITEM = re.compile(
    r"[・●○◆◇■□▲△※*•‣－―(（\[［【①-⑳]|[0-9０-９]{1,3}[.．)）、]|第[0-9０-９一二三四五六七八九十]+[章節条項]"
)
_NUMBER = re.compile("[0-9]+")
_PAGE_NOTATION = re.compile(
    r"[\s\-‐‑–—―ー−~〜<>〈〉\[\]()|/・.]*(?:(?:p\.?|pp\.?|page|ページ|頁|of)?\s*[0-9]{1,4}\s*"
    r"(?:ページ|頁|of)?[\s\-‐‑–—―ー−~〜<>〈〉\[\]()|/・.]*){1,2}",
    re.IGNORECASE,
)


class Glyph(NamedTuple):
    """A character, its left and right edge and its baseline in points, from the lower left corner of the page."""

    text: str
    x0: float
    x1: float
    base: float
    size: float


class Stroke(NamedTuple):
    """A thin horizontal line; one through the middle of characters strikes them out."""

    x0: float
    x1: float
    y: float


class Cell(NamedTuple):
    """Characters that stand together in one line."""

    text: str
    x0: float
    x1: float
    y: float  # of its middle
    size: float


class Line(NamedTuple):
    """A row of a page, or of one of its columns; `full`: it reaches the right edge, so that a paragraph may go on."""

    text: str
    indented: bool
    full: bool
    size: float


def cell_of(glyphs: Sequence[Glyph], strokes: Sequence[Stroke] = ()) -> Cell | None:
    """One cell of the characters of a line, None if none of them is seen; what is struck out is left out."""
    seen = [glyph for glyph in sorted(glyphs, key=lambda one: one.x0) if glyph.text.strip()]
    if not seen:
        return None
    sizes = Counter(round(glyph.size, 1) for glyph in seen)
    size = max(sizes, key=lambda one: (sizes[one], one))
    base = sorted(glyph.base for glyph in seen if round(glyph.size, 1) == size)
    level = base[len(base) // 2]
    pieces: list[str] = []
    last: Glyph | None = None
    for glyph in seen:
        if last is not None:
            if glyph.text == last.text and abs(glyph.x0 - last.x0) < _OVERPRINT * glyph.size:
                continue
            if _is_gap(last, glyph):
                pieces.append(" ")
        text = html.escape(glyph.text, quote=False)
        tag = "s" if _is_struck(glyph, strokes) else _script(glyph, size, level)
        pieces.append(f"<{tag}>{text}</{tag}>" if tag else text)
        last = glyph
    markup = re.sub("</(su[bp]|s)>( ?)<\\1>", "\\2", "".join(pieces))
    text = html.unescape(_TAGS.sub("", with_meaning(markup)))
    return Cell(text, seen[0].x0, max(glyph.x1 for glyph in seen), level + size / 2, size)


def _script(glyph: Glyph, size: float, level: float) -> str:
    if glyph.size > _SMALL * size:
        return ""
    if glyph.base > level + 0.2 * size:
        return "sup"
    return "sub" if glyph.base < level - 0.05 * size else ""


def _is_struck(glyph: Glyph, strokes: Sequence[Stroke]) -> bool:
    middle = (glyph.x0 + glyph.x1) / 2
    return any(
        one.x0 <= middle <= one.x1 and glyph.base + 0.15 * glyph.size < one.y < glyph.base + 0.6 * glyph.size
        for one in strokes
    )


def _is_gap(last: Glyph, glyph: Glyph) -> bool:
    """Whether a reader sees a space; justified Japanese text is set wide without any."""
    gap = glyph.x0 - last.x1
    both = _JAPANESE.match(last.text[-1]) and _JAPANESE.match(glyph.text[0])
    return gap > (0.8 if both else 0.15) * max(last.size, glyph.size)


# ---- rows and columns of a page


def page_lines(cells: Sequence[Cell]) -> list[Line]:
    """The lines of a page from its top; two columns of prose one after the other, a table row by row."""
    cells = _each_once(cells)
    gutter = _gutter(cells)
    if gutter is None:
        return _rows(cells)
    lines: list[Line] = []
    sides: tuple[list[Cell], list[Cell]] = ([], [])
    for cell in sorted(cells, key=lambda one: -one.y):
        if cell.x0 < gutter < cell.x1:
            lines += _rows(sides[0]) + _rows(sides[1]) + _rows([cell])
            sides = ([], [])
        else:
            sides[cell.x0 >= gutter].append(cell)
    return lines + _rows(sides[0]) + _rows(sides[1])


def _each_once(cells: Sequence[Cell]) -> list[Cell]:
    """Without cells that are drawn twice, a little apart, for a bold face."""
    kept: list[Cell] = []
    known: dict[str, list[Cell]] = {}
    for cell in cells:
        same = known.setdefault(cell.text, [])
        near = _OVERPRINT * cell.size
        if not any(abs(one.x0 - cell.x0) < near and abs(one.y - cell.y) < near for one in same):
            same.append(cell)
            kept.append(cell)
    return kept


def _gutter(cells: Sequence[Cell]) -> float | None:
    """Where two columns of prose part, if the page has them."""
    if len(cells) < 2 * _COLUMN_ROWS:
        return None
    left, right = min(cell.x0 for cell in cells), max(cell.x1 for cell in cells)
    best: tuple[int, float] | None = None
    for step in range(35, 66):
        place = left + (right - left) * step / 100
        crossing = sum(cell.x0 < place < cell.x1 for cell in cells)
        if best is None or (crossing, abs(step - 50)) < (best[0], abs(best[1] - (left + right) / 2)):
            best = crossing, place
    if best is None or best[0] > len(cells) / 4:
        return None
    for side in (
        [cell for cell in cells if cell.x1 <= best[1]],
        [cell for cell in cells if cell.x0 >= best[1]],
    ):
        if len(side) < _COLUMN_ROWS or sum(len(cell.text) for cell in side) < _PROSE * len(side):
            return None
    return best[1]


def _rows(cells: Sequence[Cell]) -> list[Line]:
    """Rows from the top; the cells of a row from the left, with a space between them."""
    if not cells:
        return []
    long = [cell for cell in cells if len(cell.text) >= _PROSE] or cells
    left = sorted(cell.x0 for cell in long)[len(long) // 4]  # where most long lines begin and end
    right = sorted(cell.x1 for cell in long)[len(long) * 3 // 4]
    several = sum(abs(cell.x1 - right) < 1.5 * cell.size for cell in long) > 1  # one alone shows no edge
    rows: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda one: -one.y):
        if rows and abs(rows[-1][0].y - cell.y) < 0.5 * min(rows[-1][0].size, cell.size):
            rows[-1].append(cell)
        else:
            rows.append([cell])
    lines = []
    for row in rows:
        row.sort(key=lambda one: one.x0)
        size = max(cell.size for cell in row)
        alone = len(row) == 1
        full = several and alone and len(row[0].text) >= _PROSE and row[0].x1 > right - 1.5 * size
        lines.append(Line(" ".join(cell.text for cell in row), row[0].x0 > left + 0.5 * size, full, size))
    return lines


# ---- the whole document


def document_text(pages: Sequence[Sequence[Line]]) -> str:
    """The text of all pages without running heads and page numbers, a paragraph in one line.

    >>> head, prose = Line("手引き", False, False, 8.0), Line("高血圧は", False, True, 10.0)
    >>> rest, foot = Line("多い。", False, False, 10.0), Line("- 1 -", False, False, 8.0)
    >>> document_text([[head, prose, rest, foot], [head, rest._replace(text="少ない。"), foot._replace(text="- 2 -")]])
    '手引き\\n高血圧は多い。\\n少ない。'
    """
    return "\n".join(_paragraphs([line for page in _without_furniture(pages) for line in page]))


def _paragraphs(lines: Sequence[Line]) -> Iterator[str]:
    text, before = "", None
    for line in lines:
        if before is not None and _goes_on(before, line, text):
            spaced = text[-1:].isascii() and line.text[:1].isascii()
            text += (" " if spaced and text[-1:] != "-" else "") + line.text
        else:
            if text:
                yield text
            text = line.text
        before = line
    if text:
        yield text


def _goes_on(before: Line, line: Line, text: str) -> bool:
    if not before.full or line.indented or abs(before.size - line.size) > 0.1 * before.size:
        return False
    if text[-1] in "。.!?！？．」』" or _ITEM.match(line.text):
        return False
    return not (text[-1].isdecimal() and line.text[0].isdecimal())


def _without_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Pages without what stands at the edge of at least half of them: the same text, kept once, or a page number.

    A number is one of pages only if it rises with them: rows of a chart that differ in their values stay.
    """
    if len(pages) < 2:
        return [list(page) for page in pages]
    places = [_edge(len(page)) for page in pages]
    texts = Counter(text for page, edge in zip(pages, places, strict=True) for text in {page[at].text for at in edge})
    numbers = Counter(
        key
        for number, (page, edge) in enumerate(zip(pages, places, strict=True))
        for key in {key for at in edge for key in _page_number(page[at].text, number)}
    )
    least = max(2, (len(pages) + 1) // 2)
    kept: list[list[Line]] = []
    seen: set[str] = set()
    for number, (page, edge) in enumerate(zip(pages, places, strict=True)):
        stays = []
        for at, line in enumerate(page):
            if at in edge:
                if any(numbers[key] >= least for key in _page_number(line.text, number)):
                    continue
                if texts[line.text] >= least and line.text in seen and len(line.text) <= _LONGEST_HEAD:
                    continue
                seen.add(line.text)
            stays.append(line)
        kept.append(stays)
    return kept


def _edge(count: int) -> set[int]:
    return {at for at in range(count) if at < _EDGE_ROWS or at >= count - _EDGE_ROWS}


def _page_number(text: str, page: int) -> Iterator[tuple[str, str, int]]:
    """What stays the same on all pages: the signs around the number of a page, and that number less the page's.

    Only of lines that hold nothing else: "Hospital Day 3" at the head of a page is no page number.
    """
    if not _PAGE_NOTATION.fullmatch(text):
        return
    for found in _NUMBER.finditer(text):
        yield text[: found.start()], text[found.end() :], int(found[0]) - page
