"""Near-duplicates among the kept texts: MinHash signatures and an index of their bands.

Does: remember texts as signatures (256 bytes a text) and the bands as two sorted arrays (12 bytes a band), which is
what a hundred thousand texts need to fit. Does not: keep text, or take anything back: the earlier of two texts stays.

MinHash (Broder 1997) of character 5-grams of letters and digits; a candidate shares one of 16 bands of 8 values and
counts if 3 in 5 of all values agree. Of the pairs at Jaccard .8, which are texts with 2 % of the characters edited,
nineteen in twenty are found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igakulm.text.ngrams import BASE, Hashes, ngram_hashes, spread

NGRAM = 5
BANDS, ROWS = 16, 8
AGREEMENT = 0.6
SEED = 42
RECENT = 2**16
"""Bands that stand in a dictionary before they are merged into the sorted arrays."""
_PLACES = np.uint64(BASE) * np.arange(1, BANDS + 1, dtype=np.uint64)


class NearDuplicates:
    """Signatures of the texts so far; `recent` as for the index of bands."""

    def __init__(self, recent: int = RECENT) -> None:
        self._signatures = np.zeros((1024, BANDS * ROWS), np.uint16)
        self._size = 0
        self._bands = BandIndex(recent)

    def add(self, letters: str) -> bool:
        """Remember a text (letters and digits only) unless it is near an earlier one; whether it is new."""
        return self.add_grams(first_grams(letters))

    def add_grams(self, grams: Hashes) -> bool:
        """As `add`, with the text's n-grams (`first_grams`)."""
        signature = minhash(grams)
        keys = _band_keys(signature)
        owners = self._bands.owners(keys)
        candidates = np.unique(owners[owners >= 0])
        if candidates.size:
            agreement = (self._signatures[candidates] == signature).mean(axis=1)
            if agreement.max() >= AGREEMENT:
                return False
        if self._size == len(self._signatures):
            more = np.zeros((len(self._signatures) // 2, BANDS * ROWS), np.uint16)
            self._signatures = np.concatenate((self._signatures, more))
        self._signatures[self._size] = signature
        self._bands.add(keys[owners < 0], self._size)
        self._size += 1
        return True


class BandIndex:
    """The first text of each band: sorted arrays, and a dictionary of what came since they were merged."""

    def __init__(self, recent: int = RECENT) -> None:
        self._keys = np.zeros(0, np.uint64)
        self._texts = np.zeros(0, np.int32)
        self._recent: dict[int, int] = {}
        self._most = recent

    def owners(self, keys: Hashes) -> NDArray[np.int64]:
        """The text of each band, -1 where it is new."""
        found = np.array([self._recent.get(key, -1) for key in keys.tolist()], np.int64)
        if self._keys.size:
            places = np.minimum(np.searchsorted(self._keys, keys), self._keys.size - 1)
            known = self._keys[places] == keys
            found[known] = self._texts[places[known]]
        return found

    def add(self, keys: Hashes, text: int) -> None:
        """The text is the first that has these bands."""
        self._recent.update(dict.fromkeys(keys.tolist(), text))
        if len(self._recent) >= self._most:
            self._merge()

    def _merge(self) -> None:
        keys = np.fromiter(self._recent.keys(), np.uint64, len(self._recent))
        texts = np.fromiter(self._recent.values(), np.int32, len(self._recent))
        self._recent.clear()
        order = np.argsort(keys)
        places = np.searchsorted(self._keys, keys[order])
        self._keys = np.insert(self._keys, places, keys[order])
        self._texts = np.insert(self._texts, places, texts[order])


def first_grams(letters: str) -> Hashes:
    """The n-grams that a signature is made of: of a text shorter than one, the whole text."""
    return ngram_hashes(letters, gram_length(letters))


def gram_length(letters: str) -> int:
    """The length of the n-grams that a signature is made of."""
    return min(NGRAM, max(len(letters), 1))


def minhash(grams: Hashes) -> NDArray[np.uint16]:
    """Signature of BANDS * ROWS values, of which the low 16 bits are kept."""
    import rensa

    offsets = np.array([0, grams.size], np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(grams, offsets, BANDS * ROWS, SEED)
    return (np.array(matrix.to_rows()[0], np.uint32) & np.uint32(0xFFFF)).astype(np.uint16)


def _band_keys(signature: NDArray[np.uint16]) -> Hashes:
    """One number for each band: its own place and its values, 128 bits folded to 60."""
    halves = signature.reshape(BANDS, ROWS).view(np.uint64)
    mixed = spread(halves[:, 0] + _PLACES)
    return spread(mixed ^ halves[:, 1]) >> np.uint64(4)
