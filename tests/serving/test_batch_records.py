"""Records of files: what is found, what is wrong with which line, and what stops everything."""

import json
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.serving.batch_records import LONGEST_TEXT, Record, open_records


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_with_quotes_lines_and_blank_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '\ufeffid,text,memo\r\nn1,"発熱、\r\n""咳""",x\r\n\r\nn2,頭痛,\r\n,腹痛,y\r\n')
    records = open_records(path)
    assert (records.column, records.id_column, records.count, records.broken) == ("text", "id", 3, 0)
    assert list(records) == [
        Record(1, 2, "n1", '発熱、\r\n"咳"'),
        Record(2, 5, "n2", "頭痛"),
        Record(3, 6, "3", "腹痛"),
    ]
    assert list(records) == list(records)


def test_columns(tmp_path: Path) -> None:
    assert open_records(write(tmp_path / "a.csv", "記録\n発熱\n")).column == "記録"
    path = write(tmp_path / "b.csv", "番号,記録\n7,発熱\n")
    assert [record.id for record in open_records(path, column="記録", id_column="番号")] == ["7"]
    with pytest.raises(InputError, match="did you mean '記録'"):
        open_records(path, column="記録欄")
    with pytest.raises(InputError, match="no column 'text'"):
        open_records(path)
    with pytest.raises(InputError, match="no column 'id'"):
        open_records(path, column="記録", id_column="id")
    with pytest.raises(InputError, match="2 columns are named 'text'"):
        open_records(write(tmp_path / "c.csv", "text,text\na,b\n"))


def test_tabs(tmp_path: Path) -> None:
    (record,) = open_records(write(tmp_path / "a.tsv", "id\ttext\nn\t発熱, 咳\n"))
    assert record.text == "発熱, 咳"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("suffix", [".csv", ".txt", ""])
def test_the_header_shows_what_stands_between_cells(delimiter: str, suffix: str, tmp_path: Path) -> None:
    cells = (("id", '"text, of; the\tpatient"'), ("n", '"発熱, 咳; 痰\tなし"'))
    content = "".join(delimiter.join(row) + "\r\n" for row in cells)
    (record,) = open_records(write(tmp_path / f"a{suffix}", content), column="text, of; the\tpatient")
    assert (record.id, record.text) == ("n", "発熱, 咳; 痰\tなし")


@pytest.mark.parametrize("name", ["README.md", "a.xlsx", "a.pdf", "a.json", "a.csv.gz", "a.py"])
def test_what_is_no_file_of_records_by_its_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of records"):
        open_records(write(tmp_path / name, "# IgakuLM\n\nBuild a model.\n"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named_and_then_read(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\nn,発熱 for 3 days\n".encode(encoding))
    with pytest.raises(InputError, match=rf"UTF-16(.|\n)*--encoding {encoding}$"):
        open_records(path)
    (record,) = open_records(path, encoding=encoding)
    assert record.text == "発熱 for 3 days"
    lines = write(tmp_path / "a.jsonl", '{"text": "発熱"}\n'.encode(encoding))
    with pytest.raises(InputError, match=r"UTF-16(.|\n)*JSON Lines are UTF-8"):
        open_records(lines)


def test_broken_records_are_kept_with_their_line(tmp_path: Path) -> None:
    rows = ["id,text", "a,発熱", "b, ", "c", "d,e,f", f"g,{'長' * (LONGEST_TEXT + 1)}", "h,咳"]
    path = write(tmp_path / "a.csv", "\n".join(rows).encode() + b"\ni,\xff\xfe\nj,\xe5\x92\xb3\n")
    records = list(open_records(path))
    assert [record.problem for record in records] == [
        "",
        "no text (line 3)",
        "1 cells instead of 2 (line 4)",
        "3 cells instead of 2 (line 5)",
        "200,001 characters, more than 200,000 (line 6)",
        "",
        "bytes that are not utf-8 (line 8)",
        "",
    ]
    assert [record.id for record in records] == ["a", "b", "3", "4", "g", "h", "i", "j"]
    assert all(not record.text for record in records if record.problem)
    assert open_records(path).broken == 5


def test_a_long_cell_is_no_limit_of_the_reader(tmp_path: Path) -> None:
    (record,) = open_records(write(tmp_path / "a.csv", "text\n" + "熱" * 150_000 + "\n"))
    assert len(record.text) == 150_000


@pytest.mark.parametrize("content", ['id,text\na,"発熱\nb,咳\n', 'id,text\na,"発"熱"\n'])
def test_an_open_quotation_mark_stops_everything_and_names_the_line(content: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2"):
        open_records(write(tmp_path / "a.csv", content))


def test_another_encoding_is_suggested_and_read(tmp_path: Path) -> None:
    for header in ("id,text", "番号,text"):
        path = write(tmp_path / "a.csv", f"{header}\n1,発熱と咳嗽\n2,髙橋①\n".encode("cp932"))
        with pytest.raises(InputError, match="--encoding cp932"):
            open_records(path)
        assert [record.text for record in open_records(path, encoding="cp932")] == ["発熱と咳嗽", "髙橋①"]
    path = write(tmp_path / "b.csv", b"id,text\n1,\x81\n2,\xfd\xfe\n")
    with pytest.raises(InputError, match="save it as UTF-8"):
        open_records(path)
    with pytest.raises(InputError, match="no text encoding"):
        open_records(path, encoding="sjis-of-mine")
    with pytest.raises(InputError, match="no text encoding"):
        open_records(path, encoding="base64")
    wide = write(tmp_path / "c.csv", "text\n発熱\n".encode("utf-16"))
    assert [record.text for record in open_records(wide, encoding="utf-16")] == ["発熱"]


def test_one_broken_record_of_cp932_is_one_broken_record(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text\n発熱\n".encode("cp932") + b"\x81\n" + "咳\n".encode("cp932"))
    assert [bool(record.problem) for record in open_records(path, encoding="cp932")] == [False, True, False]


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        b'\xef\xbb\xbf{"id": "n1", "text": "\xe7\x86\xb1"}',
        b"",
        b'{"id": 7, "text": "a"}',
        b"{",
        b"[1]",
        b'{"text": 3}',
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b'{"id": [1], "text": "b"}',
    ]
    records = list(open_records(write(tmp_path / "a.jsonl", b"\n".join(rows))))
    assert [(record.id, record.line) for record in records[:2]] == [("n1", 1), ("7", 3)]
    assert [record.problem for record in records[2:]] == [
        "no JSON object in UTF-8 (line 4)",
        "no JSON object in UTF-8 (line 5)",
        "no text in 'text' (line 6)",
        "no JSON object in UTF-8 (line 7)",
        "bytes that are not utf-8 (line 8)",
        "",
    ]
    assert records[-1].id == "8"
    path = write(tmp_path / "b.jsonl", json.dumps({"note": "熱", "no": 3}))
    assert [(record.text, record.id) for record in open_records(path, column="note", id_column="no")] == [("熱", "3")]


@pytest.mark.parametrize("content", ["", "\n\n", "text\n", " , \nx,y\n"])
def test_files_without_records(content: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_records(write(tmp_path / "a.csv", content))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", tmp_path / "no.jsonl", tmp_path):
        with pytest.raises(InputError):
            open_records(path)
