"""The decision of `dedup.find_duplicates` from files, for corpora whose shards and bands many machines work on.

Does: four steps, each a function of files to files, that any executor can run; the survivors are those that
`find_duplicates` gives for the same documents in the order of the shards. Does not: read text, or start processes.

    write_shard(folder, shard, digests, signatures)   one task for each shard of documents
    gather(folder)                                    one task: joins the shards, decides exact duplicates
    pair_band(folder, band, config)                   one task for each of `config.bands`
    decide(folder, config)                            one task

A band's task holds 8 bytes a document and the pairs it finds; signatures stay on the disk and are mapped.
`dedup_datatrove.py` lets datatrove find the candidates in place of `pair_band`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.dedup import Numbers, Signatures, Survivors, band_pairs, comparable, find_exact, find_stars
from igakulm.errors import InputError
from igakulm.files import atomic_path
from igakulm.recipe.schema import NearDuplicates

_SHARDS, _STARTS = "shards", "starts.npy"
_DIGESTS, _SIGNATURES, _EXACT = "digests.npy", "signatures.npy", "exact.npy"


def write_shard(folder: Path, shard: int, digests: Sequence[bytes], signatures: Signatures) -> None:
    """Keep what `digests_of` and `signatures_of` gave for the documents of one shard, in their order."""
    if len(digests) != len(signatures):
        raise ValueError(f"{len(digests)} digests and {len(signatures)} signatures")
    data = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)
    _save(folder / _SHARDS / f"{shard:06d}.{_DIGESTS}", data)
    _save(folder / _SHARDS / f"{shard:06d}.{_SIGNATURES}", signatures)


def gather(folder: Path) -> int:
    """Join the shards in the order of their numbers and decide exact duplicates; return the number of documents.

    Raises:
        InputError: a shard is missing between 0 and the last.
    """
    files = sorted((folder / _SHARDS).glob(f"*.{_SIGNATURES}"))
    for number, path in enumerate(files):
        if path.name != f"{number:06d}.{_SIGNATURES}":
            raise InputError(f"the signatures of shard {number} are missing", where=str(folder / _SHARDS))
    if not files:
        raise InputError("there are no signatures", where=str(folder / _SHARDS))
    sizes = [len(np.load(path, mmap_mode="r")) for path in files]
    _save(folder / _STARTS, np.cumsum([0, *sizes]))
    _join(folder / _SIGNATURES, files, sum(sizes))
    _join(folder / _DIGESTS, [path.with_name(path.name.replace(_SIGNATURES, _DIGESTS)) for path in files], sum(sizes))
    _save(folder / _EXACT, find_exact(np.load(folder / _DIGESTS)))
    return sum(sizes)


def pair_band(folder: Path, band: int, config: NearDuplicates) -> int:
    """Find the confirmed pairs of one band; return how many."""
    signatures, exact = load(folder)
    pairs = band_pairs(signatures, comparable(exact, signatures), band, config)
    _save(folder / f"band-{band:03d}.npy", np.stack(pairs))
    return pairs[0].size


def decide(folder: Path, config: NearDuplicates) -> Survivors:
    """Join what the bands found.

    Raises:
        InputError: a band's file is missing.
    """
    signatures, exact = load(folder)
    pairs = [_load(folder / f"band-{band:03d}.npy") for band in range(config.bands)]
    first, second = np.concatenate(pairs, axis=1)
    return Survivors(exact, find_stars(signatures, first, second, config))


def load(folder: Path) -> tuple[Signatures, Numbers]:
    """The joined signatures, mapped, and the exact duplicates.

    Raises:
        InputError: `gather` has not been run.
    """
    return _load(folder / _SIGNATURES, mapped=True), _load(folder / _EXACT)


def load_starts(folder: Path) -> Numbers:
    """The number of the first document of each shard, and the number of documents."""
    starts: Numbers = _load(folder / _STARTS)
    return starts


def _load(path: Path, *, mapped: bool = False) -> Any:
    if not path.exists():
        raise InputError(f"{path.name} is missing", where=str(path.parent), hint="run the step that writes it")
    return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)


def _save(path: Path, values: NDArray[Any]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def _join(path: Path, files: Sequence[Path], rows: int) -> None:
    """One file of all rows, through memory of one shard."""
    sample = np.load(files[0], mmap_mode="r")
    with atomic_path(path) as temporary:
        joined = np.lib.format.open_memmap(temporary, "w+", sample.dtype, (rows, *sample.shape[1:])) if rows else None
        if joined is None:
            with temporary.open("wb") as file:
                np.save(file, sample)
            return
        start = 0
        for file_of_shard in files:
            values = np.load(file_of_shard)
            joined[start : start + len(values)] = values
            start += len(values)
        joined.flush()
