"""How much of a document repeats itself: characters, lines, sentences and phrases (section 2.1).

Does: measure and judge. Does not: compare documents with each other (dedup.py, repeated.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.filters.filter import Document, Filter, Finding
from igakulm.recipe.schema import Filters
from igakulm.text.characters import Codes

NGRAM = 10
"""Characters of the n-grams whose repeats are counted."""

_SAMPLED = 16
_MIN_REPEATED = 60  # characters
_MANY_SPACES = 10


def repeated_ngram_shares(codes: Codes, offsets: NDArray[np.int64], least: float) -> NDArray[np.float64]:
    """Share of each document's n-grams that occurred before in it, 0 where it is far below `least`.

    Prose is at 0 to 0.2, monographs and examinations at 0.4, laws up to 0.75, one sentence written ten times at 0.9.
    One n-gram in 16, chosen by its hash, shows which documents may reach `least`; only those are counted in full.

    Args:
        codes: code points of the documents; whatever stands between two of them counts to the one before.
        offsets: where each document starts, and the end of the last.
        least: the share of interest.
    """
    sizes = np.diff(offsets)
    shares = np.zeros(sizes.size, np.float64)
    if codes.size < NGRAM:
        return shares
    hashes = _window_hashes(codes)
    sample = np.flatnonzero(hashes < np.uint32((1 << 32) // _SAMPLED))
    owners = np.searchsorted(offsets, sample, side="right") - 1
    inside = sample + NGRAM <= offsets[owners + 1]
    sample, owners = sample[inside], owners[inside]
    keys = np.sort((owners.astype(np.uint64) << np.uint64(32)) | hashes[sample])
    again = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    repeats = np.bincount(again.astype(np.int64), minlength=sizes.size)
    sampled = np.bincount(owners, minlength=sizes.size)
    # Few of the sample: its n-grams are not many different ones, and none of those was chosen.
    suspect = (repeats >= 0.5 * least * sampled) | (3 * _SAMPLED * sampled < sizes - NGRAM)
    for document in np.flatnonzero(suspect & (sizes > NGRAM)).tolist():
        windows = hashes[offsets[document] : offsets[document + 1] - NGRAM]
        shares[document] = 1 - len(set(windows.tolist())) / windows.size
    return shares


def _window_hashes(codes: Codes) -> Codes:
    """Hashes of all windows of `NGRAM` characters; 32 bits are enough for a share within one document."""
    two = codes[:-1] * _power(1) + codes[1:]
    four = two[:-2] * _power(2) + two[2:]
    five = four[:-1] * _power(1) + codes[4:]
    return five[:-5] * _power(5) + five[5:]


def _power(exponent: int) -> np.uint32:
    return np.uint32(pow(0x9E3779B1, exponent, 1 << 32))


def judge(document: Document, filters: Filters) -> Finding | None:
    """Reason code and detail if lines, sentences, phrases or characters are repeated too much."""
    assert document.measured is not None
    text, ngram_share = document.text, document.measured.repeated_ngrams
    if _repeated(text.replace("。\n", "\n").replace("。", "\n").split("\n")):
        for name, pieces, most in (
            ("lines", text.split("\n"), filters.max_duplicate_line_share),
            ("sentences", text.replace("。", "\n").split("\n"), filters.max_duplicate_sentence_share),
        ):
            repeated = _repeated(pieces)
            if repeated > most * len(text) and repeated >= _MIN_REPEATED:
                return "repetition", f"repeated {name} {repeated / len(text):.2f}"
    repeated = _repeated(text.split(" ")) if text.count(" ") >= _MANY_SPACES else 0
    if repeated > 2 * filters.max_duplicate_sentence_share * len(text) and repeated >= _MIN_REPEATED:
        return "repetition", f"repeated phrases {repeated / len(text):.2f}"
    if ngram_share > filters.max_duplicate_ngram_share and ngram_share * len(text) >= _MIN_REPEATED:
        return "repetition", f"repeated characters {ngram_share:.2f}"
    return None


def _repeated(pieces: list[str]) -> int:
    """Characters in pieces that occurred before."""
    if len(set(pieces)) == len(pieces):
        return 0
    seen: set[str] = set()
    repeated = 0
    for piece in pieces:
        if piece in seen:
            repeated += len(piece)
        else:
            seen.add(piece)
    return repeated


FILTER = Filter(
    reasons=("repetition",),
    keys=("max_duplicate_line_share", "max_duplicate_sentence_share", "max_duplicate_ngram_share"),
    judge=judge,
    order=40,
    needs_measures=True,
)
