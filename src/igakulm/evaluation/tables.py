"""A scoreboard's figures as a table for other programs: CSV, an Excel sheet, or LaTeX.

Does: write every figure with its interval and what it was measured on. Does not: choose, round (but in LaTeX) or draw.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.evaluation.intervals import FEW
from igakulm.evaluation.scoreboard import Score, Scoreboard, read_scoreboard
from igakulm.files import atomic_path, write_text

COLUMNS = (
    "task",
    "split",
    "model",
    "role",
    "answer_mode",
    "prompt_style",
    "wording",
    "precision",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "documents",
    "few_documents",
    "unparsed",
    "truncated",
    "cut",
    "unanswered",
    "left_out",
    "missing_files",
    "max_items",
    "prompt_sha256",
)
Cell = str | float | int | bool | None
SUFFIXES = (".csv", ".xlsx", ".tex")


def write_table(folder: Path, path: Path) -> int:
    """Write the figures of an evaluation's folder to a file whose ending says the form; return how many.

    Raises:
        InputError: no scoreboard in the folder, another ending, or openpyxl is not installed for Excel.
    """
    board = read_scoreboard(folder)
    rows = [cells(score, board) for score in board.rows]
    if path.suffix == ".csv":
        write_text(path, _csv(rows))
    elif path.suffix == ".tex":
        write_text(path, _latex(board))
    elif path.suffix == ".xlsx":
        _write_excel(rows, path)
    else:
        hint = "end the name with " + ", ".join(SUFFIXES)
        raise InputError(f"there is no table of the form {path.suffix!r}", where=str(path), hint=hint)
    return len(rows)


def cells(score: Score, board: Scoreboard) -> list[Cell]:
    """The columns of one figure, as `COLUMNS` names them; what holds for the whole board or task stands in each row."""
    of_board: dict[str, Cell] = {
        "left_out": sum(board.left_out.get(score.task, {}).values()),
        "missing_files": sum(board.missing.get(score.task, {}).values()),
        "max_items": board.max_items,
    }
    return [of_board[column] if column in of_board else getattr(score, column) for column in COLUMNS]


def _csv(rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def _write_excel(rows: Sequence[Sequence[Cell]], path: Path) -> None:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    except ImportError as error:
        raise InputError("Excel files need openpyxl", hint="pip install igakulm[excel]") from error
    book = Workbook(write_only=True)
    sheet = book.create_sheet("scores")

    def written(value: Cell) -> object:
        if not isinstance(value, str):
            return value
        cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("\ufffd", value))
        cell.data_type = "s"  # a text that begins with a sign of equality would be a formula
        return cell

    sheet.append(list(COLUMNS))
    for row in rows:
        sheet.append(list(map(written, row)))
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        book.save(file)


def _latex(board: Scoreboard) -> str:
    """A booktabs table with three decimals; what was not asked or read stands below it."""
    lines = [
        r"\begin{tabular}{lllrrrrr}",
        r"\toprule",
        r"task & model & metric & value & 95\,\% interval & $n$ & documents & unread \\",
        r"\midrule",
    ]
    for score in board.rows:
        interval = "" if score.low is None or score.high is None else f"[{score.low:.3f}, {score.high:.3f}]"
        ways = ", ".join(filter(None, (score.answer_mode, score.prompt_style, score.precision)))
        names = (f"{score.task} ({score.split})", f"{score.model} ({ways})", score.metric)
        sizes = ["" if number is None else str(number) for number in (score.n, score.documents)]
        unread = "" if score.unparsed is None else rf"{100 * score.unparsed:.1f}\,\%"
        figures = [f"{score.value:.3f}", interval, *sizes, unread]
        lines.append(" & ".join([*map(escaped, names), *figures]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *_latex_notes(board)]) + "\n"


def _latex_notes(board: Scoreboard) -> list[str]:
    notes = [] if board.max_items is None else [f"Only the first {board.max_items} items of each task were asked."]
    for task, reasons in board.left_out.items():
        notes.append(f"{task}: {sum(reasons.values())} rows were left out.")
    few = dict.fromkeys(score.task for score in board.rows if score.few_documents)
    notes += [f"{task}: fewer than {FEW} documents, its intervals are too narrow." for task in few]
    return [r"\par\noindent " + escaped(note) for note in notes]


def escaped(text: str) -> str:
    r"""Text for LaTeX.

    >>> print(escaped("a_b & 50 %"))
    a\_b \& 50 \%
    """
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(sign, f"\\{sign}" if sign in "&%$#_{}" else sign) for sign in text)
