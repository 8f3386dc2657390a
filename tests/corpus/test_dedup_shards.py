from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from igakulm.corpus.dedup import Survivors, digests_of, find_duplicates, signatures_of
from igakulm.corpus.dedup_datatrove import decide_from_dups, write_decision, write_signature_files
from igakulm.corpus.dedup_shards import decide, gather, pair_band, write_shard
from igakulm.errors import InputError
from igakulm.recipe.schema import NearDuplicates
from igakulm.text.ngrams import letters_of
from planted_duplicates import plant, prose, words

CONFIG = NearDuplicates(bands=10, rows=4)  # loose, so that buckets hold what is no duplicate


@pytest.fixture(scope="module")
def texts() -> list[str]:
    chooser, vocabulary = random.Random(1), words(0, 2000)
    originals = [prose(chooser, vocabulary, chooser.randrange(60, 300)) for _ in range(80)]
    found = [*plant(originals, 30, seed=2).texts, "", "短い", ""]
    random.Random(3).shuffle(found)
    return found


@pytest.fixture(scope="module")
def expected(texts: list[str]) -> Survivors:
    letters = letters_of(texts)
    return find_duplicates(digests_of(letters), signatures_of(letters, CONFIG), CONFIG)


def gathered(folder: Path, texts: list[str], shards: int) -> None:
    for shard in range(shards):
        letters = letters_of(texts[shard * len(texts) // shards : (shard + 1) * len(texts) // shards])
        write_shard(folder, shard, digests_of(letters), signatures_of(letters, CONFIG))
    assert gather(folder) == len(texts)


def same(one: Survivors, other: Survivors) -> bool:
    return np.array_equal(one.exact, other.exact) and np.array_equal(one.near, other.near)


@pytest.mark.parametrize("shards", [1, 3, 17])
def test_the_same_survivors_from_any_shards(shards: int, texts: list[str], expected: Survivors, tmp_path: Path) -> None:
    gathered(tmp_path, texts, shards)
    for band in reversed(range(CONFIG.bands)):
        pair_band(tmp_path, band, CONFIG)
    assert same(decide(tmp_path, CONFIG), expected)
    assert (expected.near != np.arange(len(texts))).sum() > 100


def test_shards_without_documents_and_no_documents(texts: list[str], expected: Survivors, tmp_path: Path) -> None:
    none = np.zeros((0, CONFIG.bands * CONFIG.rows), np.uint16)
    letters = letters_of(texts)
    write_shard(tmp_path, 0, [], none)
    write_shard(tmp_path, 1, digests_of(letters), signatures_of(letters, CONFIG))
    write_shard(tmp_path, 2, [], none)
    gather(tmp_path)
    assert [pair_band(tmp_path, band, CONFIG) > 0 for band in range(CONFIG.bands)] == [True] * CONFIG.bands
    assert same(decide(tmp_path, CONFIG), expected)
    write_shard(tmp_path / "none", 0, [], none)
    assert gather(tmp_path / "none") == 0
    assert [pair_band(tmp_path / "none", band, CONFIG) for band in range(CONFIG.bands)] == [0] * CONFIG.bands
    assert decide(tmp_path / "none", CONFIG).near.size == 0


def test_a_missing_shard_or_band_is_named(texts: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no signatures"):
        gather(tmp_path)
    gathered(tmp_path, texts[:20], 3)
    with pytest.raises(InputError, match=r"band-000\.npy is missing"):
        decide(tmp_path, CONFIG)
    (tmp_path / "shards" / "000001.signatures.npy").unlink()
    with pytest.raises(InputError, match="shard 1 are missing"):
        gather(tmp_path)
    with pytest.raises(ValueError, match="1 digests and 0 signatures"):
        write_shard(tmp_path, 5, [b"0" * 16], np.zeros((0, 40), np.uint16))


@pytest.mark.parametrize("tasks", [1, 2])
def test_datatrove_finds_the_same_candidates_and_survivors(
    tasks: int, texts: list[str], expected: Survivors, tmp_path: Path
) -> None:
    """With two tasks for a bucket too; its cluster stage keeps the documents that ours keeps."""
    minhash = pytest.importorskip("datatrove.pipeline.dedup.minhash")
    hashing = pytest.importorskip("datatrove.utils.hashing")
    gathered(tmp_path, texts, 3)
    theirs = minhash.MinhashConfig(
        n_grams=CONFIG.ngram,
        num_buckets=CONFIG.bands,
        hashes_per_bucket=CONFIG.rows,
        hash_config=hashing.HashConfig(precision=32),
    )
    write_signature_files(tmp_path, tmp_path / "signatures", CONFIG)
    for rank in range(CONFIG.bands * tasks):
        step = minhash.MinhashDedupBuckets(str(tmp_path / "signatures"), str(tmp_path / "dups"), config=theirs)
        step.run(None, rank, CONFIG.bands * tasks)
    found = decide_from_dups(tmp_path, tmp_path / "dups", CONFIG)
    assert same(found, expected)
    write_decision(found, tmp_path, tmp_path / "decided", CONFIG)
    minhash.MinhashDedupCluster(str(tmp_path / "decided"), str(tmp_path / "removed"), config=theirs).run()
    starts = [shard * len(texts) // 3 for shard in range(3)]
    removed = [
        start + int(number)
        for shard, start in enumerate(starts)
        for number in np.fromfile(tmp_path / "removed" / f"{shard:06d}.remove", "<u4")
    ]
    own = np.arange(len(texts))
    assert removed == np.flatnonzero((expected.exact != own) | (expected.near != own)).tolist()
