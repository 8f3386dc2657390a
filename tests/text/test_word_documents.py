"""Word documents: what a reader sees, in its order; files of python-docx and, where it is installed, of LibreOffice."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt

from igakulm.text.word_documents import table_lines, word_text


def saved(document: Any) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def table(document: Any, rows: list[list[str]]) -> Any:
    made = document.add_table(len(rows), len(rows[0]))
    for row, cells in zip(made.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return made


def test_paragraphs_and_tables_in_their_order() -> None:
    document = docx.Document()
    document.add_heading("退院時要約", 1)
    table(document, [["主訴", "発熱"], ["体温", "38.5℃"]])
    document.add_paragraph("処方は次のとおり。")
    table(
        document, [["薬剤", "用量", "回数"], ["アムロジピン", "5mg", "1日1回"], ["ロキソプロフェン", "60mg", "1日3回"]]
    )
    document.add_paragraph("以上")
    assert word_text(saved(document)).split("\n") == [
        "退院時要約",
        "主訴: 発熱",
        "体温: 38.5℃",
        "処方は次のとおり。",
        "薬剤: アムロジピン, 用量: 5mg, 回数: 1日1回",
        "薬剤: ロキソプロフェン, 用量: 60mg, 回数: 1日3回",
        "以上",
    ]


def test_raised_digits_struck_and_hidden_text() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("白血球4×10")
    paragraph.add_run("3").font.superscript = True
    paragraph.add_run("/μL、SpO")
    paragraph.add_run("2").font.subscript = True
    paragraph.add_run("98%、用量")
    paragraph.add_run("5mg").font.strike = True
    paragraph.add_run("10mg")
    paragraph.add_run("隠し1").font.hidden = True
    raised = paragraph.add_run("、A<B&C 10")
    raised = paragraph.add_run("5")
    raised.font.size = Pt(6)
    position = OxmlElement("w:position")
    position.set(qn("w:val"), "8")
    raised._r.get_or_add_rPr().append(position)
    assert word_text(saved(document)) == "白血球4×10^3/μL、SpO2 98%、用量10mg、A<B&C 10^5"


def test_looks_of_a_named_style() -> None:
    document = docx.Document()
    style: Any = document.styles.add_style("消した文字", 2)
    style.font.strike = True
    below: Any = document.styles.add_style("その下", 2)
    below.base_style = style
    paragraph = document.add_paragraph("用量")
    paragraph.add_run("5mg", style=below)
    paragraph.add_run("10mg")
    assert word_text(saved(document)) == "用量10mg"


def test_tracked_changes_count_as_accepted() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("用量")
    for tag, inner, text in (("w:del", "w:delText", "5mg"), ("w:ins", "w:t", "10mg")):
        change, run, words = OxmlElement(tag), OxmlElement("w:r"), OxmlElement(inner)
        words.text = text
        run.append(words)
        change.append(run)
        paragraph._p.append(change)
    assert word_text(saved(document)) == "用量10mg"


def test_merged_cells_stand_in_each_row() -> None:
    document = docx.Document()
    made = table(document, [["薬剤", "日", "量"], ["メトホルミン", "1日", "500mg"], ["", "8日", "750mg"]])
    made.cell(1, 0).merge(made.cell(2, 0))
    assert word_text(saved(document)).split("\n") == [
        "薬剤: メトホルミン, 日: 1日, 量: 500mg",
        "薬剤: メトホルミン, 日: 8日, 量: 750mg",
    ]


@pytest.mark.parametrize(
    ("rows", "marked", "lines"),
    [
        # A wrong name of a column would join values that have nothing to do with each other.
        ([["主訴", "発熱", "2日前"], ["体温", "38.5", "午後"]], False, ["主訴, 発熱, 2日前", "体温, 38.5, 午後"]),
        ([["薬剤", "用量"], ["アムロジピン", "5mg"]], False, ["薬剤: 用量", "アムロジピン: 5mg"]),
        ([["薬剤", "用量"], ["アムロジピン", "5mg"]], True, ["薬剤: アムロジピン, 用量: 5mg"]),
        ([["日", "熱", "熱"], ["1", "37", "38"], ["2", "36", "36"]], False, ["日, 熱, 熱", "1, 37, 38", "2, 36, 36"]),
        ([["検査"], ["WBC", "5000"]], False, ["検査", "WBC: 5000"]),
    ],
)  # fmt: skip
def test_names_of_columns_only_where_they_are_sure(rows: list[list[str]], marked: bool, lines: list[str]) -> None:
    assert list(table_lines(rows, marked)) == lines


def test_what_is_no_document_is_named() -> None:
    for data in (b"", b"%PDF-1.7", saved(docx.Document())[:-200]):
        with pytest.raises(ValueError, match=r"no \.docx document"):
            word_text(data)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b" " * (201 * 2**20))
    with pytest.raises(ValueError, match="201 MiB"):
        word_text(bomb.getvalue())


@pytest.mark.slow
def test_a_document_of_libreoffice(tmp_path: Path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    page = tmp_path / "a.html"
    page.write_text(
        "<meta charset=utf-8><p>白血球4×10<sup>3</sup>/μL、SpO<sub>2</sub>98%。</p><table border=1><tr><th>薬剤<th>用量"
        "<th>回数<tr><td>メトホルミン<td>500mg<td>1日2回<tr><td>グリメピリド<td>1mg<td>1日1回</table>",
        encoding="utf-8",
    )
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    form = "docx:Office Open XML Text"
    subprocess.run([office, home, "--headless", "--convert-to", form, str(page)], cwd=tmp_path, check=True, timeout=300)
    assert word_text((tmp_path / "a.docx").read_bytes()).strip().split("\n") == [
        "白血球4×10^3/μL、SpO2 98%。",
        "薬剤: メトホルミン, 用量: 500mg, 回数: 1日2回",
        "薬剤: グリメピリド, 用量: 1mg, 回数: 1日1回",
    ]
