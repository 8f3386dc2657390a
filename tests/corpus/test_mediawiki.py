from __future__ import annotations

import bz2
import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.mediawiki import page_ranges
from igakulm.corpus.plan import make_plan
from igakulm.corpus.read import Row, read_source
from igakulm.corpus.streams import bz2_ranges
from igakulm.errors import InputError
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Filters, Source

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="ja">
  <siteinfo><sitename>W</sitename><base>https://ja.wikipedia.org/wiki/%E3%83%A1</base></siteinfo>
"""


def page(number: int, text: str, *, title: str = "", ns: int = 0, extra: str = "", model: str = "wikitext") -> str:
    return f"""  <page>
    <title>{escape(title or f"記事 {number}")}</title><ns>{ns}</ns><id>{number}</id>{extra}
    <revision><id>9{number}</id><timestamp>2026-01-02T03:04:05Z</timestamp>
      <contributor><username>誰か</username><id>77</id></contributor><model>{model}</model>
      <text bytes="9" xml:space="preserve">{escape(text)}</text></revision>
  </page>
"""


PAGES = [
    page(1, "'''甲'''は[[病気]]である。{{x}}\n== 脚注 ==\n注。", title="甲 & 乙"),
    page(2, "#転送 [[甲]]", extra='<redirect title="甲" />'),
    page(3, "会話である。", ns=1),
    page(4, "{}", model="json"),
    page(5, "乙は薬である。"),
]


def rows(path: Path, **settings: Any) -> list[Row]:
    return list(read_source(Source(name="w", path=str(path), format="mediawiki", licence="CC BY-SA 4.0", **settings)))


def dump(path: Path, pages: list[str], *, streams: int = 1) -> Path:
    """A dump; with several streams as the multistream files are: head, pages, end of the root element."""
    pieces = [HEAD, *pages, "</mediawiki>\n"] if streams > 1 else [HEAD + "".join(pages) + "</mediawiki>\n"]
    data = b"".join(bz2.compress(piece.encode()) for piece in pieces)
    path.write_bytes(data if path.suffix == ".bz2" else bz2.decompress(data))
    return path


@pytest.mark.parametrize(("name", "streams"), [("a.xml.bz2", 1), ("a.xml.bz2", 2), ("a.xml", 1)])
def test_articles_only_with_their_body(tmp_path: Path, name: str, streams: int) -> None:
    found = rows(dump(tmp_path / name, PAGES, streams=streams))
    assert [(row.id, row.text) for row in found] == [("w:1", "甲は病気である。"), ("w:5", "乙は薬である。")]
    assert json.loads(found[0].meta) == {
        "title": "甲 & 乙",
        "url": "https://ja.wikipedia.org/wiki/%E7%94%B2_%26_%E4%B9%99",
        "date": "2026-01-02T03:04:05Z",
    }
    assert found[0].licence == "CC BY-SA 4.0"


def test_a_page_with_broken_bytes_is_reported_and_the_rest_is_kept(tmp_path: Path) -> None:
    text = HEAD + PAGES[0] + page(6, "壊れた頁BAD") + page(7, "丙\0である。\x0b") + "</mediawiki>"
    path = tmp_path / "a.xml"
    path.write_bytes(text.encode().replace(b"BAD", b"\xff\xe3\x81"))
    found = rows(path)
    assert [row.text for row in found if not row.error] == ["甲は病気である。", "丙である。"]
    (broken,) = [row for row in found if row.error]
    assert "page 6 (記事 6) is not UTF-8" in (broken.error or "")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.97])
def test_a_dump_that_is_cut_off_is_an_error(tmp_path: Path, cut: float) -> None:
    for name in ("cut.xml.bz2", "cut.xml"):
        path = dump(tmp_path / name, PAGES * 40, streams=2)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
        with pytest.raises(InputError, match=r"cut\.xml") as caught:
            rows(path)
        assert "early" in str(caught.value)
    data = dump(tmp_path / "whole.xml.bz2", PAGES, streams=2).read_bytes()
    path = tmp_path / "cut.xml.bz2"
    path.write_bytes(data[: data.rindex(b"BZh9")])  # ends between two streams: only the XML can tell
    with pytest.raises(InputError, match="ends too early"):
        rows(path)


def test_other_files_are_no_dumps(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    for text in ("<html><body/></html>", "plain text", "<mediawiki><page></wrong></mediawiki>", ""):
        path.write_text(text)
        with pytest.raises(InputError, match=r"a\.xml"):
            rows(path)
    path.write_text('<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><mediawiki>&b;</mediawiki>')
    with pytest.raises(InputError, match="DOCTYPE"):
        rows(path)
    (tmp_path / "b.xml.bz2").write_bytes(b"this is not compressed")
    with pytest.raises(InputError, match="broken"):
        rows(tmp_path / "b.xml.bz2")


@pytest.mark.parametrize("size", [1, 500, 10**9])
def test_ranges_of_a_multistream_dump_give_the_same_rows(tmp_path: Path, size: int) -> None:
    pages = [page(number, f"{number}は[[雨]]である。" * 20) for number in range(1, 30)]
    path = dump(tmp_path / "a.xml.bz2", [*pages, page(40, "壊れた")], streams=2)
    ranges = list(bz2_ranges(path, size))
    assert ranges[0][0] == 0 and ranges[-1][1] == path.stat().st_size
    assert all(first[1] == second[0] for first, second in pairwise(ranges)) and len(ranges) == {1: 32, 10**9: 1}.get(
        size, len(ranges)
    )
    source = Source(name="w", path=str(path), format="mediawiki", licence="CC BY-SA 4.0")
    assert [row for span in ranges for row in read_source(source, span=span)] == rows(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="early"):
        list(read_source(source, span=(ranges[-1][0], path.stat().st_size)))
    single = dump(tmp_path / "b.xml.bz2", pages)
    assert list(bz2_ranges(single, 1)) == [(0, single.stat().st_size)]


def test_memory_does_not_grow_with_the_dump(tmp_path: Path) -> None:
    def peak(copies: int) -> int:
        path = tmp_path / "long.xml.bz2"
        with bz2.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
            file.write(HEAD)
            file.writelines(page(number, "雨が降る。" * 400) for number in range(copies))
            file.write("</mediawiki>")
        source = Source(name="w", path=str(path), format="mediawiki", licence="x")
        tracemalloc.start()
        count = sum(1 for _ in read_source(source))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == copies
        return most

    peak(10)  # imports
    small, large = peak(300), peak(900)
    assert large < small * 1.5


def build(source: Source, out: Path) -> dict[str, bytes]:
    corpus = CorpusSection(sources=(source,), filters=Filters(min_characters=1), workers=1)
    build_corpus(corpus, BenchmarksSection(), None, out, SilentProgress())
    found = {path.name: path.read_bytes() for path in sorted((out / "documents").glob("*.parquet"))}
    return found | {name: (out / name).read_bytes() for name in ("funnel.json", "statistics.json")}


def test_the_corpus_of_a_cut_dump_is_that_of_one_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = "甲乙丙丁戊己庚辛壬癸"
    texts = [f"{names[n % 10]}という病気の{n}番目の説明である。" * (1 + n % 3) for n in range(40)]
    pieces = ["".join(page(n, text) for n, text in enumerate(texts) if n // 5 == group) for group in range(8)]
    path = dump(tmp_path / "a.xml.bz2", pieces, streams=2)
    source = Source(name="w", path=str(path), format="mediawiki", licence="CC BY-SA 4.0")
    whole = build(source, tmp_path / "one")
    monkeypatch.setattr("igakulm.corpus.build_corpus.PART_BYTES", 700)
    parts = make_plan(CorpusSection(sources=(source,)), BenchmarksSection(), None, 700).parts
    assert len(parts) > 3 and parts[0].span and parts[-1].span and parts[-1].span[1] == Path(source.path).stat().st_size
    assert build(source, tmp_path / "many") == whole


def test_a_dump_packed_again_in_blocks_is_cut_only_where_a_page_begins(tmp_path: Path) -> None:
    """pbzip2 and lbzip2 begin a stream every 900 kB, wherever that is."""
    text = HEAD + "".join(page(n, f"{n}番目の記事。") for n in range(1, 9)) + "</mediawiki>\n"
    blocks = [text[start : start + 100] for start in range(0, len(text), 100)]
    path = tmp_path / "b.xml.bz2"
    path.write_bytes(b"".join(bz2.compress(block.encode()) for block in blocks))
    assert len(list(bz2_ranges(path, 1))) == len(blocks)
    assert list(page_ranges(path, 1)) == [(0, path.stat().st_size)]
    assert [row.text for row in rows(path)] == [f"{n}番目の記事。" for n in range(1, 9)]
