"""The one protocol between text and token ids, for our own tokenizers and for those that other models bring.

Does: say what every room may ask of a tokenizer. Does not: implement it (`encode.py`: our own, `folder_encoder.py`:
any Hugging Face folder, `adopted.py`: an open model's that a recipe goes on with), or open folders (`open.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from igakulm.errors import InputError
from igakulm.text.messages import Message


class Part(NamedTuple):
    """A stretch of text between two token borders, and how many tokens it takes: more than 1 where one character
    takes several."""

    text: str
    tokens: int


class PlainEncoder(Protocol):
    """What a tokenizer's file alone can give: enough to measure it. Control tokens that a text spells stay text."""

    @property
    def size(self) -> int:
        """Entries of the vocabulary, all of them."""

    @property
    def runtime(self) -> str:
        """How text is cut before it is encoded: "mecab" (stock tools cannot), "plain"; "" where a file does not say."""

    @property
    def fallback(self) -> frozenset[int]:
        """Ids that stand for part of a character, or for an unknown one."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of many plain texts, nothing added; lone surrogates, which are no characters, become U+FFFD first."""

    def parts(self, text: str) -> list[Part]:
        """The text cut at the borders of its tokens."""

    def without_and_with_mecab(self, sentence: str) -> tuple[list[int], list[int]] | None:
        """Ids of a sentence as it is, and cut into words by MeCab first; None where MeCab has no part in it."""


class Encoder(PlainEncoder, Protocol):
    """A model's tokenizer: all that training, asking and exporting need."""

    @property
    def folder(self) -> Path:
        """Where it was loaded from."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of everything that a model's folder needs of the tokenizer's; some may be absent."""

    @property
    def adopted(self) -> bool:
        """Whether an open model brought it: its entries need not be those of a model that we made."""

    @property
    def identity(self) -> str:
        """Hex SHA-256 of everything that decides the ids."""

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of tokenizer.json."""

    @property
    def source_sha256(self) -> str:
        """Of the tokenizer.json that it was adopted from; else `sha256`."""

    @property
    def base_size(self) -> int:
        """Entries of the vocabulary without chat tokens that were added to it."""

    @property
    def cut_after(self) -> str:
        """A character after which any text can be cut and encoded in parts without another result; "" where there is
        none.
        """

    @property
    def begin(self) -> tuple[int, ...]:
        """Ids before every document and prompt; empty where the model has none."""

    @property
    def bos(self) -> int | None:
        """The last of `begin`."""

    @property
    def eos(self) -> int:
        """Id that ends a document.

        Raises:
            InputError: a tokenizer of another model that has none.
        """

    @property
    def unk(self) -> int | None:
        """Id of an unknown character, where there is such."""

    @property
    def stops(self) -> tuple[int, ...]:
        """Ids that end an answer in a conversation."""

    @property
    def line_end(self) -> tuple[int, ...]:
        """Ids that end an answer to a plain-text prompt: ends of text, and tokens of newlines only."""

    @property
    def chat_tokens(self) -> tuple[int, ...]:
        """Ids of chat tokens that a base model of this tokenizer never saw."""

    @property
    def chat(self) -> bool:
        """Whether the folder has a chat template: a base model's has none, as it never saw a conversation."""

    def encode(self, text: str) -> list[int]:
        """`encode_batch` of one text."""

    def encode_in_parts(self, line: str) -> Iterable[list[int]]:
        """Ids of one line (no newline, no lone surrogate) of any length, in parts, so that memory stays small."""

    def plain_ids(self, text: str) -> list[int]:
        """`begin`, then the text: a prompt without a conversation."""

    def continuation_ids(self, text: str) -> list[int]:
        """Ids of a text that follows a prompt: no begin-of-text, no space put before it."""

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> tuple[list[int], list[bool]]:
        """Ids of a conversation and their loss mask; ask for it by `chat.render_chat`, which checks the messages.

        Raises:
            InputError: no chat template, or messages that it refuses.
        """

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; control tokens and padding are rendered as nothing, broken UTF-8 as U+FFFD."""

    def written(self, ids: Sequence[int]) -> list[str]:
        """How the vocabulary spells entries, to show them; "" for an id that it lacks."""

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes that one token stands for (part of a character for a byte, empty for a control token).

        Raises:
            ValueError: no id of this vocabulary.
        """


def without_template(folder: Path) -> InputError:
    """What to say where a conversation is asked of a model that takes none."""
    hint = "tune it on conversations, or ask it with a plain prompt"
    return InputError("this model has no chat template", where=str(folder), hint=hint)
