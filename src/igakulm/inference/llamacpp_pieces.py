"""Tokens that llama.cpp keeps back while it streams: parts of a character.

Does: find their ids from the text that arrives with the token that completes the character. Does not: guess where the
text was no valid UTF-8 (the engine then takes single steps, which tell every id).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igakulm.tokenizer.gguf_header import WITHOUT_TEXT, read_vocabulary
from igakulm.tokenizer.spelling import spelt_bytes


class Pieces:
    """The bytes that each token of a vocabulary stands for.

    Args:
        model: `tokenizer.ggml.model` of the file: "gpt2" = byte-level, any other = SentencePiece's spellings.
        tokens: spellings by id.
        kinds: `tokenizer.ggml.token_type` by id.

    Attributes:
        bytes: by id; b"" for control tokens and such.
    """

    def __init__(self, model: str, tokens: Sequence[str], kinds: Sequence[int]) -> None:
        self.bytes: list[bytes] = []
        self._ids: dict[bytes, int] = {}
        for token, (spelling, kind) in enumerate(zip(tokens, kinds, strict=True)):
            textless = kind in WITHOUT_TEXT
            self.bytes.append(b"" if textless else spelt_bytes(spelling, by_byte=model == "gpt2"))
            if not textless:
                self._ids.setdefault(self.bytes[-1], token)

    @classmethod
    def read(cls, path: Path) -> Pieces:
        """The pieces of a GGUF file."""
        return cls(*read_vocabulary(path))

    def lost(self, text: str, last: int, count: int) -> list[int] | None:
        """`count` ids whose bytes, with those of the token `last` behind them, are `text`; None = there are none.

        >>> pieces = Pieces("llama", ["<0xE5>", "<0x9B>", "<0x8A>", "a"], [6, 6, 6, 1])
        >>> pieces.lost("囊", 2, 2), pieces.lost("囊a", 3, 3), pieces.lost("囊", 2, 1)
        ([0, 1], [0, 1, 2], None)
        """
        raw, end = text.encode("utf-8", "replace"), self.bytes[last]
        # U+FFFD stands where bytes were no character: their values are lost.
        if "\ufffd" in text or not raw.endswith(end):
            return None
        return self._split(raw[: len(raw) - len(end)], count)

    def _split(self, raw: bytes, count: int) -> list[int] | None:
        if count == 0:
            return None if raw else []
        for size in range(1, len(raw) - count + 2):
            token = self._ids.get(raw[:size])
            rest = self._split(raw[size:], count - 1) if token is not None else None
            if token is not None and rest is not None:
                return [token, *rest]
        return None
