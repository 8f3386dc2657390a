from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.explain import explain
from igakulm.corpus.personal_data import SourceCleaner
from igakulm.errors import InputError
from igakulm.progress import SilentProgress
from igakulm.recipe.personal_data import Deidentification, PersonalData
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Filters, Source

NOTE = (
    "氏名：佐藤花子　#肺炎 #糖尿病\n佐藤さんは3月5日より咳。電話03-5555-0123。"
    "SpO2 94%、右下肺野に浸潤影を認め入院した。"
)


def corpus(path: Path, personal_data: PersonalData | None, kind: str = "records") -> CorpusSection:
    source = {"name": "notes", "path": str(path), "licence": "own", "kind": kind, "personal_data": personal_data}
    return CorpusSection(sources=(Source.model_validate(source),), workers=1, filters=Filters(min_characters=10))


def text_of(section: CorpusSection) -> str:
    return SourceCleaner(section)([NOTE], ["notes"], ["1"], ["{}"]).texts[0]


def test_records_must_say_what_becomes_of_personal_data(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="personal_data: replace"):
        corpus(tmp_path / "a.jsonl", None)


def test_records_are_replaced_and_their_problem_lists_stay(tmp_path: Path) -> None:
    text = text_of(corpus(tmp_path / "a.jsonl", "replace"))
    assert text.startswith("氏名:[氏名] #肺炎 #糖尿病\n[氏名]さんは3月5日より咳。電話[電話番号]。")
    assert text_of(corpus(tmp_path / "a.jsonl", "kept")).startswith("氏名:佐藤花子 #肺炎 #糖尿病")


def test_the_finished_corpus_says_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "1", "text": NOTE}) + "\n", encoding="utf-8")
    for value, how, replaced in (("replace", "replaced", {"name": 2, "telephone": 1}), ("kept", "kept", None)):
        out = tmp_path / str(value)
        section = corpus(path, value)  # type: ignore[arg-type]
        build_corpus(section, BenchmarksSection(), None, out, SilentProgress())
        done = json.loads((out / "sources.json").read_text("utf-8"))["notes"]["personal_data"]
        assert done["how"] == how and done.get("replaced") == replaced
        told = explain(out, "notes:1", section)
        step = next(one for one in told["steps"] if one["step"] == "personal data")
        assert ("name 2" in step["result"]) == (value == "replace")


def test_shifted_dates_need_a_key_outside_the_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="key file"):
        SourceCleaner(corpus(tmp_path / "a.jsonl", Deidentification(dates="shift")))
    inside = tmp_path / "run"
    inside.mkdir()
    (inside / "manifest.json").write_text("{}")
    settings = Deidentification(dates="shift", key=str(inside / "key.jsonl"))
    with pytest.raises(InputError, match="inside a run"):
        SourceCleaner(corpus(tmp_path / "a.jsonl", settings))
    settings = Deidentification(dates="shift", key=str(tmp_path / "keys" / "key.jsonl"), patient="mrn")
    clean = SourceCleaner(corpus(tmp_path / "a.jsonl", settings))
    metas = ['{"mrn": "7"}', '{"mrn": "7"}', '{"mrn": "8"}']
    texts = clean(["2024年1月5日入院"] * 3, ["notes"] * 3, ["1", "2", "3"], metas).texts
    assert texts[0] == texts[1] != texts[2] and "2024年1月5日" not in texts[0]


def test_public_text_loses_what_the_recipe_says_and_nothing_else(tmp_path: Path) -> None:
    text = "今日の夕食 #減塩レシピ @hanako_s さん 03-5555-0123、佐藤花子さん"
    for value, left in ((None, "今日の夕食 さん、佐藤花子さん"), ("kept", text)):
        clean = SourceCleaner(corpus(tmp_path / "a.jsonl", value, "general"))  # type: ignore[arg-type]
        assert clean([text], ["notes"], ["1"], ["{}"]).texts == [left]
