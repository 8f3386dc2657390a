"""A folder of texts as a table: one row a file.

Does: read .txt and .docx files, name what it left out. Does not: read PDF or old .doc files.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from igakulm.errors import InputError
from igakulm.tasks.own.tables import Table, TableRow
from igakulm.tasks.own.text_tables import decoded
from igakulm.text.word_documents import word_text


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
        return word_text(path.read_bytes(), str(path))
    except ValueError as error:
        raise InputError("the document cannot be read", where=str(path), hint="save it again as .docx") from error
