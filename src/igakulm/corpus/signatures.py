"""MinHash signatures of the documents of finished parts, which stay in the files of the parts.

Does: read the keys of one band of all documents, and the signatures of some. Does not: compare them (dedup.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.dedup import Numbers, Signatures
from igakulm.text.ngrams import Hashes

Scalar = TypeVar("Scalar", bound=np.generic)


class PartSignatures:
    """What the parts left behind: files with the arrays `signatures`, `long_enough` and `keys_NN`, one a band.

    Args:
        files: the files of the parts, in order.
        starts: the number of the first document of each part, with the total behind.
        width: values of a signature.
    """

    def __init__(self, files: Sequence[Path], starts: NDArray[np.int64], width: int) -> None:
        self._files, self._starts, self._width = list(files), starts, width

    def __len__(self) -> int:
        return int(self._starts[-1])

    def long_enough(self) -> NDArray[np.bool_]:
        """Whether each document has an n-gram."""
        return self._fill(np.zeros(len(self), bool), "long_enough")

    def keys(self, band: int) -> Hashes:
        """The key of one band of each document."""
        return self._fill(np.zeros(len(self), np.uint64), keys_name(band))

    def take(self, documents: Numbers) -> Signatures:
        """The signatures of some documents in ascending order; memory holds those and one part."""
        found = np.empty((documents.size, self._width), np.uint16)
        cuts = np.searchsorted(documents, self._starts)
        for part, file in enumerate(self._files):
            own = slice(int(cuts[part]), int(cuts[part + 1]))
            if own.start < own.stop:
                found[own] = _array(file, "signatures")[documents[own] - self._starts[part]]
        return found

    def _fill(self, column: NDArray[Scalar], name: str) -> NDArray[Scalar]:
        for part, file in enumerate(self._files):
            own = slice(int(self._starts[part]), int(self._starts[part + 1]))
            if own.start < own.stop:
                column[own] = _array(file, name)
        return column


def keys_name(band: int) -> str:
    """The array of a part's file that holds the keys of a band."""
    return f"keys_{band:02d}"


def _array(file: Path, name: str) -> NDArray[Any]:
    """One array of a .npz file; the others are not read."""
    with np.load(file, allow_pickle=False) as stored:
        array: NDArray[Any] = stored[name]
        return array
