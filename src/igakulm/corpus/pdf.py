"""The text layer of PDF files, by pdfminer.six.

Does: hand the characters of each page to pdf_layout.py, and tell why a file has no text that can be used.
Does not: recognise text in pictures, open files with a password, or read what its author does not allow to be copied.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from igakulm.corpus.pdf_layout import UNKNOWN, Cell, Glyph, Stroke, cell_of, document_text, page_lines
from igakulm.errors import InputError

if TYPE_CHECKING:
    from pdfminer.layout import LTChar
    from pdfminer.pdfpage import PDFPage

MAX_BYTES = 200 * 2**20
_VERTICAL = 0.6  # share of cells of one character from which a page is set vertically
_MANY_CELLS = 30
_THIN = 2.0  # points


class PdfText(NamedTuple):
    """The text, and how many pages there are and give none (scans, vertical writing)."""

    text: str
    pages: int
    without_text: int


def pdf_text(data: bytes, where: str = "") -> PdfText:
    """The text of a PDF file.

    Args:
        data: the file's bytes.
        where: its name, for errors.

    Raises:
        ValueError: it cannot be read, or holds no text.
        InputError: pdfminer.six is not installed.
    """
    try:
        from pdfminer.pdfdocument import PDFPasswordIncorrect, PDFTextExtractionNotAllowed
        from pdfminer.pdfpage import PDFPage
    except ImportError as error:
        hint = "pip install 'igakulm[pdf]'"
        raise InputError("reading PDF files needs the package pdfminer.six", where=where, hint=hint) from error
    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES >> 20} MiB")
    try:
        found = list(PDFPage.get_pages(io.BytesIO(data), check_extractable=True))
        pages = [page_lines(cells) for cells in _pages(found)]
    except PDFPasswordIncorrect as error:
        raise ValueError("the file has a password") from error
    except PDFTextExtractionNotAllowed as error:
        raise ValueError("its author does not allow to copy its text") from error
    except Exception as error:  # a broken file raises nearly anything: struct, key, assertion and recursion errors
        raise ValueError(f"the PDF file is broken ({type(error).__name__}: {error})") from error
    without = sum(not page for page in pages)
    if without == len(pages):
        raise ValueError(f"none of its {len(pages)} pages has a text layer: scans need OCR first")
    return PdfText(document_text(pages), len(pages), without)


def _pages(pages: list[PDFPage]) -> Iterator[list[Cell]]:
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.layout import LAParams
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager

    resources = PDFResourceManager()
    device = PDFPageAggregator(resources, laparams=LAParams(boxes_flow=None, all_texts=True))
    interpreter = PDFPageInterpreter(resources, device)
    for page in pages:
        interpreter.process_page(page)
        page_layout = device.get_result()
        strokes = list(_strokes(page_layout))
        cells = [cell for glyphs in _text_lines(page_layout) if (cell := cell_of(glyphs, strokes)) is not None]
        single = sum(len(cell.text) == 1 for cell in cells)
        yield [] if len(cells) >= _MANY_CELLS and single > _VERTICAL * len(cells) else cells


def _text_lines(parent: Iterable[object]) -> Iterator[list[Glyph]]:
    """The characters of each line that pdfminer puts together, those of turned text left out."""
    from pdfminer.layout import LTChar, LTContainer, LTTextLine

    for item in parent:
        if isinstance(item, LTTextLine):
            yield [_glyph(one) for one in item if isinstance(one, LTChar) and one.upright]
        elif isinstance(item, LTContainer):
            yield from _text_lines(item)


def _strokes(parent: Iterable[object]) -> Iterator[Stroke]:
    from pdfminer.layout import LTContainer, LTCurve, LTTextLine

    for item in parent:
        if isinstance(item, LTCurve):  # lines and rectangles too
            if item.height < _THIN < item.width:
                yield Stroke(item.x0, item.x1, (item.y0 + item.y1) / 2)
        elif isinstance(item, LTContainer) and not isinstance(item, LTTextLine):
            yield from _strokes(item)


def _glyph(character: LTChar) -> Glyph:
    text = character.get_text()
    shown = UNKNOWN if text.startswith("(cid:") else text
    baseline = character.matrix[5]
    return Glyph(shown, character.x0, character.x1, baseline, character.size)
