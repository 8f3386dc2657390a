"""Our signatures in the files of datatrove's MinHash stages, and back.

Does: write signature files that datatrove's `MinhashDedupBuckets` reads, with any number of tasks for a bucket; take
the candidates from its .dups files; write the decision as .dups files from which `MinhashDedupCluster` makes the
.remove files of its filter. Does not: need datatrove, or start it.

    write_signature_files(folder, out, config)    then MinhashDedupBuckets(out, dups, config=datatrove's)
    survivors = decide_from_dups(folder, dups, config)
    write_decision(survivors, folder, decided, config)   then MinhashDedupCluster(decided, removed, config=datatrove's)

datatrove's own clustering alone cannot give the same survivors: it joins every two documents that share a bucket
without comparing their signatures, so that chains of slightly similar documents go, and it keeps the document that
happens to be the root of its union by size, not the earliest. Therefore the decision lies between its two stages.
datatrove's configuration must be `MinhashConfig(n_grams=config.ngram, num_buckets=config.bands,
hashes_per_bucket=config.rows, hash_config=HashConfig(precision=32))`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.dedup import Numbers, Survivors, bucket_pairs, comparable, confirmed, find_stars
from igakulm.corpus.dedup_shards import load, load_starts
from igakulm.files import atomic_path
from igakulm.recipe.schema import NearDuplicates


def write_signature_files(folder: Path, out: Path, config: NearDuplicates) -> None:
    """Write bucket_BBB/SSSSS.minhash.sig of every band and shard that `dedup_shards.gather` joined.

    A record is `rows` little-endian uint32 values and the document's number in its shard; records are sorted.
    """
    signatures, exact = load(folder)
    starts = load_starts(folder)
    alive = comparable(exact, signatures)
    record = np.dtype([*((f"value{row}", "<u4") for row in range(config.rows)), ("document", "<u4")])
    for shard in range(starts.size - 1):
        inside = alive[(alive >= starts[shard]) & (alive < starts[shard + 1])]
        for band in range(config.bands):
            records = np.empty(inside.size, record)
            for row in range(config.rows):
                records[f"value{row}"] = signatures[inside, band * config.rows + row]
            records["document"] = inside - starts[shard]
            records.sort(order=record.names)
            _write(out / f"bucket_{band:03d}" / f"{shard:05d}.minhash.sig", records.tobytes())


def decide_from_dups(folder: Path, dups: Path, config: NearDuplicates) -> Survivors:
    """The survivors, from the candidates of datatrove's bucket stage."""
    signatures, exact = load(folder)
    starts = load_starts(folder)
    pairs = [confirmed(signatures, *_candidates(path, starts), config) for path in sorted(dups.glob("*.dups"))]
    first, second = (np.concatenate([np.zeros(0, np.int64), *(pair[side] for pair in pairs)]) for side in (0, 1))
    return Survivors(exact, find_stars(signatures, first, second, config))


def _candidates(path: Path, starts: Numbers) -> tuple[Numbers, Numbers]:
    """Each document of a bucket with the one before it (as the file has them) and with the bucket's first."""
    rows = np.frombuffer(path.read_bytes(), "<u4").reshape(-1, 4).astype(np.int64)
    if not rows.size:
        return rows[:, 0], rows[:, 0]
    first, second = starts[rows[:, 0]] + rows[:, 1], starts[rows[:, 2]] + rows[:, 3]
    goes_on = first[1:] == second[:-1]  # a bucket is a chain: its next pair starts where the last ended
    heads = np.flatnonzero(np.concatenate(([True], ~goes_on)))
    places = np.arange(first.size) + np.cumsum(np.concatenate(([True], ~goes_on)))  # each chain has one more document
    order = np.empty(int(places[-1]) + 1, np.int64)
    order[places] = second
    order[places[heads] - 1] = first[heads]
    equal = np.zeros(order.size - 1, bool)
    equal[places - 1] = True
    return bucket_pairs(order, equal)


def write_decision(survivors: Survivors, folder: Path, out: Path, config: NearDuplicates) -> None:
    """Write every dropped document, exact and near, paired with the one that stays, as .dups files of all buckets."""
    starts = load_starts(folder)
    own = np.arange(survivors.exact.size)
    stays = np.where(survivors.exact != own, survivors.near[survivors.exact], survivors.near)
    gone = np.flatnonzero(stays != own)
    rows = np.concatenate((_places(stays[gone], starts), _places(gone, starts)), axis=1)
    for band in range(config.bands):  # datatrove wants a file for each bucket
        _write(out / f"{band:05d}_00.dups", rows.astype("<u4").tobytes() if band == 0 else b"")


def _places(documents: Numbers, starts: Numbers) -> NDArray[np.int64]:
    """Shard and number in the shard of each document, shape (documents, 2)."""
    shards = np.searchsorted(starts, documents, side="right") - 1
    return np.stack((shards, documents - starts[shards]), axis=1)


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
