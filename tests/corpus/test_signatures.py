"""Signatures that stay in the files of parts give the same survivors as signatures in memory."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from igakulm.corpus import dedup
from igakulm.corpus.dedup import Held, Signatures, band_keys, find_duplicates, has_ngrams, near_pairs
from igakulm.corpus.shards import save_arrays
from igakulm.corpus.signatures import PartSignatures, keys_name
from igakulm.recipe.schema import NearDuplicates

NEAR = NearDuplicates()
WIDTH = NEAR.bands * NEAR.rows


def planted(seed: int, count: int) -> Signatures:
    """Chains and clusters of documents that share some of their signatures, and some without an n-gram."""
    source = np.random.default_rng(seed)
    signatures = source.integers(1, 1 << 16, (count, WIDTH), np.uint16)
    for _ in range(8):
        copied, onto = source.integers(0, count, count // 8), source.integers(0, count, count // 8)
        rows = signatures[copied]
        rows[source.random(rows.shape) < 0.5 * source.random((len(rows), 1))] += 1
        signatures[onto] = rows
    signatures[source.integers(0, count, count // 50)] = 0
    return signatures


def written(folder: Path, signatures: Signatures, sizes: list[int]) -> PartSignatures:
    starts = np.cumsum([0, *sizes]).astype(np.int64)
    files = []
    for number, (start, end) in enumerate(itertools.pairwise(starts)):
        own = signatures[start:end]
        arrays = {"signatures": own, "long_enough": has_ngrams(own)}
        files.append(folder / f"{number}.npz")
        save_arrays(files[-1], arrays | {keys_name(band): keys for band, keys in enumerate(band_keys(own, NEAR))})
    return PartSignatures(files, starts, WIDTH)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_survivors_whatever_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    signatures = planted(seed, 1200)
    source = np.random.default_rng(seed)
    digests = [int(number).to_bytes(16, "big") for number in source.integers(0, 4000, 1200)]
    expected = find_duplicates(digests, signatures, NEAR)
    assert 100 < (expected.near != np.arange(1200)).sum() < 900
    monkeypatch.setattr(dedup, "_FETCHED", 37)  # several fetches of a band
    for name, sizes in (("a", [1200]), ("b", [0, 1, 699, 0, 500, 0]), ("c", [100] * 12)):
        (tmp_path / name).mkdir()
        found = find_duplicates(digests, written(tmp_path / name, signatures, sizes), NEAR)
        assert np.array_equal(found.near, expected.near) and np.array_equal(found.exact, expected.exact)


def test_pairs_are_those_of_a_slow_search() -> None:
    """Every document with the first of its bucket and with the one before it there, if they agree; no other pair."""
    signatures = planted(9, 300)
    wanted = set()
    for band in range(NEAR.bands):
        buckets: dict[bytes, list[int]] = {}
        for number, row in enumerate(signatures):
            if row.any():
                members = buckets.setdefault(row[band * NEAR.rows : (band + 1) * NEAR.rows].tobytes(), [])
                wanted |= {(earlier, number) for earlier in (members[0], members[-1])} if members else set()
                members.append(number)
    needed = dedup.agreement_needed(NEAR)
    near = {pair for pair in wanted if (signatures[pair[0]] == signatures[pair[1]]).mean() >= needed}
    alive = np.flatnonzero(has_ngrams(signatures)).astype(np.int64)
    first, second = near_pairs(Held(signatures, NEAR), alive, NEAR)
    found = list(zip(first.tolist(), second.tolist(), strict=True))
    assert len(found) == len(set(found)) and set(found) == near
