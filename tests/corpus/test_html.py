from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.corpus.html import MAX_BYTES, decode_page, main_text
from igakulm.corpus.read import Row, read_source
from igakulm.recipe.schema import Source

pytest.importorskip("trafilatura")

PROSE = "".join(f"<p>高血圧は第{n}の説明では血圧が高い状態が続く病気であり、食塩を減らす。</p>" for n in range(6))


def saved(charset: str = "", title: str = "高血圧①の頁") -> str:
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">' if charset else ""
    return (
        f"<html><head>{meta}<title>{title}</title><script>var x = '<p>台本</p>';</script></head><body>"
        f"<nav><a href='/'>首頁</a><a href='/a'>一覧表示</a></nav><article><h1>高血圧</h1>{PROSE}</article>"
        "<footer>著作権表示 無断転載を禁じます</footer></body></html>"
    )


def rows(path: Path, **settings: Any) -> list[Row]:
    return list(read_source(Source(name="p", path=str(path), format="html", licence="CC0", **settings)))


@pytest.mark.parametrize(
    ("data", "content_type", "encoding"),
    [
        (saved("Shift_JIS").encode("cp932"), "", "cp932"),
        (saved("x-sjis").encode("cp932"), "text/html; charset=utf-8", "cp932"),  # the server is wrong
        (saved("euc-jp", "高血圧").encode("euc_jp"), "", "euc_jp"),
        (saved("iso-2022-jp", "高血圧").encode("iso2022_jp"), "", "iso2022_jp_ext"),
        (saved("utf-8").encode(), "", "utf-8"),
        (saved().encode(), "", "utf-8"),
        (saved().encode("cp932"), "", "cp932"),
        (saved("", "高血圧").encode("euc_jp"), "", "euc_jp"),
        (saved("", "高血圧").encode("iso2022_jp"), "", "iso2022_jp_ext"),
        (saved("utf-8").encode("cp932"), "", "cp932"),  # the page is wrong
        (saved("iso-8859-1").encode("cp932"), "text/html; charset=ISO-8859-1", "cp932"),
        (b"\xef\xbb\xbf" + saved("shift_jis").encode(), "", "utf-8"),
        (b"\xff\xfe" + saved().encode("utf-16-le"), "", "utf-16-le"),
    ],
)
def test_the_encoding_of_a_page(data: bytes, content_type: str, encoding: str) -> None:
    found = decode_page(data, content_type)
    assert found.encoding == encoding and found.broken == 0 and "血圧が高い状態" in found.text


@pytest.mark.parametrize("encoding", ["euc_jp", "iso2022_jp"])
def test_the_rows_that_nec_and_ibm_added(encoding: str) -> None:
    seven = bytes(code & 0x7F for code in range(256))
    added = {"①": b"\xad\xa1", "Ⅱ": b"\xad\xb6", "㎎": b"\xad\xd3", "㈱": b"\xad\xea", "髙": b"\xfc\xe2"}
    data, text = b"", ""
    for sign, code in added.items():
        text += f"量は5{sign}で1日2回"
        escaped = code if encoding == "euc_jp" else b"\x1b$B" + code.translate(seven) + b"\x1b(B"
        data += "量は5".encode(encoding) + escaped + "で1日2回".encode(encoding)
    found = decode_page(data * 20, f"text/html; charset={encoding.replace('_', '-').replace('iso2022', 'iso-2022')}")
    assert (found.text, found.broken) == (text * 20, 0)


def test_a_few_broken_characters_are_counted_and_noise_is_refused() -> None:
    found = decode_page(saved("utf-8").encode().replace("状態が".encode(), b"\xe7\x8a", 1) * 20)
    assert found.encoding == "utf-8" and 0 < found.broken <= 20
    for data in (bytes(range(256)) * 50, b"\0" * 100, bytes(range(128, 256)) * 50):
        with pytest.raises(ValueError, match=r"binary|encoding"):
            decode_page(data)


def test_the_main_text_without_the_rest() -> None:
    found = main_text(saved())
    assert found.title == "高血圧①の頁" and found.text.count("食塩を減らす") == 6
    for other in ("首頁", "台本", "無断転載"):
        assert other not in found.text
    assert main_text("").text == "" and main_text("<html>" + "<div>" * 3000 + "深い").text in ("", "深い")


def test_saved_pages_as_a_source(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(saved("euc-jp", "甲").encode("euc_jp"))
    (tmp_path / "b.HTM").write_bytes(saved("shift_jis", "乙").encode("cp932"))
    (tmp_path / "c.html").write_bytes(b"<html><body><img src=x></body></html>")
    (tmp_path / "d.html").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "e.html").write_bytes(b"x" * (MAX_BYTES + 1))
    (tmp_path / "f.html").write_bytes(b"")
    (tmp_path / "style.css").write_text("a {}")
    found = rows(tmp_path)
    assert [json.loads(row.meta).get("title") for row in found if not row.error] == ["甲", "乙"]
    assert len({row.text for row in found if not row.error}) == 1
    errors = [row.error or "" for row in found if row.error]
    assert ["no main text" in errors[0], "cannot be read" in errors[1], "larger than" in errors[2]] == [True] * 3
    assert "no main text" in errors[3] and len(errors) == 4
    assert len({row.id for row in found}) == 6
    assert [row.id for row in rows(tmp_path, max_documents=1)] == ["p:a.html:1"]
