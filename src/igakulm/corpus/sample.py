"""Which documents the labelling model sees: a seeded sample of those that are judged.

Does: read the names of documents in order, choose. Does not: read texts into memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


def choose_documents(folder: Path, sources: Collection[str], count: int, seed: int) -> tuple[int, Places, Places]:
    """The number of documents, the places of those that are judged, and the sorted places of `count` sampled ones.

    Places count from 0 in the order of `files.read_documents`; no `sources` means all. A document's lot is drawn from
    the seed, its source and its id alone: more documents with the same seed are a superset, so that labels already paid
    for stay useful, and equal lots go to the earlier document.
    """
    lots: list[int] = []
    judged: list[int] = []
    place = -1
    for place, (identifier, source) in enumerate(_names(folder)):
        if not sources or source in sources:
            text = f"{seed}\x1f{source}\x1f{identifier}".encode("utf-8", "surrogatepass")
            lots.append(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big"))
            judged.append(place)
    places = np.array(judged, np.int64)
    order = np.argsort(np.array(lots, np.uint64), kind="stable")
    return place + 1, places, np.sort(places[order[:count]])


def _names(folder: Path) -> Iterator[tuple[str, str]]:
    """The (id, source) of every document, in order."""
    import pyarrow.parquet as pq

    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["id", "source"]):
                yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
