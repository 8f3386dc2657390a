"""Filters by source: what `kind: records` lets pass, and which keys count."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.filter import drop_reason
from igakulm.corpus.source_filters import RECORDS, filters_of
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Filters, NearDuplicates, RepeatedText, Source
from igakulm.text.cleaning import clean_texts
from record_snippets import HELD_OUT, OPEN


def dropped(texts: list[str], filters: Filters) -> list[str]:
    return [text for text, cleaned in zip(texts, clean_texts(texts), strict=True) if drop_reason(cleaned, filters)]


def test_records_pass_and_public_rules_would_lose_them() -> None:
    assert len(OPEN) == len(HELD_OUT) == 32
    assert dropped(OPEN, RECORDS) == []
    assert dropped(HELD_OUT, RECORDS) == []
    assert len(dropped(OPEN + HELD_OUT, Filters(min_characters=10))) > 20


@pytest.mark.parametrize(
    "text", ["特になし", "☆★☆★◆◇☆★☆★◆◇", "繧ｵ繝ｳ繝励Ν縺ｧ縺吶€縺薙ｌ縺ｯ縺薙■繧峨〒縺吶€縺雁撫縺粋繧上○"]
)
def test_what_is_no_record_goes(text: str) -> None:
    assert dropped([text], RECORDS) == [text]


def test_a_source_changes_only_the_keys_that_it_names() -> None:
    corpus = CorpusSection(filters=Filters(max_characters=900, min_characters=7))
    web = Source(name="w", path="w", filters=Filters(min_characters=20))
    assert filters_of(web, corpus) == corpus.filters.model_copy(update={"min_characters": 20})
    notes = Source(name="n", path="n", kind="records", personal_data="kept")
    assert filters_of(notes, corpus).max_characters == 900
    assert filters_of(notes, corpus).max_digit_share == RECORDS.max_digit_share
    assert filters_of(None, corpus) is corpus.filters


def test_the_corpus_judges_each_source_by_its_own_filters(tmp_path: Path) -> None:
    sources = []
    settings: dict[str, dict[str, object]] = {
        "web": {},
        "notes": {"kind": "records", "personal_data": "kept"},
        "short": {"filters": {"min_characters": 5}},
    }
    for name, extra in settings.items():
        path = tmp_path / f"{name}.jsonl"
        rows = [
            {"id": str(at), "text": text}
            for at, text in enumerate([*OPEN[:8], "#糖尿病 #高血圧症", "短い文であるよ。"])
        ]
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        sources.append(Source.model_validate({"name": name, "path": str(path), "licence": "CC0", **extra}))
    near, repeated = NearDuplicates(enabled=False), RepeatedText(boilerplate=False, sentences=False)
    corpus = CorpusSection(sources=tuple(sources), workers=1, near_duplicates=near, repeated=repeated)
    # The same texts stand in all sources, and the first source that keeps one has it: what web loses, notes keep.
    build_corpus(corpus, BenchmarksSection(), None, tmp_path / "out", SilentProgress())
    shards = (tmp_path / "out" / "documents").glob("*.parquet")
    kept = [row for path in shards for row in pq.read_table(path).to_pylist()]
    notes = {row["text"] for row in kept if row["source"] == "notes"}
    assert "#糖尿病 #高血圧症" in notes and len(notes) >= 6
    assert {row["text"] for row in kept if row["source"] == "short"} == {"短い文であるよ。"}
