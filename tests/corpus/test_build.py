from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from igakulm.corpus import build_corpus as build
from igakulm.corpus import executors
from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.explain import explain
from igakulm.corpus.plan import make_plan
from igakulm.errors import InputError
from igakulm.files import Doc, files_below, read_documents, sha256_file, write_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Filters, RowTask, Source
from small_corpus import prose

QUESTION = "65歳の男性。2週間前からの労作時息切れを主訴に来院した。下腿に浮腫を認める。最も考えられるのはどれか。"


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Source, ...]:
    folder = tmp_path / "raw"
    folder.mkdir()
    web = [
        {"id": "good", "text": "ＣＴ検査．\n" + prose(1)},
        {"id": "short", "text": "短い。"},
        {"id": "again", "text": "CT検査。" + prose(1)},
        {"id": "near", "text": prose(1) + "末尾に一文だけ加えた。"},
        {"id": "leak", "text": prose(2) + QUESTION + prose(3)},
        {"id": "mail", "text": prose(4) + "連絡はtaro@example.jpへ。"},
    ]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in web]
    (folder / "web.jsonl").write_bytes(b"\n".join([*lines[:2], b'{"id": "bad", "text": "\xff"}', *lines[2:]]))
    medical = [{"id": n, "text": prose(100 + n), "licence": ["CC0", "CC BY 4.0"][n % 2]} for n in range(6)]
    (folder / "medical.jsonl").write_text("\n".join(json.dumps(row) for row in medical), encoding="utf-8")
    return (
        Source(name="web", path=str(folder / "web.jsonl"), licence="none"),
        Source(name="medical", path=str(folder / "medical.jsonl"), kind="medical"),
    )


@pytest.fixture
def benchmarks(tmp_path: Path) -> BenchmarksSection:
    row = {"id": "1", "question": QUESTION, "choices": ["心不全", "肺炎", "喘息", "貧血", "肝硬変"], "answer": ["A"]}
    path = tmp_path / "exam.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    return BenchmarksSection(rows=(RowTask(name="exam", kind="exam", test=str(path)),))


def run(out: Path, corpus: CorpusSection, benchmarks: BenchmarksSection, extra: Path | None = None) -> dict[str, Any]:
    out.mkdir()
    return build_corpus(corpus, benchmarks, extra, out, SilentProgress())


def hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files_below(folder)}


def test_every_document_is_kept_or_dropped_with_its_reason(
    tmp_path: Path, sources: tuple[Source, ...], benchmarks: BenchmarksSection
) -> None:
    out = tmp_path / "out"
    summary = run(out, CorpusSection(sources=sources, workers=1), benchmarks)
    dropped = {row["id"]: row for row in pq.read_table(out / "dropped").to_pylist()}
    reasons = {name: row["reason"] for name, row in dropped.items()}
    assert reasons == {
        "web:web.jsonl:3": "unreadable",
        "web:short": "too_short",
        "web:again": "exact_duplicate",
        "web:near": "near_duplicate",
        "web:leak": "benchmark:exam",
    }
    assert dropped["web:again"]["detail"] == dropped["web:near"]["detail"] == "web:good"
    kept = {document.id: document for document in read_documents(out / "documents")}
    assert list(kept) == ["web:good", "web:mail", *(f"medical:{number}" for number in range(6))]
    assert kept["web:good"].text.startswith("CT検査。") and kept["web:mail"].text.endswith("連絡はへ。")
    assert kept["medical:1"].licence == "CC BY 4.0"
    assert summary["read"] == len(kept) + len(dropped) and summary["documents"] == 8
    assert summary["personal_data_deleted"] == {"mail": 1}


def test_funnel_and_sources(tmp_path: Path, sources: tuple[Source, ...], benchmarks: BenchmarksSection) -> None:
    out = tmp_path / "out"
    run(out, CorpusSection(sources=sources, workers=1), benchmarks)
    funnel = json.loads((out / "funnel.json").read_text("utf-8"))
    steps = {step["step"]: step["documents"] for step in funnel["sources"][0]["steps"]}
    assert steps == {
        "read": 7,
        "clean": 6,
        "filter": 5,
        "exact": 4,
        "near": 3,
        "decontamination": 2,
        "boilerplate": 2,
    }
    assert funnel["sources"][0]["reasons"]["near_duplicate"] == 1
    assert funnel["decontamination"] == {"exam": 1}
    assert funnel["reasons"]["too_short"] == 1
    assert funnel["samples"]["benchmark:exam"][0]["id"] == "web:leak"
    listed = json.loads((out / "sources.json").read_text("utf-8"))
    assert listed["medical"]["licences"] == ["CC BY 4.0", "CC0"]
    assert listed["medical"]["kind"] == "medical" and listed["web"]["documents"] == 2
    characters = sum(len(document.text) for document in read_documents(out / "documents"))
    assert sum(source["characters"] for source in listed.values()) == characters


def test_the_result_does_not_depend_on_the_number_of_processes(
    tmp_path: Path, sources: tuple[Source, ...], benchmarks: BenchmarksSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PART_BYTES", 2000)
    monkeypatch.setattr(executors, "POOL_BYTES", 0)
    one, two = tmp_path / "one", tmp_path / "two"
    run(one, CorpusSection(sources=sources, workers=1), benchmarks)
    run(two, CorpusSection(sources=sources, workers=2), benchmarks)
    assert hashes(one) == hashes(two)
    assert len(make_plan(CorpusSection(sources=sources), benchmarks, None, 2000).parts) > 3
    monkeypatch.undo()
    whole = tmp_path / "whole"
    run(whole, CorpusSection(sources=sources, workers=1), benchmarks)
    assert set(hashes(whole)) == {
        "checkpoints/finished.json",
        "documents/00000.parquet",
        "dropped/chosen-00000.parquet",
        "dropped/read-00000.parquet",
        "funnel.json",
        "sources.json",
        "statistics.json",
    }
    # Cut into other parts, the documents are the same; only the files of dropped ones are cut elsewhere.
    assert list(read_documents(one / "documents")) == list(read_documents(whole / "documents"))
    for name in ("funnel.json", "sources.json", "statistics.json"):
        assert hashes(one)[name] == hashes(whole)[name]


def test_generated_documents_are_sources_too(
    tmp_path: Path, sources: tuple[Source, ...], benchmarks: BenchmarksSection
) -> None:
    extra = tmp_path / "synth"
    text = prose(200)
    documents = [Doc("synth:1", text, "synthetic", "CC0"), Doc("synth:2", "短い", "synthetic", "CC0")]
    write_documents(extra, documents)
    out = tmp_path / "out"
    run(out, CorpusSection(sources=sources, workers=1), benchmarks, extra)
    listed = json.loads((out / "sources.json").read_text("utf-8"))
    done = listed["synthetic"].pop("personal_data")
    assert done["how"] == "deleted" and done["replaced"] == {}
    assert listed["synthetic"] == {"kind": "medical", "licences": ["CC0"], "documents": 1, "characters": len(text)}
    assert explain(out, "synth:2")["reason"] == "too_short"
    write_documents(extra, [Doc("1", text, "web", "CC0")])
    with pytest.raises(InputError, match="generated documents"):
        run(tmp_path / "other", CorpusSection(sources=sources, workers=1), benchmarks, extra)
    run(tmp_path / "none", CorpusSection(sources=sources, workers=1), benchmarks, tmp_path / "absent")


def test_no_document_left_lists_the_reasons(tmp_path: Path, sources: tuple[Source, ...]) -> None:
    corpus = CorpusSection(sources=sources, workers=1, filters=Filters(min_characters=100_000))
    with pytest.raises(InputError, match="too_short: 12, unreadable: 1"):
        run(tmp_path / "out", corpus, BenchmarksSection())
    assert files_below(tmp_path / "out") == []


def test_no_document_left_shows_one_of_the_commonest_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"id": "1", "text": "短い。"}\n'.encode()[:-6] + b'\xff"}\n')
    corpus = CorpusSection(sources=(Source(name="s", path=str(path), licence="CC0"),))
    with pytest.raises(InputError, match=r"unreadable: 1; the first: s:a.jsonl:1 \(line 1 is not UTF-8"):
        run(tmp_path / "out", corpus, BenchmarksSection())
    path.write_bytes(b"\n")
    with pytest.raises(InputError, match="all files are empty"):
        run(tmp_path / "empty", corpus, BenchmarksSection())


def test_two_sources_of_one_name(tmp_path: Path, sources: tuple[Source, ...]) -> None:
    with pytest.raises(InputError, match="two sources are named 'web'"):
        run(tmp_path / "out", CorpusSection(sources=(sources[0], sources[0])), BenchmarksSection())


def test_real_crawl(tmp_path: Path, real_data: Path) -> None:
    path = str(real_data / "formats" / "*.jsonl.zst")
    corpus = CorpusSection(sources=(Source(name="oscar", path=path, format="oscar", licence="CC0"),), workers=1)
    summary = run(tmp_path / "out", corpus, BenchmarksSection())
    assert summary["read"] == 1860 == summary["documents"] + sum(summary["dropped"].values())
    assert {"exact_duplicate", "near_duplicate", "advertisement", "list_page", "not_japanese"} <= set(
        summary["dropped"]
    )
    text = "\n".join(document.text for document in read_documents(tmp_path / "out" / "documents"))
    assert "@example.co.jp" not in text and "https://" not in text


def test_sources_that_cannot_be_read_are_told_of_or_stop_the_run(tmp_path: Path) -> None:
    said: list[str] = []

    class Told(SilentProgress):
        def say(self, text: str) -> None:
            said.append(text)

    folder = tmp_path / "texts"
    folder.mkdir()
    good = "".join(
        json.dumps({"id": str(n), "text": f"{n}番の患者には熱がある。" * 8}, ensure_ascii=False) + "\n"
        for n in range(9)
    )
    (folder / "a.jsonl").write_text(good + "{\n", encoding="utf-8")
    for name in ("b.pdf", "c.PDF", "d.zip"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "bad.jsonl").write_text("{\n" * 3, encoding="utf-8")
    filters = Filters(min_characters=1, max_duplicate_sentence_share=1.0, max_duplicate_ngram_share=1.0)
    partly = Source(name="partly", path=str(folder), licence="CC0")
    never = Source(name="never", path=str(tmp_path / "bad.jsonl"), licence="CC0")
    build_corpus(CorpusSection(sources=(partly,), filters=filters), BenchmarksSection(), None, tmp_path / "one", Told())
    others = ".pdf 2, .zip 1 (archives are not read: unpack them)"
    assert f"source 'partly' reads jsonl; other files of its folder: {others}" in said
    assert any("source 'partly': 1 of 10 records cannot be read; the first: partly:a.jsonl:10" in line for line in said)
    with pytest.raises(InputError, match="no record of source 'never' can be read") as caught:
        run(tmp_path / "two", CorpusSection(sources=(partly, never), filters=filters), BenchmarksSection())
    assert "unreadable: 3; the first: never:bad.jsonl:1" in str(caught.value.where)
