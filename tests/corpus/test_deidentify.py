from __future__ import annotations

import csv
import datetime
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.corpus.deidentify import deidentify_file, deidentify_stream, restore_file
from igakulm.errors import InputError
from igakulm.recipe.personal_data import Deidentification

ALL = Deidentification()
ROWS = [
    ["患者番号", "氏名", "生年月日", "経過"],
    ["00123456", "佐藤　花子", "1950/3/4", "佐藤さんは3月5日より咳。\n#肺炎 #糖尿病"],
    ["00123457", "鈴木一郎", "S25.3.4", "橋本病で通院。鈴木氏の妻より電話、090-1111-2222"],
]


def table(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def read(path: Path, encoding: str = "utf-8") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file))


def test_the_cells_of_a_record_are_looked_at_together(tmp_path: Path) -> None:
    out, report = tmp_path / "out.csv", tmp_path / "report.json"
    deidentify_file(table(tmp_path / "in.csv", ROWS), out, ALL, report=report)
    assert read(out)[1] == ["[患者番号]", "[氏名]", "[生年月日]", "[氏名]さんは3月5日より咳。\n#肺炎 #糖尿病"]
    assert read(out)[2][3] == "橋本病で通院。[氏名]氏の妻より電話、[電話番号]"
    found = json.loads(report.read_text())
    assert found["records"] == 2 and found["replaced"]["name"] == 4
    assert "佐藤" not in report.read_text() and {
        "record",
        "field",
        "start",
        "end",
        "kind",
        "rule",
        "confidence",
    } == set(found["spans"][0])


def test_the_encoding_of_windows_and_the_wrong_one(tmp_path: Path) -> None:
    path = table(tmp_path / "in.csv", ROWS, "cp932")
    with pytest.raises(InputError, match="not utf-8"):
        deidentify_file(path, tmp_path / "out.csv", ALL)
    assert not (tmp_path / "out.csv").exists()
    deidentify_file(path, tmp_path / "out.csv", ALL, encoding="cp932")
    assert read(tmp_path / "out.csv", "cp932")[1][1] == "[氏名]"


def test_a_workbook_with_numbers_days_comments_and_an_author(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.properties.creator = "田中"
    sheet = book.active
    sheet.append(["患者番号", "氏名", "生年月日", "Hb"])
    sheet.append([1234567, "高橋健", datetime.datetime(1950, 3, 4), 12.5])
    sheet["D2"].comment = openpyxl.comments.Comment("高橋様に説明", "田中")
    book.save(tmp_path / "in.xlsx")
    deidentify_file(tmp_path / "in.xlsx", tmp_path / "out.xlsx", ALL)
    copy = openpyxl.load_workbook(tmp_path / "out.xlsx")
    assert [cell.value for cell in copy.active[2]] == ["[患者番号]", "[氏名]", "[生年月日]", 12.5]
    assert copy.active["D2"].comment.text == "[氏名]様に説明"
    assert b"\xe7\x94\xb0" not in (tmp_path / "out.xlsx").read_bytes() and copy.properties.creator == "igakulm"


def test_json_lines_keep_their_form_where_nothing_is_found(tmp_path: Path) -> None:
    lines = [
        '{"id":1,  "text": "咳あり"}',
        '{"id": 2, "note": {"氏名": "山本次郎", "経過": ["山本さん、咳"]}, "n": 1.50}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    deidentify_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", ALL)
    first, second = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert first == lines[0]
    assert json.loads(second)["note"] == {"氏名": "[氏名]", "経過": ["[氏名]さん、咳"]}


def test_the_filter_changes_nothing_but_the_spans() -> None:
    lines = [
        "　氏名：佐々木美咲\t  ﾃﾞｰﾀ①\r\n".encode(),
        b"\xff\xfe tel 03-5555-0123 \xff\n",
        b"\n",
        "#糖尿病 #高血圧症\n".encode(),
        "髙橋様、３８．５℃".encode(),
    ]
    assert list(deidentify_stream(lines, ALL)) == [
        "　氏名：[氏名]\t  ﾃﾞｰﾀ①\r\n".encode(),
        b"\xff\xfe tel [\xe9\x9b\xbb\xe8\xa9\xb1\xe7\x95\xaa\xe5\x8f\xb7] \xff\n",
        b"\n",
        "#糖尿病 #高血圧症\n".encode(),
        "[氏名]様、３８．５℃".encode(),
    ]


def test_the_command_is_a_filter_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "igakulm", "deidentify", "-"]
    text = "主治医：渡辺　電話 03-5555-0123\n"
    done = subprocess.run([*command, "--kinds", "telephone"], input=text, capture_output=True, text=True)
    assert done.stdout == "主治医：渡辺　電話 [電話番号]\n"
    wrong = subprocess.run([*command, "--kinds", "telefone"], input=text, capture_output=True, text=True)
    assert wrong.returncode == 2 and "telephone" in wrong.stderr


def test_a_key_undoes_it_and_may_not_lie_beside_the_copy(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "key.jsonl"
    config = Deidentification(style="numbered", dates="shift", key=str(key))
    source, out, back = table(tmp_path / "in.csv", ROWS), tmp_path / "out.csv", tmp_path / "back.csv"
    deidentify_file(source, out, config, patient="患者番号")
    assert "佐藤" not in out.read_text() and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert restore_file(out, back, key) == 8
    assert back.read_bytes() == source.read_bytes()
    with pytest.raises(InputError, match="beside"):
        deidentify_file(source, tmp_path / "b.csv", config.model_copy(update={"key": str(tmp_path / "key.jsonl")}))


@pytest.mark.parametrize("config", [Deidentification(dates="shift"), Deidentification(style="invented")])
def test_what_is_invented_or_shifted_needs_a_key(tmp_path: Path, config: Deidentification) -> None:
    with pytest.raises(InputError, match="key file"):
        deidentify_file(table(tmp_path / "in.csv", ROWS), tmp_path / "out.csv", config)
    with pytest.raises(InputError, match="key file"):
        list(deidentify_stream([b"a"], config))
    assert not (tmp_path / "out.csv").exists()


def test_the_dates_of_a_patient_move_together(tmp_path: Path) -> None:
    rows = [
        ["患者", "日", "経過"],
        ["a", "2024/01/05", "1月10日に入院、2024年2月1日退院"],
        ["a", "2024/03/05", "再診"],
        ["b", "2024/01/05", "初診"],
    ]
    key = tmp_path / "keys" / "key.jsonl"
    config = Deidentification(dates="shift", key=str(key))
    deidentify_file(table(tmp_path / "in.csv", rows), tmp_path / "out.csv", config, patient="患者")
    moved = read(tmp_path / "out.csv")
    days = [datetime.datetime.strptime(row[1], "%Y/%m/%d") for row in moved[1:]]
    assert days[1] - days[0] == datetime.timedelta(60)
    assert days[0] != days[2] and days[0] != datetime.datetime(2024, 1, 5)
    found = re.findall("[0-9]+", moved[1][2])
    assert len(found) == 5
    again = tmp_path / "again.csv"
    deidentify_file(tmp_path / "in.csv", again, config, patient="患者")
    assert again.read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_columns_of_one_name_rows_of_other_length_and_a_missing_column(tmp_path: Path) -> None:
    rows = [["氏名", "氏名", ""], ["中村翔", "小林真由美", "x", "余り03-5555-0123"], ["加藤"]]
    out = tmp_path / "out.csv"
    deidentify_file(table(tmp_path / "in.csv", rows), out, ALL)
    assert read(out)[1:] == [["[氏名]", "[氏名]", "x", "余り[電話番号]"], ["[氏名]"]]
    with pytest.raises(InputError, match="no column"):
        deidentify_file(tmp_path / "in.csv", tmp_path / "b.csv", ALL, patient="患者")
    assert not (tmp_path / "b.csv").exists()
    with pytest.raises(InputError, match="overwrite"):
        deidentify_file(tmp_path / "in.csv", tmp_path / "in.csv", ALL)
