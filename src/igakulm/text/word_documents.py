"""The text of a Word document (.docx), as its reader sees it.

Does: paragraphs and tables in their order, raised and lowered digits with their meaning, tracked changes as accepted;
a row of a table as "列: 値" where its columns have names.
Does not: read headers, footers, notes, comments and hidden text, numbers that Word gives to lists, or old .doc files.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from igakulm.errors import InputError
from igakulm.text.inline_markup import with_meaning

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

MAX_BYTES = 200 * 2**20
"""An unpacked document that is larger is a bomb or data, no prose."""
_TAGS = re.compile("</?(?:su[bp]|s)>")
_PASSED_OVER = {"del", "moveFrom", "Fallback", "instrText", "delText", "rt", "pPr", "rPr", "sdtPr", "txbxContent"}
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": ""}
_MOST_STYLES = 10
_DIGIT = re.compile("[0-9０-９]")


def word_text(data: bytes, where: str = "") -> str:
    """The text of a document, a line for each paragraph and for each row of a table.

    Args:
        data: the file's bytes.
        where: its name, for errors.

    Raises:
        ValueError: these bytes are no document that can be read.
        InputError: python-docx is not installed.
    """
    try:
        import docx
    except ImportError as error:
        hint = "pip install 'igakulm[excel]', or save the documents as text"
        raise InputError("reading .docx files needs the package python-docx", where=where, hint=hint) from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"unpacked it has {size >> 20:,} MiB")
        document = docx.Document(io.BytesIO(data))
        return "\n".join(_Reader(document.styles.element).lines(document.element.body))
    except ValueError:
        raise
    except Exception as error:  # python-docx names no exceptions for broken files (zip, XML and key errors)
        raise ValueError(f"it is no .docx document ({type(error).__name__})") from error


class _Reader:
    """Reads the nodes of a document; looks of text may stand in its named styles."""

    def __init__(self, styles: Element) -> None:
        self._styles = {_attribute(one, "styleId"): one for one in styles.iterchildren("{*}style")}

    def lines(self, parent: Element) -> Iterator[str]:
        """A line for each paragraph and each row of a table."""
        for node in parent:
            name = _name(node)
            if name == "p":
                yield from self._paragraph(node)
            elif name == "tbl":
                yield from table_lines(*self._grid(node))
            elif name in ("sdt", "sdtContent", "ins", "moveTo", "customXml"):
                yield from self.lines(node)

    def _paragraph(self, node: Element) -> Iterator[str]:
        """Its text, and that of the text boxes that hang on it."""
        yield html.unescape(_TAGS.sub("", with_meaning("".join(self._inline(node)))))
        for box in node.iter("{*}txbxContent"):
            if not any(_name(one) == "Fallback" for one in box.iterancestors()):  # the same box for older programs
                yield from self.lines(box)

    def _inline(self, parent: Element) -> Iterator[str]:
        for node in parent:
            name = _name(node)
            if name in _PASSED_OVER:
                continue
            if name == "r":
                yield self._run(node)
            elif name == "t":
                yield html.escape(node.text or "", quote=False)
            elif name == "sSup":
                base, power = self._part(node, "e"), self._part(node, "sup")
                yield f"{base}^{power}" if re.fullmatch("[+−-]?[0-9]+", power) else f"{base}^({power})"
            elif name == "f":
                yield f"{self._part(node, 'num')}/{self._part(node, 'den')}"
            else:
                yield _CHARACTERS[name] if name in _CHARACTERS else "".join(self._inline(node))

    def _part(self, node: Element, name: str) -> str:
        return "".join("".join(self._inline(one)) for one in node if _name(one) == name)

    def _run(self, node: Element) -> str:
        """A run of one look: raised and lowered text in tags, what is struck out in <s>, nothing if it is hidden."""
        looks = self._looks(node)
        text = "".join(_symbol(one) if _name(one) == "sym" else "".join(self._inline([one])) for one in node)
        if not text or _is_on(looks.get("vanish")):
            return ""
        if _is_on(looks.get("strike")) or _is_on(looks.get("dstrike")):
            return f"<s>{text}</s>"
        tag = {"superscript": "sup", "subscript": "sub"}.get(_value(looks.get("vertAlign")) or "")
        if tag is None and (raised := _value(looks.get("position"))) not in (None, "0"):
            tag = "sub" if raised.startswith("-") else "sup"
        return f"<{tag}>{text}</{tag}>" if tag else text

    def _looks(self, node: Element, depth: int = 0) -> dict[str, object]:
        """The properties of a run or style, over those of the styles that it is based on."""
        properties = node.find("{*}rPr")
        own = {} if properties is None else {_name(one): one for one in properties}
        parent = own.get("rStyle") if _name(node) == "r" else node.find("{*}basedOn")
        style = self._styles.get(_value(parent))
        return own if style is None or depth > _MOST_STYLES else {**self._looks(style, depth + 1), **own}

    def _grid(self, table: Element) -> tuple[list[list[str]], bool]:
        """Cells of all rows, one over several rows in each of them and one over several columns once a column."""
        rows: list[list[str]] = []
        above: dict[int, str] = {}
        marked = False
        for row in table.iterchildren("{*}tr"):
            properties = row.find("{*}trPr")
            if properties is not None and properties.find("{*}del") is not None:
                continue
            if not rows:
                marked = properties is not None and _is_on(properties.find("{*}tblHeader"))
            cells: list[str] = []
            for cell in _cells(row):
                about = cell.find("{*}tcPr")
                wide = _value(about.find("{*}gridSpan")) if about is not None else None
                merge = about.find("{*}vMerge") if about is not None else None
                goes_on = merge is not None and _value(merge) in (None, "continue")
                text = above.get(len(cells), "") if goes_on else " ".join(" ".join(self.lines(cell)).split())
                for _ in range(int(wide) if wide and wide.isdecimal() and int(wide) <= 63 else 1):
                    above[len(cells)] = text
                    cells.append(text)
            if any(cells):
                rows.append(cells[:1] if len(set(cells)) == 1 else cells)
        return rows, marked


def table_lines(rows: list[list[str]], marked: bool) -> Iterator[str]:
    """A line for each row; `marked`: the document says that the first row names the columns."""
    header = rows[0] if rows and _is_header(rows, marked) else None
    for row in rows[1:] if header else rows:
        if header and len(header) == len(row):
            yield ", ".join(f"{name}: {cell}" for name, cell in zip(header, row, strict=True) if cell)
        else:
            yield (": " if len(row) == 2 else ", ").join(cell for cell in row if cell)


def _is_header(rows: list[list[str]], marked: bool) -> bool:
    """Whether the first row names the columns: Word says so, or only the rows under it hold numbers.

    A false name would join values that have nothing to do with each other, so in doubt a row is no header; two columns
    without Word's word are taken as name and value.
    """
    first, *body = rows
    if len(first) < 2 or not body or len(set(first)) < len(first) or not all(first):
        return False
    if marked:
        return True
    if len(first) == 2 or len(body) < 2 or any(_DIGIT.search(cell) for cell in first):
        return False
    columns = list(zip(*(row for row in body if len(row) == len(first)), strict=True))
    return any(all(_DIGIT.search(cell) for cell in column) for column in columns[1:])


def _cells(row: Element) -> Iterator[Element]:
    for node in row:
        if _name(node) == "tc":
            yield node
        elif _name(node) in ("sdt", "sdtContent", "ins"):
            yield from _cells(node)


def _name(node: Element) -> str:
    tag = node.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""  # comments have a function


def _attribute(node: Element, name: str) -> str | None:
    return next((value for key, value in node.attrib.items() if key.endswith("}" + name)), None)


def _symbol(node: object) -> str:
    """A sign of a font such as Symbol: its place in the private use area, which the cleaning knows."""
    code = _attribute(node, "char") or ""
    return chr(int(code, 16)) if re.fullmatch("[0-9A-Fa-f]{4}", code) else "�"


def _value(node: object) -> str | None:
    return None if node is None else _attribute(node, "val")


def _is_on(node: object) -> bool:
    return node is not None and _value(node) not in ("0", "false", "off")
