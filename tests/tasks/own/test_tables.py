import json
from pathlib import Path

import docx
import openpyxl
import pytest

from igakulm.errors import InputError
from igakulm.tasks.own.read import read_table
from messy_workbook import write_messy_workbook

TEXT = "発熱と咳。\n朝から「食欲なし」、CRP 1.2"


def test_a_workbook_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert table.columns == ("患者/ID", "患者/年齢", "日付", "本文", "転倒", "症状", "備考")
    assert len(table.rows) == 66
    assert table.rows[0].number == 4 and table.rows[0].cells["日付"] == "2024-04-01"
    assert table.rows[0].cells["患者/年齢"] == "60" and table.rows[0].cells["備考"] == ""
    assert table.rows[31].number == 36  # an empty row stands between
    assert [row.number for row in table.rows if row.problem] == [65]
    assert any("控え" in note for note in table.notes)


def test_a_sheet_that_is_named_wins_and_a_wrong_name_is_told(tmp_path: Path) -> None:
    write_messy_workbook(tmp_path / "a.xlsx")
    assert read_table(tmp_path / "a.xlsx", sheet="控え").rows[0].cells == {"本文": "隠れた行", "転倒": "なし"}
    with pytest.raises(InputError, match="did you mean '記録'"):
        read_table(tmp_path / "a.xlsx", sheet="記録1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-le"])
@pytest.mark.parametrize(("ending", "sign"), [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_text_tables_in_every_encoding(tmp_path: Path, encoding: str, ending: str, sign: str) -> None:
    quoted = TEXT.replace('"', '""')
    (tmp_path / f"a{ending}").write_bytes(f'番号{sign}本文\r\n7{sign}"{quoted}"\r\n'.encode(encoding))
    table = read_table(tmp_path / f"a{ending}")
    assert table.columns == ("番号", "本文")
    assert [(row.number, dict(row.cells)) for row in table.rows] == [(2, {"番号": "7", "本文": TEXT})]


def test_bytes_of_no_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\x96\x7b\x95\xb6\n\x94\xad\x81")
    with pytest.raises(InputError, match="not in utf-8-sig or cp932"):
        read_table(tmp_path / "a.csv")


def test_json_lines_keep_line_numbers_and_tell_broken_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "咳", "n": 2.0, "items": ["咳"]}, ensure_ascii=False), "", "{broken", '{"text": null}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    table = read_table(tmp_path / "a.jsonl")
    assert table.columns == ("text", "n", "items")
    assert [(row.number, row.problem) for row in table.rows] == [(1, ""), (3, "no JSON object in UTF-8"), (4, "")]
    assert dict(table.rows[0].cells) == {"text": "咳", "n": "2", "items": '["咳"]'}


def test_a_folder_of_documents(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("紹介状")
    cells = document.add_table(1, 2).rows[0].cells
    cells[0].text, cells[1].text = "体温", "38.5"
    document.save(str(tmp_path / "b.docx"))
    (tmp_path / "a.txt").write_bytes("経過良好。".encode("cp932"))
    (tmp_path / "c.pdf").write_bytes(b"%PDF")
    (tmp_path / "d.docx").write_bytes(b"broken")
    table = read_table(tmp_path)
    assert [(row.cells["file"], row.cells["text"]) for row in table.rows[:2]] == [
        ("a.txt", "経過良好。"),
        ("b.docx", "紹介状\n体温: 38.5"),
    ]
    assert table.rows[2].problem == "the document cannot be read"
    assert table.notes == ("1 files .pdf were left out",)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes(b"x")
    (tmp_path / "b.xlsx").write_bytes(b"no zip")
    (tmp_path / "c.csv").write_text("a,b\n", encoding="utf-8")
    (tmp_path / "d.csv").write_text("a,b,a\n1,2,3\n", encoding="utf-8")
    openpyxl.Workbook().save(tmp_path / "e.xlsx")
    expected = {
        "a.xls": "files of type '.xls'",
        "b.xlsx": "the workbook cannot be read",
        "c.csv": "there is no row",
        "d.csv": "two columns are named 'a'",
        "e.xlsx": "no visible sheet has rows",
        "f.csv": "there is no such file",
    }
    for name, what in expected.items():
        with pytest.raises(InputError, match=what):
            read_table(tmp_path / name)
