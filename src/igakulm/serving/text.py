"""Tokens to text while they arrive: whole characters only, and nothing of a stop text.

Does: decode UTF-8 step by step, hold back what could become a stop text. Does not: know engines or HTTP.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from igakulm.tokenizer.open import Encoder


class TextStream:
    """Turns tokens into text that can be shown at once.

    Args:
        encoder: knows the bytes of each token.
        stops: texts that end the answer and are no part of it.
    """

    def __init__(self, encoder: Encoder, stops: Sequence[str] = ()) -> None:
        self._encoder = encoder
        self._stops = tuple(stops)
        # A byte piece is often a third of a character: it is shown when its character is complete.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def feed(self, token: int) -> str:
        """The text that one more token completes; empty while a character or a stop text is open."""
        return self._release(self._held + self._decoder.decode(self._encoder.token_bytes(token)), last=False)

    def finish(self) -> str:
        """What was held back, when the answer has ended; broken UTF-8 becomes U+FFFD."""
        return "" if self.stopped else self._release(self._held + self._decoder.decode(b"", True), last=True)

    def _release(self, text: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        found = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if last else open_end(text, self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def open_end(text: str, stops: Sequence[str]) -> int:
    """How many characters at the end of `text` could be the beginning of a stop text.

    >>> open_end("回答。質", ["質問:"]), open_end("回答。", ["質問:"])
    (1, 0)
    """
    longest = 0
    for stop in stops:
        for size in range(min(len(stop) - 1, len(text)), longest, -1):
            if text.endswith(stop[:size]):
                longest = size
                break
    return longest
