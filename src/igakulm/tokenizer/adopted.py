"""The tokenizer of an open model in the form in which every room uses ours.

Does: encode plain text and conversations, decode, say which ids begin and end what. Does not: copy or change the
tokenizer (adopt.py), or train one. The folder is an ordinary Hugging Face tokenizer folder and loads in stock tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, sha256_json
from igakulm.tokenizer.encode import TEMPLATE_FILE, TOKENIZER_FILE
from igakulm.tokenizer.folder_text import FolderText
from igakulm.tokenizer.foreign import BYTE_OF

ADOPTED_FILE = "adopted.json"
ADOPTED_FILES = (TOKENIZER_FILE, "tokenizer_config.json", "special_tokens_map.json", TEMPLATE_FILE, ADOPTED_FILE)
"""Everything that a model's folder needs of an adopted tokenizer's folder; the third is absent in newer folders."""
FORMAT = 1
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class AdoptedEncoder:
    """The adopted tokenizer of a folder; the attributes of `TextEncoder` that the rooms use.

    Attributes:
        begin: ids before every document and prompt; empty where the model has no begin token.
        bos: the last of them, or None.
        eos: id that ends a document.
        stops: ids that end an answer.
        chat_tokens: ids of chat tokens that the model never saw; empty where it brought its own template.
        base_size: entries of the model's own vocabulary; `size`: with chat tokens that were appended.
        sha256: hash of tokenizer.json; `source_sha256`: of the file that it was adopted from.
        identity: hash of everything that decides the ids.
    """

    runtime = "plain"
    files = ADOPTED_FILES

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        """Use `AdoptedEncoder.load`."""
        self.folder = folder
        self.text = FolderText(folder)
        self.begin: tuple[int, ...] = tuple(description["begin"])
        self.bos: int | None = self.begin[-1] if self.begin else None
        self.eos: int = description["eos"]
        self.stops: tuple[int, ...] = tuple(description["stops"])
        self.chat_tokens: tuple[int, ...] = tuple(description["chat_tokens"])
        self.base_size: int = description["base_size"]
        self.size: int = description["size"]
        self.sha256: str = description["sha256"][TOKENIZER_FILE]
        self.source_sha256: str = description["source_sha256"]
        self.identity = sha256_json(description)

    @classmethod
    def load(cls, folder: Path) -> AdoptedEncoder:
        """Load the folder that adopt.py wrote, or a model's folder that holds a copy of it.

        A base model's folder may lack the chat template, which it never saw.

        Raises:
            InputError: a file is missing, or is not the one that adopted.json was written for.
        """
        path = Path(folder) / ADOPTED_FILE
        description = read_json(path)
        known = isinstance(description, dict) and description.get("format") == FORMAT
        if not known or TOKENIZER_FILE not in (description.get("sha256") or {}):
            raise InputError(f"this is not the description of an adopted tokenizer (format {FORMAT})", where=str(path))
        for name, expected in description["sha256"].items():
            file = Path(folder) / name
            if name == TEMPLATE_FILE and not file.exists():
                continue
            if not file.is_file() or sha256_file(file) != expected:
                what = "this file is not the one that was adopted" if file.is_file() else "a file is missing"
                raise InputError(what, where=str(file), hint="copy the whole folder again, or adopt it again")
        return cls(Path(folder), description)

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        """Worker processes load the folder again."""
        return AdoptedEncoder.load, (self.folder,)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; no begin or end token is added, spellings of control tokens stay text."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of many texts."""
        return self.text.texts(texts)

    def render(
        self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool
    ) -> tuple[list[int], list[bool]]:
        """Ids of a conversation and their loss mask; see `FolderText.conversation`.

        Raises:
            InputError: a folder without chat template, messages that the template refuses.
        """
        return self.text.conversation(messages, reply=add_generation_prompt)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; control tokens and ids without an entry are rendered as nothing."""
        return self.text.decode([number for number in ids if number < self.size])

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes that one token stands for (part of a character for a byte, empty for a control token).

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
        by_byte = all(letter in set(pieces) for letter in BYTE_OF)

        def stands_for(number: int, piece: str) -> bytes:
            if number in control:
                return b""
            if by_byte:
                known = all(letter in BYTE_OF for letter in piece)
                return bytes(BYTE_OF[letter] for letter in piece) if known else piece.encode()
            found = _BYTE.fullmatch(piece)
            return bytes([int(found[1], 16)]) if found else piece.replace("\u2581", " ").encode()

        return [stands_for(number, piece) for number, piece in enumerate(pieces)]
