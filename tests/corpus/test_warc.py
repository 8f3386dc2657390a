from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from igakulm.corpus.html import MAX_BYTES
from igakulm.corpus.read import Row, read_source
from igakulm.errors import InputError
from igakulm.recipe.schema import Source

pytest.importorskip("trafilatura")
pytest.importorskip("warcio")

PROSE = "".join(f"<p>第{n}段落では、心不全の患者に利尿薬を用いる理由が詳しく述べられている。</p>" for n in range(6))


def page(title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body><article>{PROSE}</article></body></html>".encode()


def http(body: bytes, status: str = "200 OK", kind: str = "text/html; charset=utf-8", **headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def record(number: int, payload: bytes, *, kind: str = "response", **headers: str) -> bytes:
    names = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number}>",
        "WARC-Date": "2026-01-02T03:04:05Z",
        "WARC-Target-URI": f"https://example.jp/{number}",
        "Content-Type": "application/http; msgtype=response" if kind == "response" else "text/html",
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "Content-Length": str(len(payload)),
    }
    head = "WARC/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in names.items())
    return head.encode() + b"\r\n" + payload + b"\r\n\r\n"


def chunked(body: bytes) -> bytes:
    pieces = [body[start : start + 100] for start in range(0, len(body), 100)]
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


RECORDS = [
    record(0, b"software: x\r\n", kind="warcinfo"),
    record(1, http(page("甲")), IgakuLM_Licence="公開"),
    record(2, http(b"\x89PNG", kind="image/png")),
    record(3, http(page("移動"), "301 Moved")),
    record(4, http(gzip.compress(page("乙")), Content_Encoding="gzip")),
    record(5, http(chunked(page("丙")), Transfer_Encoding="chunked")),
    record(6, b"GET / HTTP/1.1\r\n\r\n", kind="request"),
    record(7, page("丁"), kind="resource"),
]


def rows(path: Path, licence: str | None = "CC0") -> list[Row]:
    return list(read_source(Source(name="w", path=str(path), format="warc", licence=licence)))


def titles(found: list[Row]) -> list[Any]:
    return [json.loads(row.meta).get("title") for row in found if not row.error]


def test_pages_of_plain_and_compressed_files(tmp_path: Path) -> None:
    plain, members, single = tmp_path / "a.warc", tmp_path / "b.warc.gz", tmp_path / "c.warc.gz"
    plain.write_bytes(b"".join(RECORDS))
    members.write_bytes(b"".join(gzip.compress(one) for one in RECORDS))
    single.write_bytes(gzip.compress(b"".join(RECORDS)))
    for path in (plain, members, single):
        found = rows(path)
        assert titles(found) == ["甲", "乙", "丙", "丁"] and not any(row.error for row in found)
        assert found[0].id == "w:1" and found[0].text.count("利尿薬") == 6
        assert json.loads(found[0].meta) == {
            "title": "甲",
            "url": "https://example.jp/1",
            "date": "2026-01-02T03:04:05Z",
        }


def test_the_licence_of_a_record_counts_where_the_source_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(RECORDS[1])
    assert rows(path, None)[0].licence == "公開" and rows(path)[0].licence == "CC0"
    path.write_bytes(b"".join(RECORDS))
    with pytest.raises(InputError, match="no licence"):
        rows(path, None)


def test_pages_that_cannot_be_read_are_reported_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    large = io.BytesIO(b"x" * (MAX_BYTES + 1))
    broken = [
        record(1, http(large.getvalue())),
        record(2, http(b"not gzip", Content_Encoding="gzip")),
        record(3, http(bytes(range(256)) * 9)),
        record(4, http(b"<html></html>")),
        record(5, http(page("良"))),
    ]
    path.write_bytes(b"".join(broken))
    found = rows(path)
    assert titles(found) == ["良"] and len(found) == 5
    assert "larger than" in (found[0].error or "") and json.loads(found[3].meta)["url"] == "https://example.jp/4"


@pytest.mark.parametrize("name", ["cut.warc", "cut.warc.gz"])
def test_a_file_that_is_cut_off_anywhere_is_an_error(tmp_path: Path, name: str) -> None:
    pack = gzip.compress if name.endswith(".gz") else bytes
    first, second = pack(RECORDS[1]), pack(RECORDS[7])
    path = tmp_path / name
    # The two line breaks behind a record belong to it, but nothing is lost without them.
    end = len(second) if name.endswith(".gz") else len(second) - 4
    for cut in (*range(1, 30), *range(30, end, 37), end - 1):
        path.write_bytes(first + second[:cut])
        with pytest.raises(InputError, match=r"cut\.warc"):
            rows(path)
    path.write_bytes(first + second)
    assert titles(rows(path)) == ["甲", "丁"]


def test_other_files_are_no_warc(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    for data in (b"plain text\n", b"<html></html>", b"PK\3\4" * 20):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.warc"):
            rows(path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(copies: int) -> int:
        path = tmp_path / "long.warc.gz"
        images = [gzip.compress(record(n, http(b"\0" * 400_000, kind="image/png"))) for n in range(copies)]
        path.write_bytes(gzip.compress(RECORDS[1]) + b"".join(images))
        tracemalloc.start()
        assert len(rows(path)) == 1
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(80) < peak(20) + 2**20
