"""A scoreboard's figures as a table for other programs: CSV, an Excel sheet, or LaTeX.

Does: write every figure with its interval and what it was measured on. Does not: choose, round (but in LaTeX) or draw.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from igakulm.errors import InputError
from igakulm.evaluation.scoreboard import Score, read_scoreboard
from igakulm.files import atomic_path, write_text

COLUMNS = (
    "task",
    "split",
    "model",
    "role",
    "answer_mode",
    "prompt_style",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "documents",
    "unparsed",
    "truncated",
    "prompt_sha256",
)
SUFFIXES = (".csv", ".xlsx", ".tex")


def write_table(folder: Path, path: Path) -> int:
    """Write the figures of an evaluation's folder to a file whose ending says the form; return how many.

    Raises:
        InputError: no scoreboard in the folder, another ending, or openpyxl is not installed for Excel.
    """
    scores = read_scoreboard(folder).rows
    if path.suffix == ".csv":
        write_text(path, _csv(scores))
    elif path.suffix == ".tex":
        write_text(path, _latex(scores))
    elif path.suffix == ".xlsx":
        _write_excel(scores, path)
    else:
        hint = "end the name with " + ", ".join(SUFFIXES)
        raise InputError(f"there is no table of the form {path.suffix!r}", where=str(path), hint=hint)
    return len(scores)


def cells(score: Score) -> list[object]:
    """The columns of one figure, as `COLUMNS` names them."""
    return [getattr(score, column) for column in COLUMNS]


def _csv(scores: tuple[Score, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(cells, scores))
    return text.getvalue()


def _write_excel(scores: tuple[Score, ...], path: Path) -> None:
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise InputError("Excel files need openpyxl", hint="pip install igakulm[excel]") from error
    book = Workbook(write_only=True)
    sheet = book.create_sheet("scores")
    sheet.append(list(COLUMNS))
    for score in scores:
        # A text that begins with a sign of equality would be a formula.
        sheet.append([f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@" else cell for cell in cells(score)])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        book.save(file)


def _latex(scores: tuple[Score, ...]) -> str:
    """A booktabs table with three decimals."""
    lines = [
        r"\begin{tabular}{lllrrr}",
        r"\toprule",
        r"task & model & metric & value & 95\,\% interval & $n$ \\",
        r"\midrule",
    ]
    for score in scores:
        interval = "" if score.low is None or score.high is None else f"[{score.low:.3f}, {score.high:.3f}]"
        names = (f"{score.task} ({score.split})", f"{score.model} ({score.answer_mode})", score.metric)
        cells = [*map(escaped, names), f"{score.value:.3f}", interval, str(score.n if score.n is not None else "")]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escaped(text: str) -> str:
    r"""Text for LaTeX.

    >>> print(escaped("a_b & 50 %"))
    a\_b \& 50 \%
    """
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(sign, f"\\{sign}" if sign in "&%$#_{}" else sign) for sign in text)
