"""Results of slow work on texts, kept in files as they come, so that a broken run goes on where it stopped.

Does: cut a stream of texts into parts, compute what no file holds yet. A file's name is the hash of everything that
shapes it: the key of the model and the part's texts.
Does not: compute, or delete files that are no longer wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from igakulm.files import atomic_path

PART_DOCUMENTS = 128


def in_parts(
    texts: Iterable[tuple[int, str]],
    compute: Callable[[list[str]], npt.NDArray[np.generic]],
    key: str,
    folder: Path,
    size: int = PART_DOCUMENTS,
) -> Iterator[tuple[list[int], npt.NDArray[np.generic]]]:
    """Yield (places, rows) of each part in order; `compute` gives one row for each text."""
    waiting = iter(texts)
    while part := list(islice(waiting, size)):
        digest = hashlib.sha256(key.encode())
        for _, text in part:
            encoded = text.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        path = folder / f"{digest.hexdigest()}.npy"
        if not path.is_file():
            rows = compute([text for _, text in part])
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, rows, allow_pickle=False)
        yield [place for place, _ in part], np.load(path, allow_pickle=False)
