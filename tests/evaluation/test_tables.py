"""Figures as CSV, Excel and LaTeX."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.tables import COLUMNS, write_table
from igakulm.files import write_json


def board(folder: Path) -> Path:
    row = {"model": "=a_b", "task": "咳", "metric": "accuracy", "value": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    row |= {"split": "test", "answer_mode": "generate", "precision": "fp32", "documents": 4, "few_documents": True}
    row |= {"unparsed": 0.125, "cut": 2, "unanswered": 1}
    stored = {"format": 2, "rows": [row], "max_items": 8, "left_out": {"咳": {"image": 2, "voided": 1}}}
    write_json(folder / "scoreboard.json", stored)
    return folder


def test_every_form_holds_the_figure(tmp_path: Path) -> None:
    folder = board(tmp_path / "evaluation")
    assert write_table(folder, tmp_path / "t.csv") == 1
    (row,) = csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8"))
    assert list(row) == list(COLUMNS) and (row["model"], row["value"], row["n"]) == ("=a_b", "0.5", "8")
    write_table(folder, tmp_path / "t.tex")
    latex = (tmp_path / "t.tex").read_text()
    assert r"咳 (test) & =a\_b (generate, fp32) & accuracy & 0.500 & [0.250, 0.750] & 8 & 4 & 12.5\,\% \\" in latex
    assert "only the first 8 items" in latex.lower() and "咳: 3 rows were left out" in latex and "too narrow" in latex
    assert (row["left_out"], row["max_items"], row["cut"], row["unanswered"]) == ("3", "8", "2", "1")
    openpyxl = pytest.importorskip("openpyxl")
    write_table(folder, tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    head, cells = ([cell.value for cell in line] for line in sheet.iter_rows())
    assert head == list(COLUMNS) and cells[2] == "=a_b" and cells[COLUMNS.index("value")] == 0.5
    assert sheet.cell(2, 3).data_type == "s", "a name is no formula"


def test_other_endings_and_no_scoreboard(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.xlsx, \.tex"):
        write_table(board(tmp_path / "evaluation"), tmp_path / "t.txt")
    with pytest.raises(InputError):
        write_table(tmp_path, tmp_path / "t.csv")
