"""The tokenizer of any Hugging Face folder, in the form in which every room uses ours.

Does: encode plain text and conversations, decode, say what bytes a token stands for and which ids end what, name the
files that decide it. Does not: change or copy a tokenizer, run code of its folder, or reach a network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import sha256_file, sha256_json
from igakulm.text.messages import Message
from igakulm.tokenizer.encode import TOKENIZER_FILE
from igakulm.tokenizer.encoder import Part
from igakulm.tokenizer.folder_text import FolderText, named_ends
from igakulm.tokenizer.spelling import BYTE_OF, is_text, join_characters, spelt_bytes

_FILES = re.compile(
    r"(token|vocab|merges|special_tokens|added_tokens|chat_template|spiece|sentencepiece|encoder\.).*|.*\.tiktoken"
)


class FolderEncoder:
    """The tokenizer of a folder; see `Encoder`.

    Attributes:
        text: prompts and conversations in the folder's own way.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """

    adopted = True
    runtime = "plain"
    cut_after = ""
    chat_tokens: tuple[int, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = FolderText(folder)
        self.chat = self.text.chat
        self.begin: tuple[int, ...] = tuple(self.text.begin)
        self.stops: tuple[int, ...] = tuple(sorted(named_ends(folder) | self.text.ends()))
        self.base_size = self.size = self.text.stock.entries

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        """Worker processes load the folder again."""
        return type(self), (self.folder,)

    @property
    def files(self) -> tuple[str, ...]:
        """See `Encoder`: by their names, as publishers use them."""
        return tuple(p.name for p in sorted(self.folder.iterdir()) if p.is_file() and _FILES.fullmatch(p.name))

    @cached_property
    def identity(self) -> str:
        """See `Encoder`."""
        return sha256_json({name: sha256_file(self.folder / name) for name in self.files})

    @cached_property
    def sha256(self) -> str:
        """See `Encoder`; of a folder without tokenizer.json its `identity`."""
        path = self.folder / TOKENIZER_FILE
        return sha256_file(path) if path.is_file() else self.identity

    @property
    def source_sha256(self) -> str:
        """See `Encoder`."""
        return self.sha256

    @property
    def bos(self) -> int | None:
        """See `Encoder`."""
        return self.begin[-1] if self.begin else None

    @property
    def unk(self) -> int | None:
        """See `Encoder`."""
        return self.text.stock.unknown

    @property
    def eos(self) -> int:
        """See `Encoder`.

        Raises:
            InputError: this tokenizer has none.
        """
        end = self.text.stock.end if self.text.stock.end is not None else min(named_ends(self.folder), default=None)
        if end is None:
            hint = "give tokenizer_config.json of a copy an eos_token"
            raise InputError("this tokenizer has no end-of-text token", where=str(self.folder), hint=hint)
        return end

    @cached_property
    def line_end(self) -> tuple[int, ...]:
        """See `Encoder`."""
        return tuple(sorted({*self.stops, *self.text.stock.newlines()}))

    @cached_property
    def fallback(self) -> frozenset[int]:
        """See `PlainEncoder`."""
        pieces = enumerate(self._bytes)
        return frozenset(number for number, piece in pieces if number == self.unk or not is_text(piece))

    def parts(self, text: str) -> list[Part]:
        """See `PlainEncoder`."""
        return join_characters(map(self.token_bytes, self.encode(text)))

    def without_and_with_mecab(self, sentence: str) -> None:
        """See `PlainEncoder`: other models' tokenizers know nothing of MeCab."""

    def encode_in_parts(self, line: str) -> Iterable[list[int]]:
        """See `Encoder`; all at once, as nothing says where such a text can be cut."""
        yield self.encode(line)

    def encode(self, text: str) -> list[int]:
        """See `Encoder`."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """See `Encoder`."""
        return self.text.texts(texts)

    def plain_ids(self, text: str) -> list[int]:
        """See `Encoder`."""
        return self.text.plain_ids(text)

    def continuation_ids(self, text: str) -> list[int]:
        """See `FolderText.continuation_ids`."""
        return self.text.continuation_ids(text)

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> tuple[list[int], list[bool]]:
        """See `FolderText.conversation`.

        Raises:
            InputError: a folder without chat template, messages that the template refuses.
        """
        return self.text.conversation(messages, reply=add_generation_prompt)

    def decode(self, ids: Iterable[int]) -> str:
        """See `Encoder`."""
        return self.text.decode([number for number in ids if number < self.size])

    def written(self, ids: Sequence[int]) -> list[str]:
        """See `Encoder`."""
        return self.text.stock.written(ids)

    def token_bytes(self, token: int) -> bytes:
        """See `Encoder`.

        Raises:
            ValueError: a negative id.
        """
        if token < 0:
            raise ValueError(f"{token} is no id")
        return self._bytes[token] if token < self.size else b""

    @cached_property
    def _bytes(self) -> list[bytes]:
        stock = self.text.stock
        pieces = stock.written(range(self.size))
        control = set(stock.control.values())
        by_byte = set(BYTE_OF) <= set(pieces)
        return [
            b"" if number in control else spelt_bytes(piece, by_byte=by_byte) for number, piece in enumerate(pieces)
        ]
