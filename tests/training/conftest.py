"""One thread for every test, and a character tokenizer with the contract of `TextEncoder`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from igakulm.tokenizer.encode import TOKENIZER_FILES, TextEncoder


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


class CharacterEncoder:
    """One id a character (4 + code point modulo 96); its hash is the folder's tokenizer.json."""

    bos, eos, newline, unk = 1, 2, 3, 0
    base_size, size = 100, 103
    system, user, assistant = 100, 101, 102
    begin, chat_tokens, stops = (1,), (100, 101, 102), (2, 100, 101, 102)
    files, adopted, runtime, chat = TOKENIZER_FILES, False, "plain", True
    render = TextEncoder.render

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sha256 = self.source_sha256 = self.identity = hashlib.sha256(
            (folder / "tokenizer.json").read_bytes()
        ).hexdigest()

    def encode(self, text: str) -> list[int]:
        return [self.newline if character == "\n" else 4 + ord(character) % 96 for character in text]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(str(number) for number in ids)


@pytest.fixture
def tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tokenizer folder; `TextEncoder.load` gives a `CharacterEncoder` for any folder."""

    def load(_: type[Any], folder: Path, runtime: str | None = None) -> CharacterEncoder:
        return CharacterEncoder(folder)

    monkeypatch.setattr(TextEncoder, "load", classmethod(load))
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "tokenizer.json").write_text('{"made": "for tests"}', encoding="utf-8")
    (folder / "chat_template.jinja").write_text("template", encoding="utf-8")
    return folder
