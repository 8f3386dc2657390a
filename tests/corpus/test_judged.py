from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from igakulm.corpus import quality
from igakulm.corpus.build_corpus import build_corpus
from igakulm.corpus.quality import Verdict
from igakulm.errors import InputError
from igakulm.files import read_documents
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Quality
from small_corpus import write_sources

QUALITY = Quality(enabled=True, endpoint="http://127.0.0.1:9/v1", model="judge", classifier="ngram")


def judge_by(rule: Any) -> Any:
    """A judge that decides by the place of a document, so that the effect of a verdict is seen without a model."""

    def judge(section: Quality, documents: Path, *_: object, logs_dir: Path) -> Verdict:
        count = sum(1 for _ in read_documents(documents))
        keep = np.array([rule(place) for place in range(count)])
        return Verdict(keep.astype(np.float32), keep, 0.5, {"documents": count})

    return judge


def build(corpus: CorpusSection, out: Path) -> dict[str, Any]:
    section = corpus.model_copy(update={"quality": QUALITY, "shard_mebibytes": 1})
    out.mkdir()
    return build_corpus(section, BenchmarksSection(), None, out, SilentProgress())


def test_a_verdict_drops_documents_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_sources(tmp_path / "raw")
    monkeypatch.setattr(quality, "judge_documents", judge_by(lambda place: place % 3 > 0))
    summary = build(corpus, tmp_path / "out")
    plain = tmp_path / "plain"
    plain.mkdir()
    build_corpus(corpus, BenchmarksSection(), None, plain, SilentProgress())
    candidates = list(read_documents(plain / "documents"))
    kept = list(read_documents(tmp_path / "out" / "documents"))
    assert kept == [document for place, document in enumerate(candidates) if place % 3]
    dropped = [row for row in pq.read_table(tmp_path / "out" / "dropped").to_pylist() if row["reason"] == "quality"]
    assert [row["id"] for row in dropped] == [document.id for document in candidates[::3]]
    assert dropped[0]["detail"] == "score 0.000"
    assert summary["dropped"]["quality"] == len(dropped)
    funnel = json.loads((tmp_path / "out" / "funnel.json").read_text("utf-8"))
    assert [step["step"] for step in funnel["sources"][0]["steps"]][-2:] == ["boilerplate", "quality"]
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text("utf-8"))
    assert sum(sum(source["lengths"].values()) for source in statistics.values()) == len(kept)


def test_nothing_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write_sources(tmp_path / "raw")
    monkeypatch.setattr(quality, "judge_documents", judge_by(lambda place: False))
    with pytest.raises(InputError, match=r"(?s)no document is left.*quality: "):
        build(corpus, tmp_path / "out")


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"endpoint": None}, "corpus.quality.endpoint"),
        ({"model": ""}, "corpus.quality.model"),
        ({"gguf": "nothing.gguf"}, "nothing.gguf"),
        ({"classifier": "forest"}, "corpus.quality.embedding_folder"),
        ({"classifier": "forest", "embeddings": "endpoint"}, "corpus.quality.embedding_endpoint"),
        ({"embedding_folder": "nowhere"}, "nowhere"),
        ({"sources": ("wbe",)}, "did you mean 'web'"),
    ],
)
def test_what_is_missing_is_told_before_the_sources_are_read(tmp_path: Path, keys: dict[str, Any], named: str) -> None:
    corpus = write_sources(tmp_path / "raw").model_copy(update={"quality": QUALITY.model_copy(update=keys)})
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError) as caught:
        build_corpus(corpus, BenchmarksSection(), None, tmp_path / "out", SilentProgress())
    assert named in str(caught.value) and "hint" in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []
