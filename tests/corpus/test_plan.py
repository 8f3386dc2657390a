from __future__ import annotations

import os
from pathlib import Path

import pytest

from igakulm.corpus.plan import load_plan, make_plan, save_plan
from igakulm.corpus.read import read_source
from igakulm.errors import InputError
from igakulm.files import Doc, write_documents
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Source
from small_corpus import write_sources


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusSection:
    return write_sources(tmp_path / "raw")


@pytest.mark.parametrize("part_bytes", [1, 700, 5_000, 20_000, 10**9])
def test_parts_hold_every_row_once_and_in_order(corpus: CorpusSection, part_bytes: int) -> None:
    plan = make_plan(corpus, BenchmarksSection(), None, part_bytes)
    for number, source in enumerate(corpus.sources):
        found = []
        for part in plan.parts:
            for file in part.files if part.source == number else ():
                one = source.model_copy(update={"path": file})
                found += list(read_source(one, span=part.span, before=part.before))
        texts = [(row.text, row.error) for row in read_source(source)]
        assert [(row.text, row.error) for row in found] == texts


def test_large_files_are_cut_and_small_ones_stand_together(corpus: CorpusSection, tmp_path: Path) -> None:
    sizes = [path.stat().st_size for path in sorted((tmp_path / "raw").glob("web*.jsonl"))]
    together = make_plan(corpus, BenchmarksSection(), None, 2 * max(sizes) + 1)
    assert [len(part.files) for part in together.parts if part.source == 0] == [2, 2, 2]
    assert all(part.span is None for part in together.parts)
    cut = make_plan(corpus, BenchmarksSection(), None, sizes[0] // 3)
    spans = [part.span for part in cut.parts if part.files[0].endswith("web0.jsonl")]
    assert len(spans) == 3 and spans[0] is not None and spans[0][0] == 0
    assert sum(part.bytes for part in cut.parts if part.source == 0) == sum(sizes)
    groups = [part.span for part in make_plan(corpus, BenchmarksSection(), None, 1).parts if part.source == 1]
    assert groups == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_a_compressed_file_and_a_limited_source_are_one_part(tmp_path: Path) -> None:
    import zstandard

    folder = tmp_path / "raw"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.jsonl.zst").write_bytes(zstandard.compress(b'{"text": "a"}\n' * 5))
        (folder / f"{name}.jsonl").write_bytes(b'{"text": "a"}\n' * 5)
    packed = Source(name="packed", path=str(folder / "*.zst"), licence="CC0")
    limited = Source(name="limited", path=str(folder / "*.jsonl"), licence="CC0", max_documents=7)
    parts = make_plan(CorpusSection(sources=(packed, limited)), BenchmarksSection(), None, 10).parts
    assert [(part.source, len(part.files), part.span) for part in parts] == [(0, 1, None), (0, 1, None), (1, 2, None)]


def test_the_key_covers_what_changes_a_part(corpus: CorpusSection, tmp_path: Path) -> None:
    tests = BenchmarksSection()
    key = make_plan(corpus, tests, None, 1000).key
    same = corpus.model_copy(update={"workers": 7, "executor": "ray", "shard_mebibytes": 1})
    assert make_plan(same, tests, None, 1000).key == key
    other = corpus.model_copy(update={"filters": corpus.filters.model_copy(update={"min_characters": 3})})
    assert make_plan(other, tests, None, 1000).key != key
    path = tmp_path / "raw" / "web0.jsonl"
    os.utime(path, ns=(1, 1))
    assert make_plan(corpus, tests, None, 1000).key != key


def test_a_saved_plan_is_the_same(corpus: CorpusSection, tmp_path: Path) -> None:
    write_documents(tmp_path / "synth", [Doc("1", "本文", "synthetic", "CC0")])
    plan = make_plan(corpus, BenchmarksSection(), tmp_path / "synth", 1000)
    assert plan.parts[-1].source is None
    save_plan(tmp_path / "plan", plan)
    assert load_plan(tmp_path / "plan") == plan
    with pytest.raises(InputError, match="no such file"):
        load_plan(tmp_path / "nowhere")
