from __future__ import annotations

from pathlib import Path

import pytest

from foreign_tokenizers import byte_level
from igakulm.corpus import funnel
from igakulm.corpus.filters.registry import all_filters
from igakulm.corpus.records import FunnelFile
from igakulm.evaluation.corpus_tokens import SourceTokens, funnel_text, table_one, tokens_by_source
from igakulm.files import Doc, write_documents, write_json
from igakulm.recipe.schema import Privacy
from igakulm.report.corpus import corpus_section
from igakulm.report.record import RunRecord
from igakulm.report.words import LANGUAGES, words
from igakulm.text.personal.spans import KINDS
from igakulm.tokenizer.adopt import adopt
from igakulm.tokenizer.encode import TextEncoder
from tiny_bundle import TEXTS, tokenizer_folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two sources; the shards hold many row groups, so that a sample can be drawn."""
    texts = [f"{number}。{TEXTS[number % len(TEXTS)].format(n=number)}" for number in range(60)]
    documents = [Doc(f"d{n}", text, "web" if n % 3 else "law", "CC0") for n, text in enumerate(texts)]
    write_documents(tmp_path / "documents", documents, shard_bytes=200)
    sources = {}
    for name in ("law", "web"):
        own = [document.text for document in documents if document.source == name]
        sources[name] = {
            "kind": "general",
            "licences": ["CC0"],
            "documents": len(own),
            "characters": sum(map(len, own)),
        }
    write_json(tmp_path / "sources.json", sources)
    steps = ("read", "filter")
    listed = [
        {
            "name": name,
            "kind": "general",
            "licences": ["CC0"],
            "steps": [{"step": step, "documents": row["documents"], "characters": row["characters"]} for step in steps],
        }
        for name, row in sources.items()
    ]
    write_json(tmp_path / "funnel.json", {"sources": listed, "reasons": {"too_short": 3}, "samples": {}})
    statistics = {"lengths": {"0": 20, "50": 40}, "japanese_share": {"0.9": 60}, "scripts": {"kanji": 30, "space": 9}}
    write_json(tmp_path / "statistics.json", {"web": statistics})
    return tmp_path


def counted(corpus: Path) -> dict[str, int]:
    from igakulm.files import read_documents

    encoder = TextEncoder.load(tokenizer_folder())
    found = {"law": 0, "web": 0}
    for document in read_documents(corpus / "documents"):
        found[document.source] += len(encoder.encode_batch([document.text])[0])
    return found


def test_a_small_corpus_is_counted_whole(corpus: Path) -> None:
    found = tokens_by_source(corpus, tokenizer_folder())
    assert found == {name: SourceTokens(number, True) for name, number in counted(corpus).items()}


def test_an_adopted_tokenizer_counts_too(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("adopted")
    adopt(byte_level(folder / "source"), folder / "tokenizer")
    found = tokens_by_source(corpus, folder / "tokenizer")
    assert found.keys() == {"law", "web"} and all(one.exact and one.tokens > 0 for one in found.values())


def test_a_large_corpus_is_estimated_from_a_sample(corpus: Path) -> None:
    found = tokens_by_source(corpus, tokenizer_folder(), budget=400)
    whole = counted(corpus)
    assert not any(source.exact for source in found.values())
    for name, source in found.items():
        assert 0.7 * whole[name] < source.tokens < 1.3 * whole[name]


def test_without_a_tokenizer_there_are_no_tokens(corpus: Path, tmp_path: Path) -> None:
    assert tokens_by_source(corpus, tmp_path / "nowhere") == {}
    assert tokens_by_source(tmp_path / "nowhere", tokenizer_folder()) == {}


def test_the_funnel_as_text() -> None:
    steps = [{"step": "read", "documents": 1200, "characters": 9}, {"step": "filter", "documents": 7, "characters": 5}]
    sources = [{"name": name, "kind": "general", "steps": steps} for name in ("web", "law")]
    funnel = FunnelFile.model_validate({"sources": sources, "reasons": {"too_short": 1193, "adult": 2}})
    rows = table_one(funnel, {"web": SourceTokens(4, True), "law": SourceTokens(3, False)})
    text = funnel_text(funnel, rows)
    assert "web              1,200       7" in text
    assert text.index("too_short") < text.index("adult")
    assert [line.split() for line in text.splitlines() if line.startswith("all")] == [["all", "14", "10", "~7"]]
    assert text.endswith("~ estimated from a sample")
    unknown = funnel_text(funnel, table_one(funnel, {}))
    assert "unknown" in unknown and "estimated" not in unknown


def test_the_report_shows_tokens_lengths_and_scripts(corpus: Path) -> None:
    html = corpus_section(RunRecord({"corpus": corpus, "tokenizer": tokenizer_folder()}), "ja")
    assert "コーパスの内訳" in html and "合計" in html
    assert f"{sum(counted(corpus).values()):,}" in html
    assert "0 〜 50" in html and "50 〜 100" in html and "漢字" in html and ">space<" not in html
    bare = corpus_section(RunRecord({"corpus": corpus}), "ja")
    assert "—" in bare and "見積もった" not in bare


def test_every_reason_step_and_kind_of_personal_data_has_a_name() -> None:
    decided_later = {"unreadable", "exact_duplicate", "near_duplicate", "boilerplate", "quality"}
    groups = {
        "reason": {*(reason for one in all_filters() for reason in one.reasons), *decided_later},
        "step": set(funnel.STEPS),
        "personal": {*Privacy.model_fields, *KINDS},
    }
    for language in LANGUAGES:
        for group, codes in groups.items():
            assert [code for code in codes if words(language).known(group, code) is None] == []
