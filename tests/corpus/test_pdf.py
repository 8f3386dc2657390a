"""PDF files as sources: the numbers of a page, its order, and what is no text; files of ReportLab and Chromium."""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen import canvas

from igakulm.corpus.pdf import pdf_text
from igakulm.corpus.pdf_layout import Cell, Glyph, Line, Stroke, cell_of, document_text, page_lines

FONT = "HeiseiMin-W3"  # not embedded, in an encoding of Adobe-Japan1, as files of older programs are

Piece = tuple[float, float, float, str]  # x, y, size, text


def made(pages: list[list[Piece]], **settings: Any) -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    stream = io.BytesIO()
    paper = canvas.Canvas(stream, **settings)
    for pieces in pages:
        for x, y, size, text in pieces:
            paper.setFont(FONT, size)
            paper.drawString(x, y, text)
        paper.showPage()
    paper.save()
    return stream.getvalue()


def width(text: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, FONT, size))


def test_prose_a_table_and_running_heads() -> None:
    pages: list[list[Piece]] = []
    paragraphs = (
        (
            "高血圧症は安静時の血圧が高い状態で、",
            "長く続けば脳卒中や心筋梗塞を招くので、",
            "2.5〜5mg",
        ),
        (
            "糖尿病ではインスリンの不足で血糖値が",
            "高い状態で、眼と腎臓と神経の病を招き、",
            "500mg",
        ),
    )
    for number, (first, second, dose) in enumerate(paragraphs, 5):
        prose: list[Piece] = [(72, 780, 10, first), (72, 766, 10, second), (72, 752, 10, "治療を要する。")]
        row: list[Piece] = [(72, 730, 10, "アムロジピン"), (250, 730, 10, dose), (350, 730, 10, "1日1回")]
        pages.append([(72, 810, 8, "薬の手引き"), *prose, *row, (300, 20, 8, f"- {number} -")])
    found = pdf_text(made(pages))
    assert found.text.split("\n") == [
        "薬の手引き",
        "高血圧症は安静時の血圧が高い状態で、長く続けば脳卒中や心筋梗塞を招くので、治療を要する。",
        "アムロジピン 2.5〜5mg 1日1回",
        "糖尿病ではインスリンの不足で血糖値が高い状態で、眼と腎臓と神経の病を招き、治療を要する。",
        "アムロジピン 500mg 1日1回",
    ]
    assert (found.pages, found.without_text) == (2, 0)


def test_powers_indices_and_bold_faces_that_are_drawn_twice() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    before, between = "白血球4×10", "/μL、SpO"
    x = 72 + width(before, 10)
    y = x + 4 + width(between, 10)
    page: list[Piece] = [
        (72, 700, 10, before), (x, 704, 6, "3"), (x + 4, 700, 10, between), (y, 698, 6, "2"), (y + 4, 700, 10, "98%"),
        (72, 680, 10, "太字55mg"), (72.3, 680, 10, "太字55mg"),
    ]  # fmt: skip
    assert pdf_text(made([page])).text.split("\n") == ["白血球4×10^3/μL、SpO2 98%", "太字55mg"]


def test_two_columns_of_prose_are_read_one_after_the_other() -> None:
    page: list[Piece] = [(72, 800, 14, "表題は一つである。")]
    for row in range(8):
        for x, side in ((72, "左"), (320, "右")):
            page.append((x, 760 - 14 * row, 10, f"{side}の列の{row}行目の文がここにある。"))
    found = pdf_text(made([page])).text.split("\n")
    assert found[0] == "表題は一つである。"
    assert [line[0] for line in found[1:]] == ["左"] * 8 + ["右"] * 8


def test_what_is_no_text_is_named() -> None:
    for data, what in (
        (b"", "broken"),
        (made([[(72, 700, 10, "本文")]])[:300], "broken|text layer"),
        (made([[]]), "none of its 1 pages has a text layer"),
        (made([[(72, 700, 10, "本文")]], encrypt=StandardEncryption("secret")), "password"),
        (made([[(72, 700, 10, "本文")]], encrypt=StandardEncryption("", canCopy=0)), "does not allow"),
    ):
        with pytest.raises(ValueError, match=what):
            pdf_text(data)
    found = pdf_text(made([[(72, 700, 10, "本文")], []]))
    assert (found.text, found.pages, found.without_text) == ("本文", 2, 1)


def glyphs(text: str, *, x: float = 0.0, base: float = 100.0, size: float = 10.0) -> list[Glyph]:
    return [Glyph(one, x + size * at, x + size * (at + 1), base, size) for at, one in enumerate(text)]


def cell_text(found: Cell | None) -> str:
    assert found is not None
    return found.text


def test_struck_out_text_and_gaps() -> None:
    line = glyphs("用量5mg10mg")
    assert cell_text(cell_of(line, [Stroke(20, 50, 104)])) == "用量10mg"
    assert cell_text(cell_of(line, [Stroke(0, 90, 98)])) == "用量5mg10mg"  # underlined
    assert cell_text(cell_of([*glyphs("120"), *glyphs("80", x=33)])) == "120 80"
    assert cell_text(cell_of([*glyphs("血"), *glyphs("圧", x=15)])) == "血圧"  # set wide
    assert cell_of(glyphs("  ")) is None
    assert cell_text(cell_of([*glyphs("10"), Glyph("�", 20, 30, 100, 10)])) == "10�"


def line(text: str, full: bool = False, indented: bool = False) -> Line:
    return Line(text, indented, full, 10.0)


def test_rows_of_a_chart_at_the_edge_of_pages_stay() -> None:
    pages = [
        [line(f"Hospital Day {day}"), line(f"36.{day} 12{day}/80"), line("経過良好"), line(f"{day}/3")]
        for day in (1, 2, 3)
    ]
    text = document_text(pages)
    for day in (1, 2, 3):
        assert f"Hospital Day {day}\n36.{day} 12{day}/80" in text and f"{day}/3" not in text.split("\n")
    assert text.count("経過良好") == 1
    same = [[line("12"), line("本文"), line("12")], [line("12"), line("別の文"), line("13")]]
    assert document_text(same).split("\n").count("12") >= 1  # a value that stays the same is no page number


def test_paragraphs_never_join_two_numbers_or_items() -> None:
    def joined(*lines: Line) -> str:
        return document_text([list(lines)])

    assert joined(line("血圧は12", full=True), line("0であった")) == "血圧は12\n0であった"
    assert joined(line("血圧は高く、", full=True), line("120であった")) == "血圧は高く、120であった"
    assert joined(line("薬は", full=True), line("・アムロジピン")) == "薬は\n・アムロジピン"
    assert joined(line("治療は", full=True), line("2) 手術")) == "治療は\n2) 手術"
    assert joined(line("the blood", full=True), line("pressure")) == "the blood pressure"
    assert joined(line("続かない"), line("次の行")) == "続かない\n次の行"
    assert joined(line("段落が終わり", full=True), line("次の段落", indented=True)) == "段落が終わり\n次の段落"


def test_cells_in_any_order_give_the_same_lines() -> None:
    places = [(row, column) for row in range(3) for column in range(3)]
    cells = [Cell(f"{row}行{at}", 100 * at, 100 * at + 30, 500 - 12 * row, 10) for row, at in places]
    expected = [" ".join(f"{row}行{column}" for column in range(3)) for row in range(3)]
    for order in (cells, cells[::-1], cells[4:] + cells[:4]):
        assert [one.text for one in page_lines(order)] == expected


@pytest.mark.slow
def test_a_page_that_chromium_prints(tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("Chromium is not installed")
    page = tmp_path / "a.html"
    prose = "糖尿病は、インスリンの作用不足による慢性の高血糖状態を主徴とする病気である。" * 4
    page.write_text(
        f"<meta charset=utf-8><p>{prose}</p><p>白血球4×10<sup>3</sup>/μL、SpO<sub>2</sub>98%、用量<del>5mg</del>10mg。"
        "</p><table border=1><tr><th>薬剤<th>用量<tr><td>グリメピリド<td>1mg</table>",
        encoding="utf-8",
    )
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--print-to-pdf=a.pdf")
    command = [browser, *flags, "a.html"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    from igakulm.text.cleaning import clean_texts

    (text,) = clean_texts([pdf_text((tmp_path / "a.pdf").read_bytes()).text])
    assert text.split("\n") == [prose, "白血球4×10^3/μL、SpO2 98%、用量10mg。", "薬剤 用量", "グリメピリド 1mg"]
