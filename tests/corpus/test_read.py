from __future__ import annotations

import bz2
import gzip
import json
import random
import sys
import tracemalloc
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from igakulm.corpus.look import look_at
from igakulm.corpus.read import Row, describe_left_out, read_source
from igakulm.errors import InputError
from igakulm.recipe.schema import Source


def rows(path: Path, **settings: Any) -> list[Row]:
    return list(read_source(Source(**{"name": "s", "path": str(path), "licence": "CC0", **settings})))


def jsonl(*values: Any) -> bytes:
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)


def packed(suffix: str, data: bytes) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data, 1)
    if suffix == ".zst":
        return zstandard.compress(data)
    return bz2.compress(data, 1) if suffix == ".bz2" else data


DOCUMENTS = [{"id": str(number), "text": f"本文{number}です。"} for number in range(50)]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".bz2"])
def test_jsonl_plain_and_compressed(tmp_path: Path, suffix: str) -> None:
    data = jsonl(*DOCUMENTS)
    data = packed(suffix, data[:500]) + packed(suffix, data[500:])  # two members, as concatenated dumps have
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(data)
    found = rows(path)
    assert [row.text for row in found] == [document["text"] for document in DOCUMENTS]
    assert found[3].id == "s:3" and found[3].licence == "CC0" and found[3].error is None


def test_a_bad_line_is_reported_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = jsonl({"id": "a", "text": "良い"})
    path.write_bytes(
        b"\xef\xbb\xbf" + good + b'{"id": "b", "text": "\xff\xfe"}\n' + b"{broken\n" + b"[1, 2]\n" + b"\n"
        + b'{"id": "c"}\n' + b'{"id": "d", "text": 5}\r\n' + jsonl({"id": "e", "text": "最後"})
    )  # fmt: skip
    found = rows(path)
    assert [row.text for row in found if row.error is None] == ["良い", "最後"]
    errors = [row.error for row in found if row.error]
    assert len(errors) == 5
    assert "line 2 is not UTF-8" in errors[0] and "line 3 is not JSON" in errors[1] and "object" in errors[2]
    assert len({row.id for row in found}) == len(found)


def test_nul_and_lone_surrogates_are_neutralised(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "x\\ud800", "text": "a\\u0000b\\udfffc"}\n')
    (row,) = rows(path)
    assert (row.text, row.id, row.error) == ("abc", "s:x", None)
    row.text.encode()


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2"])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path: Path, suffix: str) -> None:
    data = jsonl(*DOCUMENTS)
    path = tmp_path / f"cut.jsonl{suffix}"
    path.write_bytes(packed(suffix, data)[:-20])
    with pytest.raises(InputError, match=r"cut\.jsonl"):
        rows(path)
    path.write_bytes(b"this is not compressed")
    with pytest.raises(InputError, match=r"cut\.jsonl"):
        rows(path)


def test_parquet_truncated_or_without_the_column(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["1"], "body": ["本文"]}), path)
    with pytest.raises(InputError, match=r"no column 'text'") as caught:
        rows(path, format="parquet")
    assert "id, body" in str(caught.value) and "a.parquet" in str(caught.value)
    assert rows(path, format="parquet", text_field="body")[0].text == "本文"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"a\.parquet"):
        rows(path, format="parquet", text_field="body")


def test_missing_file_and_missing_column(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        rows(tmp_path / "nowhere.jsonl")
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl({"id": "1", "body": "本文"}))
    with pytest.raises(InputError, match="no column 'text'") as caught:
        rows(path)
    assert "id, body" in str(caught.value)
    with pytest.raises(InputError, match="no column 'number'"):
        rows(path, text_field="body", id_field="number")
    assert rows(path, text_field="body")[0].id == "s:1"
    (path.parent / "b.jsonl").write_bytes(jsonl({"text": "本文"}))  # `id` is only a guess
    assert rows(path.parent / "b.jsonl", id_field="id")[0].id == "s:b.jsonl:1"


def test_ids_are_unique_and_stable(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl({"id": 7, "text": "一"}, {"text": "二"}))
    (tmp_path / "b.jsonl").write_bytes(jsonl({"id": 7, "text": "三"}))
    (tmp_path / "notes.tsv").write_text("no data\n")
    found = rows(tmp_path)
    assert [row.id for row in found] == ["s:7", "s:a.jsonl:2", "s:7#b.jsonl:1"]
    assert rows(tmp_path) == found


def test_licence_of_each_row_or_of_the_source(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl({"text": "一", "licence": "CC BY 4.0"}, {"text": "二"}))
    with pytest.raises(InputError, match="no licence"):
        rows(path, licence=None)
    assert [row.licence for row in rows(path, licence="CC0")] == ["CC0", "CC0"]
    assert rows(path, licence=None, max_documents=1)[0].licence == "CC BY 4.0"


def test_csv_and_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffid,text\n1,"一行目\n二行目、""引用"""\n2,短い,余り\n'.encode() + b"3,\xff\n4,None\n")
    found = rows(path, format="csv")
    assert [(row.id, row.text) for row in found if not row.error] == [
        ("s:1", '一行目\n二行目、"引用"'),
        ("s:4", "None"),
    ]
    assert ["fields" in (row.error or "") or "UTF-8" in (row.error or "") for row in found if row.error] == [True, True]
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "b.txt").write_text("二\n行", encoding="utf-8")
    (folder / "a.txt").write_text("一", encoding="utf-8")
    assert [row.text for row in rows(folder, format="text")] == ["一", "二\n行"]


def test_oscar_in_three_forms(tmp_path: Path) -> None:
    headers = {"warc-record-id": "<urn:uuid:abc>", "warc-target-uri": "https://example.jp/"}
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        jsonl(
            {"content": "一", "warc_headers": headers, "metadata": {"quality_warnings": ["tiny"]}},
            {
                "content": "二",
                "warc_headers": {**headers, "warc-record-id": "<urn:uuid:d>"},
                "metadata": {"annotation": None},
            },
            {"id": 0, "text": "三", "meta": {"warc_headers": {"warc-target-uri": "u"}, "annotations": ["short"]}},
        )
    )
    found = rows(path, format="oscar")
    assert [(row.id, row.text) for row in found] == [("s:abc", "一"), ("s:d", "二"), ("s:0", "三")]
    assert json.loads(found[0].meta) == {"url": "https://example.jp/", "warnings": ["tiny"]}


def test_wiki40b_plain_and_as_repr_of_bytes(tmp_path: Path) -> None:
    article = "\n_START_ARTICLE_\n梅雨\n_START_SECTION_\n概要\n_START_PARAGRAPH_\n一行目。_NEWLINE_二行目。"
    path = tmp_path / "a.parquet"
    evil = "b'' + __import__('os').getcwd().encode()"
    texts = [article, repr(article.encode()), evil, "b'unfinished"]
    pq.write_table(pa.table({"wikidata_id": ["Q1", "Q2", "Q3", "Q4"], "text": texts}), path)
    found = rows(path, format="wiki40b")
    assert [row.text for row in found[:2]] == ["一行目。\n二行目。"] * 2
    assert json.loads(found[0].meta) == {"title": "梅雨"}
    assert all(row.error for row in found[2:])


def test_parquet_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    column = pa.array([b"good", b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": column}), path)
    found = rows(path, format="parquet")
    assert [row.error is None for row in found] == [True, False]


def test_real_samples_of_every_format(real_data: Path) -> None:
    formats = real_data / "formats"
    expected = {"*.jsonl.zst": ("oscar", 1860), "wiki40b_*.parquet": ("wiki40b", 166), "wikimedia*": ("wikipedia", 116)}
    for pattern, (kind, count) in expected.items():
        found = rows(formats / pattern, format=kind)
        assert len(found) == count and not any(row.error for row in found)
        assert not any("_START_" in row.text or "_NEWLINE_" in row.text or "\\xe" in row.text for row in found)


def test_flags_of_oscar_travel_as_metadata(tmp_path: Path) -> None:
    about = {
        "identification": {"label": "ja", "prob": 0.61},
        "harmful_pp": 0.0,
        "quality_warnings": ["tiny", "footer"],
        "categories": ["adult"],
    }
    headers = {"warc-record-id": "<urn:uuid:a>", "warc-date": "2022-11-28T18:00:00Z"}
    path = tmp_path / "a.jsonl.gz"
    old = {"content": "二", "warc_headers": headers, "metadata": {"annotation": ["short"], "identification": None}}
    path.write_bytes(
        gzip.compress(
            jsonl({"content": "一", "warc_headers": headers, "metadata": about}, old)
            + b'{"content": "\xe4\xb8\x89", "warc_headers": {}, "metadata": {"harmful_pp": NaN}}\n'
        )
    )
    found = rows(path, format="oscar")
    assert json.loads(found[0].meta) == {
        "date": "2022-11-28T18:00:00Z",
        "warnings": ["tiny", "footer"],
        "harmful_pp": 0.0,
        "language": "ja",
        "language_probability": 0.61,
        "categories": ["adult"],
    }
    assert json.loads(found[1].meta) == {"date": "2022-11-28T18:00:00Z", "warnings": ["short"]}
    assert found[2].text == "三" and found[2].meta == "{}"


def test_a_range_of_a_file_gives_the_same_rows_as_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    documents = [{"text": f"本文{number}です。"} for number in range(40)]
    path.write_bytes(b"\xef\xbb\xbf" + jsonl(*documents) + b"broken\n" + jsonl(*documents))
    whole = rows(path)
    data = path.read_bytes()
    middle = data.index(b"\n", len(data) // 3) + 1
    source = Source(name="s", path=str(path), licence="CC0")
    before = data[:middle].count(b"\n")
    parts = [*read_source(source, span=(0, middle)), *read_source(source, span=(middle, len(data)), before=before)]
    assert parts == whole and sum(row.error is not None for row in whole) == 1
    table = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [one["text"] for one in documents]}), table, row_group_size=10)
    source = Source(name="s", path=str(table), format="parquet", licence="CC0")
    parts = [*read_source(source, span=(0, 1)), *read_source(source, span=(1, 4), before=10)]
    assert parts == rows(table, format="parquet") and len(parts) == 40
    with pytest.raises(ValueError, match="range"):
        list(read_source(Source(name="s", path=str(path), format="csv", licence="CC0"), span=(0, 1)))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".jsonl.bz2", ".csv.gz", ".parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"a{suffix}"
        kanji = random.Random(1).choices("病気薬心臓血圧患者治療検査症状診断", k=count * 2000)
        texts = ["".join(kanji[start : start + 2000]) for start in range(0, len(kanji), 2000)]
        if suffix == ".parquet":
            pq.write_table(pa.table({"text": texts}), path, row_group_size=100)
        else:
            data = ("text\n" + "\n".join(texts)).encode() if "csv" in suffix else jsonl(*({"text": t} for t in texts))
            path.write_bytes(packed(path.suffix, data))
        kind = "parquet" if suffix == ".parquet" else "csv" if "csv" in suffix else "jsonl"
        source = Source(name="s", path=str(path), format=kind, licence="x")  # type: ignore[arg-type]
        tracemalloc.start()
        assert sum(row.error is None for row in read_source(source)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(600) < peak(200) * 1.3 + 2**20


def test_truncated_parquet_in_its_middle_and_missing_columns_of_each_format(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"id": [str(n) for n in range(2000)], "text": [f"本文{n}" * 50 for n in range(2000)]}), path
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.parquet"):
        rows(path, format="parquet")
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.parquet"):
        rows(path, format="parquet")
    pq.write_table(pa.table({"title": ["x"]}), path)
    for kind in ("wiki40b", "wikipedia", "parquet"):
        with pytest.raises(InputError, match="no column 'text'"):
            rows(path, format=kind)
    table = tmp_path / "a.csv"
    table.write_text("number,body\n1,x\n")
    with pytest.raises(InputError, match="no column 'text'"):
        rows(table, format="csv")


@pytest.mark.parametrize(
    ("package", "kind", "name", "extra"),
    [
        ("mwparserfromhell", "mediawiki", "a.xml", "wiki"),
        ("trafilatura", "html", "a.html", "html"),
        ("warcio.archiveiterator", "warc", "a.warc", "html"),
        ("pdfminer.pdfdocument", "pdf", "a.pdf", "pdf"),
        ("docx", "docx", "a.docx", "excel"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, kind: str, name: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    text = "{{壊れた<b" if kind == "mediawiki" else "<p>文"
    page = f"<page><title>t</title><id>1</id><revision><text>{escape(text)}</text></revision></page>"
    dump = f"<mediawiki>{page}</mediawiki>"
    (tmp_path / name).write_text(dump if kind == "mediawiki" else text)
    with pytest.raises(InputError, match=rf"igakulm\[{extra}\]"):
        rows(tmp_path / name, format=kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "text"])
def test_a_document_of_200_megabytes(tmp_path: Path, kind: str) -> None:
    text = "雨が降る。" * (200 * 10**6 // 15)
    path = tmp_path / ("a.txt" if kind == "text" else "a.jsonl")
    path.write_bytes(text.encode() if kind == "text" else jsonl({"text": text}, {"text": "短い"}))
    found = rows(path, format=kind)
    assert found[0].text == text and len(found) == (1 if kind == "text" else 2)


def test_a_csv_with_a_lone_quotation_mark_says_so_instead_of_swallowing_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('id,text\n1,"本文\n2,次の\n'.encode())
    (row,) = rows(path, format="csv")
    assert row.text == "" and "row 2, which ends in line 3" in str(row.error) and "not closed" in str(row.error)
    path.write_bytes('id,text\n1,"本"文\n2,次の\n'.encode())
    assert [(row.text, row.error is None) for row in rows(path, format="csv")] == [("", False), ("次の", True)]


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "iso2022_jp", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_files_of_other_encodings(tmp_path: Path, encoding: str) -> None:
    texts = [f"{number}日目、熱は三十八度であった。咳もある。" for number in range(300)]
    table = "id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(texts))
    lines = "".join(json.dumps({"id": n, "text": text}, ensure_ascii=False) + "\n" for n, text in enumerate(texts))
    for name, content, form in (("a.csv", table, "csv"), ("a.jsonl", lines, "jsonl")):
        (tmp_path / name).write_bytes(content.encode(encoding))
        found = rows(tmp_path / name, format=form)
        assert [row.text for row in found] == texts and not any(row.error for row in found)
    (tmp_path / "a.txt").write_bytes("\n".join(texts).encode(encoding))
    (row,) = rows(tmp_path / "a.txt", format="text")
    assert row.text.split("\n") == texts


def test_an_empty_csv_has_no_rows_and_one_of_no_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"")
    assert rows(path, format="csv") == []
    for data in (b"\x81,\xff\n1,2\n", "番号,本文\n1,短い\n".encode("cp932") + b"\x81\n"):
        path.write_bytes(data)
        with pytest.raises(InputError, match="not UTF-8") as caught:
            rows(path, format="csv", text_field="本文")
        str(caught.value).encode()  # no lone surrogates


WRONG: tuple[Any, ...] = (None, True, 5, -1.5, "字", [], ["字", 5], {}, {"a": 1}, [[{}]])


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_field_of_another_type_costs_its_row_only(tmp_path: Path, value: Any) -> None:
    text = "良い文である。"
    row: dict[str, Any] = {"content": text, "warc_headers": {"warc-record-id": "<urn:uuid:a>"}, "metadata": {}}
    good: dict[str, Any] = {"content": text, "warc_headers": {}, "metadata": None}
    fields = [*row, "metadata.identification", "metadata.quality_warnings", "metadata.harmful_pp", "meta", "id"]
    for name in fields:
        outer, dot, inner = name.partition(".")
        wrong = {**row, outer: {inner: value} if dot else value}
        path = tmp_path / "a.jsonl"
        path.write_bytes(jsonl(wrong) + jsonl(good))
        found = rows(path, format="oscar")
        assert [one.text for one in found][1:] == [text] and len(found) == 2, name
    for name in ("text", "id", "title", "url"):
        path.write_bytes(jsonl({"id": "b", "text": text}) + jsonl({"id": "a", "text": text, name: value}))
        found = rows(path)
        assert found[0].text == text and len(found) == 2, name


COLUMNS: tuple[pa.Array, ...] = (
    pa.array([1, 2]),
    pa.array([1.5, None]),
    pa.array([True, False]),
    pa.array([None, None]),
    pa.array([b"\xff\xfe", "字".encode()]),
    pa.array([["字"], []]),
    pa.array([{"a": 1}, None]),
    pa.array(["字", None]).dictionary_encode(),
    pa.array([0, 1], pa.timestamp("s")),
    pa.array([0, 1], pa.date32()),
)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
def test_a_column_of_another_type_costs_its_rows_only(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "a.parquet"
    good = {
        name: pa.array(["一つ目", "二つ目"]) for name in ("text", "id", "title", "url", "wikidata_id", "version_id")
    }
    for kind in ("parquet", "wikipedia", "wiki40b"):
        for name in (*good, "licence", "license"):
            pq.write_table(pa.table({**good, name: column}), path)
            found = rows(path, format=kind)
            assert len(found) == 2, (kind, name)
            for row in found:
                assert row.error is not None or isinstance(row.text, str)
                json.loads(row.meta)
                (row.id + row.meta + row.licence + row.text).encode()


def test_every_header_of_a_warc_record_may_hold_anything(tmp_path: Path) -> None:
    body = "<p>これは病気の説明をする文である。".encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    headers = {
        "WARC-Record-ID": "<urn:uuid:a>", "WARC-Date": "2024-01-01T00:00:00Z", "WARC-Target-URI": "https://example.jp/",
        "WARC-Type": "response", "Content-Type": "application/http; msgtype=response",
    }  # fmt: skip
    for name in headers:
        for value in ("", "\udcff", "9" * 400, "字", "<>", "-1"):
            lines = "".join(f"{key}: {value if key == name else known}\r\n" for key, known in headers.items())
            head = f"WARC/1.0\r\n{lines}Content-Length: {len(answer)}\r\n\r\n".encode("utf-8", "surrogateescape")
            path = tmp_path / "a.warc"
            path.write_bytes(head + answer + b"\r\n\r\n")
            try:
                found = rows(path, format="warc")
            except InputError:
                continue  # told, with the file's name
            for row in found:
                (row.id + row.meta + row.text).encode()


def test_archives_are_named_and_not_read(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip", "c.tar.gz", "d.7z", "~$e.docx", "e.docx"):
        (tmp_path / name).write_bytes(b"PK")
    source = Source(name="s", path=str(tmp_path), licence="CC0", format="docx")
    assert describe_left_out(source) == ".7z 1, .tar.gz 1, .zip 2 (archives are not read: unpack them)"
    assert [row.error is not None for row in rows(tmp_path, format="docx")] == [True]
    with pytest.raises(InputError, match="unpack it") as caught:
        rows(tmp_path / "a.zip")
    assert "archive" in str(caught.value)


def test_a_look_tells_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl({"text": "良い"}) + b"{broken\n")
    look = look_at(Source(name="s", path=str(tmp_path), licence="CC0"))
    assert (look.files, look.tried, look.readable) == (1, 2, 1) and "line 2 is not JSON" in look.example
    path.write_bytes(b"")
    assert look_at(Source(name="s", path=str(path), licence="CC0")).example == "the files hold no document"
