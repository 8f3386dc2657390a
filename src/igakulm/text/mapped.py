"""Code points of a text while it is being changed, with the places that they come from in the text as it was.

Does: delete and replace characters and keep the places in step. Does not: know any rule of the cleaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igakulm.text.characters import Codes

Positions = NDArray[np.intp]


def codes_of(text: str) -> Codes:
    """The code points of a text as an array.

    >>> codes_of("咳").tolist()
    [21683]
    """
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def text_of(codes: Codes) -> str:
    """The text of an array of code points.

    >>> text_of(codes_of("咳"))
    '咳'
    """
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


@dataclass(slots=True)
class MappedCodes:
    """An array of code points that rules change one after the other.

    `origin` is None where nobody asks for places: keeping them costs about as much as all rules together. Else (2, n)
    int32: character i comes from original[origin[0, i] : origin[1, i]]; both rows never fall.
    """

    codes: Codes
    origin: NDArray[np.int32] | None = None

    @classmethod
    def of(cls, text: str, *, mapped: bool = False) -> MappedCodes:
        """A text, each character from its own place."""
        codes = codes_of(text)
        starts = np.arange(codes.size, dtype=np.int32)
        return cls(codes, np.stack((starts, starts + 1)) if mapped else None)

    def drop(self, positions: Positions, *, merged: bool = False) -> None:
        """Delete characters. `merged`: the character before each stands for them too from now on (... to …).

        >>> text = MappedCodes.of("すごーーい", mapped=True)
        >>> text.drop(np.array([3]), merged=True)
        >>> text_of(text.codes), text.origin.tolist()
        ('すごーい', [[0, 1, 2, 4], [1, 2, 4, 5]])
        """
        if not positions.size:
            return
        size = self.codes.size
        self.codes = np.delete(self.codes, positions)
        if self.origin is None:
            return
        kept = np.delete(np.arange(size), positions)
        last = np.append(kept[1:], size) - 1 if merged else kept
        self.origin = np.stack((self.origin[0, kept], self.origin[1, last]))

    def replace(self, text: str, starts: Sequence[int], ends: Sequence[int], pieces: Sequence[str]) -> str:
        """Write pieces[k] in place of text[starts[k]:ends[k]] and return the new text.

        The spans ascend, and `text` holds the same characters.

        >>> text = MappedCodes.of("5㎎錠", mapped=True)
        >>> text.replace("5㎎錠", [1], [2], ["mg"]), text.origin.tolist()
        ('5mg錠', [[0, 1, 1, 2], [1, 2, 2, 3]])
        """
        parts: list[str] = []
        done = 0
        for start, end, piece in zip(starts, ends, pieces, strict=True):
            parts += (text[done:start], piece)
            done = end
        parts.append(text[done:])
        if self.origin is not None:
            self.origin = self._origin_after(np.asarray(starts), np.asarray(ends), np.array([*map(len, pieces)]))
        written = "".join(parts)
        self.codes = codes_of(written)
        return written

    def _origin_after(self, starts: Positions, ends: Positions, lengths: Positions) -> NDArray[np.int32]:
        assert self.origin is not None
        origin = self.origin.copy()
        origin[1, starts] = origin[1, ends - 1]
        inside = np.zeros(self.codes.size + 1, np.intp)
        np.add.at(inside, starts, 1)
        np.add.at(inside, ends, -1)
        counts = np.where(np.cumsum(inside) > 0, 0, 1)[: self.codes.size]
        counts[starts] = lengths
        return np.repeat(origin, counts, axis=1)
