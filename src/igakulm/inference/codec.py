"""Text to token ids and back for a model folder: IgakuLM's own tokenizer, or the one that a foreign model brings.

Does: choose between the two, name a folder's tokenizer, say which ids end an answer or a line. Does not: render chats
(tokenizer/), run models, run code of a tokenizer folder, or reach a network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from igakulm.files import sha256_file, sha256_json
from igakulm.inference.engine import Codec, Message
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import ENCODER_FILE, TextEncoder
from igakulm.tokenizer.folder_text import FolderText, named_ends, without_template

_TOKENIZER_FILES = re.compile(
    r"(token|vocab|merges|special_tokens|added_tokens|chat_template|spiece|sentencepiece|encoder\.).*|.*\.tiktoken"
)


def load_codec(folder: Path) -> Codec:
    """The codec of a model folder.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """
    return OwnCodec(TextEncoder.load(folder)) if (folder / ENCODER_FILE).is_file() else FolderCodec(folder)


def tokenizer_identity(folder: Path) -> str:
    """Hex SHA-256 over the names and hashes of a folder's tokenizer and chat template files."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return sha256_json({path.name: sha256_file(path) for path in files if _TOKENIZER_FILES.fullmatch(path.name)})


class OwnCodec:
    """IgakuLM's tokenizer; see `Codec`. A base model's folder has no chat template: it never saw the chat tokens."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.chat = (encoder.folder / "chat_template.jinja").is_file()
        self.identity = tokenizer_identity(encoder.folder)
        self.stop: tuple[int, ...] = (encoder.eos,)
        self.line_end: tuple[int, ...] = (encoder.eos, encoder.newline)

    def chat_ids(self, messages: Sequence[Message]) -> list[int]:
        """See `Codec.chat_ids`.

        Raises:
            InputError: a base model.
        """
        if not self.chat:
            raise without_template(self.encoder.folder)
        return render_chat(self.encoder, messages, add_generation_prompt=True)[0]

    def plain_ids(self, text: str) -> list[int]:
        """See `Codec.plain_ids`."""
        return [*self.encoder.begin, *self.encoder.encode(text)]

    def continuation_ids(self, text: str) -> list[int]:
        """See `Codec.continuation_ids`; this tokenizer never puts a space before a text."""
        return self.encoder.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """See `Codec.decode`."""
        return self.encoder.decode(ids)


class FolderCodec(FolderText):
    """The tokenizer of any Hugging Face folder; see `Codec` and `FolderText`.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.identity = tokenizer_identity(folder)
        ends = named_ends(folder) | self.ends()
        self.stop: tuple[int, ...] = tuple(sorted(ends))
        self.line_end: tuple[int, ...] = tuple(sorted(ends | set(self.stock.newlines())))
