from __future__ import annotations

import json
from pathlib import Path

import pytest

from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.explain import explain
from igakulm.errors import InputError
from igakulm.files import Doc, write_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, RowTask, Source
from small_corpus import prose

QUESTION = "65歳の男性。2週間前からの労作時息切れを主訴に来院した。下腿に浮腫を認める。最も考えられるのはどれか。"
FOOTER = "当院は予約制です、お電話でお申し込みのうえご来院をお願いします"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CorpusSection]:
    folder = tmp_path_factory.mktemp("explain")
    rows = [
        {"id": "good", "text": "ＣＴ検査．" + prose(1)},
        {"id": "short", "text": "短い．"},
        {"id": "again", "text": "CT検査。" + prose(1)},
        {"id": "near", "text": prose(1) + "末尾に一文だけ加えた。"},
        {"id": "leak", "text": prose(2) + QUESTION + prose(3)},
        {"id": "mail", "text": prose(4) + "連絡はtaro@example.jpへ。"},
        *({"id": f"page{n}", "text": prose(20 + n) + "\n" + FOOTER, "url": "https://a.example/"} for n in range(5)),
        {"id": "footer", "text": FOOTER + "。\n" + FOOTER, "url": "https://a.example/x"},
        {"id": "other", "text": prose(40)},
    ]
    path = folder / "web.jsonl"
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"\n".join([*lines, b'{"id": "bad", "text": "\xff"}']))
    second = folder / "second.jsonl"
    second.write_text(json.dumps({"id": "other", "text": prose(41)}), encoding="utf-8")
    question = {
        "id": "1",
        "question": QUESTION,
        "choices": ["心不全", "肺炎", "喘息", "貧血", "肝硬変"],
        "answer": ["A"],
    }
    (folder / "exam.jsonl").write_text(json.dumps(question, ensure_ascii=False), encoding="utf-8")
    write_documents(folder / "synth", [Doc("synth:1", prose(200), "synthetic", "CC0")])
    corpus = CorpusSection(
        sources=(
            Source(name="web", path=str(path), licence="none"),
            Source(name="second", path=str(second), licence="none"),
        ),
        workers=1,
    )
    tests = BenchmarksSection(rows=(RowTask(name="exam", kind="exam", test=str(folder / "exam.jsonl")),))
    out = folder / "out"
    out.mkdir()
    build_corpus(corpus, tests, folder / "synth", out, SilentProgress())
    return out, corpus


def results(out: Path, corpus: CorpusSection, identifier: str) -> dict[str, str]:
    return {step["step"]: step["result"] for step in explain(out, identifier, corpus)["steps"]}


def test_a_kept_document_shows_its_text_before_and_after(built: tuple[Path, CorpusSection]) -> None:
    found = explain(built[0], "web:mail", built[1])
    assert found["kept"] is True and "taro@example.jp" in found["before"] and "taro" not in found["text"]
    assert results(*built, "web:mail") == {
        "read": "read from the source",
        "clean": "nothing to change",
        "personal data": "deleted: mail 1",
        "filter": "passed",
        "exact": "passed",
        "near": "passed",
        "decontamination": "passed",
        "boilerplate": "passed",
    }
    assert results(*built, "web:good")["clean"] == "changed"


@pytest.mark.parametrize(
    ("identifier", "step", "reason"),
    [
        ("web:short", "filter", "too_short"),
        ("web:again", "exact", "exact_duplicate"),
        ("web:near", "near", "near_duplicate"),
        ("web:leak", "decontamination", "benchmark:exam"),
        ("web:footer", "boilerplate", "boilerplate"),
    ],
)
def test_the_steps_of_a_dropped_document_end_where_it_was_dropped(
    built: tuple[Path, CorpusSection], identifier: str, step: str, reason: str
) -> None:
    found = explain(built[0], identifier, built[1])
    assert (found["kept"], found["reason"]) == (False, reason)
    assert found["steps"][-1]["step"] == step
    assert found["steps"][-1]["result"].startswith(f"dropped: {reason}")


def test_what_was_taken_out_is_told(built: tuple[Path, CorpusSection]) -> None:
    found = explain(built[0], "web:page1", built[1])
    assert FOOTER in found["before"] and FOOTER not in found["text"]
    assert found["steps"][-1]["result"] == "repeated lines or sentences were taken out"
    footer = explain(built[0], "web:footer", built[1])
    assert FOOTER in footer["before"] and footer["text"] == ""


def test_duplicates_show_the_survivor(built: tuple[Path, CorpusSection]) -> None:
    assert explain(built[0], "web:near")["survivor"] == explain(built[0], "web:good")["text"]
    before = explain(built[0], "web:short")
    assert (before["before"], before["text"]) == ("短い．", "短い。")


def test_unreadable_and_generated_documents_have_no_steps(built: tuple[Path, CorpusSection]) -> None:
    unreadable = explain(built[0], "web:web.jsonl:14", built[1])
    assert unreadable["reason"] == "unreadable" and "steps" not in unreadable
    assert "steps" not in explain(built[0], "synth:1", built[1])


def test_short_ambiguous_and_unknown_ids(built: tuple[Path, CorpusSection]) -> None:
    assert explain(built[0], "good")["id"] == "web:good"
    with pytest.raises(InputError, match="2 documents could be meant by 'other'") as caught:
        explain(built[0], "other")
    assert "second:other, web:other" in str(caught.value)
    with pytest.raises(InputError, match="did you mean 'web:short'"):
        explain(built[0], "web:shrt")
    with pytest.raises(InputError, match="ids are `source:id`"):
        explain(built[0], "0")
