"""What a tokenizer.json says, piece by piece, in the form that GGUF stores.

Does: hold pieces, scores, kinds and merges in id order. Does not: read a file (gguf_vocabulary.py, gguf_bpe.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import gguf

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


@dataclass(slots=True)
class Pieces:
    """What a tokenizer.json says, in id order.

    Attributes:
        model: llama.cpp's name of the algorithm: t5 = Unigram, gpt2 = byte-level BPE, llama = SentencePiece's BPE.
        before: llama.cpp's name of the rule that cuts text into words ("pre").
        pieces, scores, kinds: one each per id; kinds are `gguf.TokenType`.
        merges: of byte-level BPE, "left right" in their order.
        unk: id of the unknown piece.
        begins: whether the tokenizer puts its begin token before a text by itself.
        space_before: whether it puts a space before a text.
    """

    model: Literal["t5", "gpt2", "llama"]
    before: str
    pieces: list[str]
    scores: list[float]
    kinds: list[int]
    merges: list[str] = field(default_factory=list)
    unk: int | None = None
    begins: bool = True
    space_before: bool = False


def piece_kind(piece: str) -> int:
    """Byte or ordinary piece, as a `gguf.TokenType`.

    >>> piece_kind("<0x0A>") == gguf.TokenType.BYTE, piece_kind("病") == gguf.TokenType.NORMAL
    (True, True)
    """
    return int(gguf.TokenType.BYTE if _BYTE.fullmatch(piece) else gguf.TokenType.NORMAL)
