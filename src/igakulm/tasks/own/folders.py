"""A folder of texts as a table: one row a file.

Does: read .txt and .docx files, name what it left out. Does not: read PDF or old .doc files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from igakulm.errors import InputError
from igakulm.tasks.own.tables import Table, TableRow
from igakulm.tasks.own.text_tables import decoded


def read_folder(folder: Path) -> Table:
    """Columns `file` (the path inside the folder) and `text`; rows are numbered in the order of their names.

    Raises:
        InputError: python-docx is wanted and not installed.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "~$")))
    rows: list[TableRow] = []
    others: Counter[str] = Counter()
    for path in files:
        kind = path.suffix.lower()
        if kind not in (".txt", ".docx"):
            others[kind or path.name] += 1
            continue
        name, text, problem = str(path.relative_to(folder)), "", ""
        try:
            text = _document(path) if kind == ".docx" else decoded(path.read_bytes(), None, str(path))[0]
        except InputError as error:
            if kind == ".docx" and error.hint and error.hint.startswith("pip"):
                raise
            problem = error.what
        rows.append(TableRow(len(rows) + 1, {"file": name, "text": text}, problem))
    notes = tuple(f"{count} files {kind} were left out" for kind, count in sorted(others.items()))
    return Table(str(folder), ("file", "text"), tuple(rows), notes)


def _document(path: Path) -> str:
    try:
        import docx
    except ImportError as error:
        hint = "pip install 'igakulm[excel]', or save the documents as text"
        raise InputError("reading .docx files needs the package python-docx", where=str(path), hint=hint) from error
    try:
        document = docx.Document(str(path))
    except Exception as error:  # python-docx documents no exceptions for broken files (zip, XML and key errors)
        raise InputError("the document cannot be read", where=str(path), hint="save it again as .docx") from error
    lines = []
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            lines += ["\t".join(cell.text for cell in row.cells) for row in block.rows]
        else:
            lines.append(block.text)
    return "\n".join(lines)
