"""Text to token ids and back: what every other room uses.

Does: encode plain text exactly as the stock tokenizer.json does, only faster; decode; encode lines for the CLI.
Does not: train anything, or turn spellings of control tokens into control tokens (`<|user|>` in a text stays text).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sentencepiece

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file

if TYPE_CHECKING:
    from igakulm.tokenizer.segment import Segmenter

ENCODER_FILE = "encoder.json"
MODEL_FILE = "sentencepiece.model"
TOKENIZER_FILE = "tokenizer.json"
DICTIONARY_FILE = "user_dictionary.dic"
TOKENIZER_FILES = (
    TOKENIZER_FILE,
    "tokenizer_config.json",
    "chat_template.jinja",
    MODEL_FILE,
    ENCODER_FILE,
    DICTIONARY_FILE,
)
"""Everything that a model's folder needs of a tokenizer's folder; the last is absent without a user dictionary."""

METASPACE = "▁"
"""sentencepiece writes the space so (section 2.2.1). A real U+2581 in a text goes through byte pieces instead."""
CHAT_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>")
SENTENCE_END = "。"
"""No piece of our vocabularies holds it beside another character, so text can be cut after it."""
LONG_LINE = 1000
"""Characters. sentencepiece adds scores as 32-bit floats, which stay exact up to a few thousand characters."""
RUNTIMES = ("plain", "mecab")
FORMAT = 1

PieceKind = Literal["normal", "unknown", "control", "byte", "newline"]
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_METASPACE_SPLIT = re.compile(f"({METASPACE})")
_AFTER_SENTENCE = re.compile(f"(?<={SENTENCE_END})")


class TextEncoder:
    """The tokenizer of a folder.

    Attributes:
        bos, eos, newline, unk: ids. `system`, `user`, `assistant`: ids of the chat tokens.
        base_size: entries of the vocabulary without the chat tokens; `size`: with them.
        sha256: hash of tokenizer.json; token files and checkpoints remember it.
        runtime: "plain", or "mecab" when text is segmented by MeCab before it is encoded.
    """

    def __init__(self, folder: Path, description: dict[str, Any]) -> None:
        """Use `TextEncoder.load`."""
        self.folder = folder
        self.runtime: str = description["runtime"]
        self.sha256: str = description["sha256"][TOKENIZER_FILE]
        self._model = sentencepiece.SentencePieceProcessor(model_file=str(folder / MODEL_FILE))
        self.base_size: int = self._model.vocab_size()
        self.unk, self.bos, self.eos = self._model.unk_id(), self._model.bos_id(), self._model.eos_id()
        self.newline: int = self._model.piece_to_id("\n")
        self.system, self.user, self.assistant = (self.base_size + index for index in range(len(CHAT_TOKENS)))
        self.size = self.base_size + len(CHAT_TOKENS)
        self._metaspace_ids = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in METASPACE.encode()]
        self._bytes = [_piece_bytes(piece, kind) for piece, _, kind in self.pieces()]
        self._segmenter: Segmenter | None = None
        if self.runtime == "mecab":
            from igakulm.tokenizer.segment import Segmenter  # the plain runtime needs no MeCab

            dictionary = folder / DICTIONARY_FILE
            self._segmenter = Segmenter(dictionary if DICTIONARY_FILE in description["sha256"] else None)

    @classmethod
    def load(cls, folder: Path, runtime: str | None = None) -> TextEncoder:
        """Load a tokenizer's folder, or a model's folder that holds a copy of it.

        Args:
            folder: holds encoder.json and the files that it names.
            runtime: "plain" or "mecab" to compare the two; None for the one that the tokenizer was made for.

        Raises:
            InputError: a file is missing, or is not the one that encoder.json was written for; an unknown runtime.
        """
        if runtime not in (None, *RUNTIMES):
            raise InputError(f"unknown runtime {runtime!r}", mend=f"use one of {', '.join(RUNTIMES)}")
        path = Path(folder) / ENCODER_FILE
        description = read_json(path)
        if not isinstance(description, dict) or description.get("format") != FORMAT:
            raise InputError(f"this is not the description of a tokenizer (format {FORMAT})", where=str(path))
        for name, expected in description["sha256"].items():
            file = Path(folder) / name
            if not file.is_file():
                raise InputError("a file of the tokenizer is missing", where=str(file), mend="copy the whole folder")
            if sha256_file(file) != expected:
                mend = "build the tokenizer again, or copy the whole folder again"
                raise InputError(
                    "this file is not the one that the tokenizer was made with", where=str(file), mend=mend
                )
        return cls(Path(folder), {**description, "runtime": runtime or description["runtime"]})

    def __reduce__(self) -> tuple[Any, tuple[Path, str]]:
        """Worker processes load the folder again."""
        return TextEncoder.load, (self.folder, self.runtime)

    def encode(self, text: str) -> list[int]:
        """Ids of a text; no begin or end token is added.

        `decode(encode(text)) == text` for every text of Unicode characters, NUL and U+2581 included; lone surrogates,
        which are no characters, become U+FFFD first.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of many texts: one call into sentencepiece for all lines (plain: 10-26 MB/s a core)."""
        lines = [line for text in texts for line in text.split("\n")]
        try:
            encoded = iter(self._encode_lines(lines))
        except (RuntimeError, TypeError, UnicodeEncodeError):
            mended = [_LONE_SURROGATE.sub("\ufffd", line) for line in lines]
            if mended == lines:
                raise
            encoded = iter(self._encode_lines(mended))
        results = []
        for text in texts:
            ids = next(encoded)
            for _ in range(text.count("\n")):
                ids.append(self.newline)
                ids += next(encoded)
            results.append(ids)
        return results

    def encode_words(self, words: Sequence[str]) -> list[int]:
        """Ids of words encoded one by one and joined, whatever the runtime; no word may hold a newline."""
        parts = [part for word in words for part in _METASPACE_SPLIT.split(word) if part]
        encoded = iter(self._model.encode([part for part in parts if part != METASPACE], num_threads=1))
        return [i for part in parts for i in (self._metaspace_ids if part == METASPACE else next(encoded))]

    def _encode_lines(self, lines: list[str]) -> list[list[int]]:
        if self._segmenter is None and not any(len(line) > LONG_LINE or METASPACE in line for line in lines):
            plain: list[list[int]] = self._model.encode(lines, num_threads=1)
            return plain
        units = [self._units(line) for line in lines]
        flat = [unit for line_units in units for unit in line_units if unit != METASPACE]
        encoded = iter(self._model.encode(flat, num_threads=1))
        return [
            [i for unit in line_units for i in (self._metaspace_ids if unit == METASPACE else next(encoded))]
            for line_units in units
        ]

    def _units(self, line: str) -> list[str]:
        """The parts of a line that are encoded apart: words or sentences, and every literal U+2581."""
        words = self._segmenter.words(line) if self._segmenter else _AFTER_SENTENCE.split(line)
        return [part for word in words for part in _METASPACE_SPLIT.split(word) if part]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; control, chat and unknown ids are rendered as nothing, broken UTF-8 as U+FFFD.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes that one token stands for (part of a character for a byte piece, empty for a control token)."""
        if not 0 <= token < self.size:
            raise ValueError(f"{token} is no id of a vocabulary of {self.size}")
        return self._bytes[token]

    def pieces(self) -> list[tuple[str, float, PieceKind]]:
        """Every entry in the order of ids: piece (space as U+2581), log-probability, kind. Chat tokens at the end."""
        model = self._model
        rows: list[tuple[str, float, PieceKind]] = []
        for index in range(self.base_size):
            piece, kind = model.id_to_piece(index), "normal"
            if model.is_unknown(index):
                kind = "unknown"
            elif model.is_control(index):
                kind = "control"
            elif model.is_byte(index):
                kind = "byte"
            elif piece == "\n":
                kind = "newline"
            rows.append((piece, model.get_score(index), kind))  # type: ignore[arg-type]
        return [*rows, *((token, 0.0, "control") for token in CHAT_TOKENS)]


def _piece_bytes(piece: str, kind: PieceKind) -> bytes:
    if kind == "byte":
        return bytes([int(piece[3:5], 16)])
    if kind in ("control", "unknown"):
        return b""
    return piece.replace(METASPACE, " ").encode()


def encode_lines(folder: Path, lines: Iterable[str], runtime: str | None = None) -> Iterator[list[int]]:
    """Ids of each line (its newline removed), for the CLI; reads ahead at most 256 lines. `runtime` as in `load`."""
    encoder = TextEncoder.load(folder, runtime)
    stripped = (line.removesuffix("\n") for line in lines)
    while batch := list(itertools.islice(stripped, 256)):
        yield from encoder.encode_batch(batch)


def decode_lines(folder: Path, lines: Iterable[str]) -> Iterator[str]:
    """Text of each line that holds a JSON list of ids, for the CLI.

    Raises:
        InputError: a line that is no list of ids of this vocabulary, with its number.
    """
    import json

    encoder = TextEncoder.load(folder)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield ""
            continue
        try:
            ids = json.loads(line)
            if not isinstance(ids, list) or not all(type(token) is int for token in ids):
                raise ValueError("not a list of whole numbers")
            yield encoder.decode(ids)
        except ValueError as error:
            mend = "give one JSON list of ids a line, such as [260, 3, 412]"
            raise InputError(f"this line cannot be decoded: {error}", where=f"line {number}", mend=mend) from error
