"""What other models wrote loses personal data by the same switch as everything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat_server import ChatServer, Reply, Request, chat_reply
from igakulm.files import read_documents, read_jsonl
from igakulm.progress import SilentProgress
from igakulm.recipe.personal_data import PersonalData
from igakulm.recipe.schema import SynthSection
from igakulm.synth.exam_item import ExamItem
from igakulm.synth.generate import generate_texts
from igakulm.synth.personal_data import item_without, text_without
from igakulm.tasks.personal_data import Deidentifiers, account
from synthetic_answers import exam, textbook

TEXT = "氏名：佐藤花子さんは橋本病である。問い合わせは03-5555-0123。"


def test_a_text_is_replaced_kept_or_left_to_the_corpus() -> None:
    known: Deidentifiers = {}
    assert text_without(TEXT, "a", "replace", known) == "氏名：[氏名]さんは橋本病である。問い合わせは[電話番号]。"
    assert text_without(TEXT, "b", "kept", known) == TEXT and text_without(TEXT, "c", None, known) == TEXT
    done = account(known)
    assert done["a"]["replaced"] == {"name": 1, "telephone": 1} and done["b"] == done["c"] == {"how": "kept"}


def test_the_parts_of_an_exam_item_are_looked_at_together() -> None:
    item = ExamItem("患者：佐藤花子様。適切なのはどれか。", ("佐藤さんに説明する", "待つ"), ("A",), "佐藤さんは肺炎。")
    known: Deidentifiers = {}
    clean = item_without(item, "exams", "replace", known)
    assert clean.question == "患者：[氏名]様。適切なのはどれか。" and clean.options == ("[氏名]さんに説明する", "待つ")
    assert clean.explanation == "[氏名]さんは肺炎。" and clean.answer == item.answer
    assert item_without(item, "kept", "kept", known) is item


def reply_with_a_name(request: Request) -> Reply:
    if "response_format" in request.body:
        return chat_reply(
            exam(request.term, 1, request.body["seed"]).replace("として正しい", "として佐藤花子様に正しい")
        )
    return chat_reply(textbook(request.term) + "詳しくは佐藤花子医師（電話03-5555-0123）が述べた。")


@pytest.mark.parametrize(("value", "stays"), [("replace", False), ("kept", True), (None, True)])
def test_the_switch_of_the_recipe(tmp_path: Path, value: PersonalData | None, stays: bool) -> None:
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir()
    header = "term\tkind\treading\ticd10\tstandard_name\tconfidence\tfrequency\tsource\tlicence\n"
    lines = [f"{term}\tdisease\t\t\t\t\t\tsample\tCC0\n" for term in ("気管支喘息", "肺炎")]
    (lexicon / "terms.tsv").write_text(header + "".join(lines), encoding="utf-8")
    with ChatServer(lambda request, _: reply_with_a_name(request)) as server:
        config = SynthSection(
            endpoint=server.url, model="m", licence="CC0-1.0", terms=2, exams=2, seed=5, personal_data=value
        )
        summary = generate_texts(config, lexicon, tmp_path / "out", SilentProgress())
    texts = [document.text for document in read_documents(tmp_path / "out" / "documents")]
    rows = json.dumps(list(read_jsonl(tmp_path / "out" / "exams.jsonl")), ensure_ascii=False)
    assert len(texts) == 4
    assert all(("佐藤" in text) == stays for text in [*texts, rows])
    assert any("03-5555-0123" in text for text in texts) == stays
    done = summary.get("personal_data", {})
    assert {name: one["how"] for name, one in done.items()} == (
        {}
        if value is None
        else dict.fromkeys(("synthetic-exams", "synthetic-textbooks"), "kept" if stays else "replaced")
    )
