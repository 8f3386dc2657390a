"""Text to token ids and back: what every other room uses.

Does: encode plain text exactly as the stock tokenizer.json does, only faster; decode.
Does not: train anything, read or write streams (lines.py), or turn spellings of control tokens into control tokens
(`<|user|>` in a text stays text).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sentencepiece

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, sha256_json
from igakulm.text.broken import whole_characters
from igakulm.text.messages import Message
from igakulm.tokenizer.encoder import Part, without_template
from igakulm.tokenizer.padding import padded
from igakulm.tokenizer.spelling import METASPACE, is_text, join_characters

if TYPE_CHECKING:
    from igakulm.tokenizer.segment import Segmenter

ENCODER_FILE = "encoder.json"
MODEL_FILE = "sentencepiece.model"
TOKENIZER_FILE = "tokenizer.json"
DICTIONARY_FILE = "user_dictionary.dic"
TEMPLATE_FILE = "chat_template.jinja"
TOKENIZER_FILES = (
    TOKENIZER_FILE,
    "tokenizer_config.json",
    TEMPLATE_FILE,
    MODEL_FILE,
    ENCODER_FILE,
    DICTIONARY_FILE,
)
"""Everything that a model's folder needs of a tokenizer's folder; the last is absent without a user dictionary."""

CHAT_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>")
SENTENCE_END = "。"
"""No piece of our vocabularies holds it beside another character, so text can be cut after it."""
EXACT_SUM = 2**24 / 1024
"""sentencepiece adds scores as 32-bit floats: sums of multiples of 1/1024 (unigram.SCORE_STEP) are exact up to here."""
UNKNOWN_PENALTY = 10.0
"""How far below the worst piece sentencepiece and tokenizers put a character that the vocabulary lacks."""
PART_CHARACTERS = 100_000
LONGEST_STRETCH = 2**20
"""Characters. A longer stretch without any place where a piece must end is cut there, to bound the memory."""
RUNTIMES = ("plain", "mecab")
FORMAT = 1

PieceKind = Literal["normal", "unknown", "control", "byte", "newline"]
_METASPACE_SPLIT = re.compile(f"({METASPACE})")
_SENTENCE = re.compile(f"[^{SENTENCE_END}]*{SENTENCE_END}|[^{SENTENCE_END}]+")


class TextEncoder:
    """A tokenizer of this project; see `Encoder`.

    Attributes:
        bos, eos, newline, unk: ids. `system`, `user`, `assistant`: ids of the chat tokens.
        merge_function_words: whether MeCab's segmentation joins chains of function words.
    """

    adopted = False
    cut_after = SENTENCE_END
    files: tuple[str, ...] = TOKENIZER_FILES

    def __init__(self, folder: Path, description: dict[str, Any]) -> None:
        """Use `TextEncoder.load`."""
        self.folder = folder
        self.runtime: str = description["runtime"]
        self.merge_function_words = bool(description.get("merge_function_words", False))
        self.sha256: str = description["sha256"][TOKENIZER_FILE]  # token files and checkpoints remember it
        self.source_sha256 = self.sha256
        self.identity: str = sha256_json(description)
        self._model = sentencepiece.SentencePieceProcessor(model_file=str(folder / MODEL_FILE))
        self.base_size: int = self._model.vocab_size()
        self.unk, self.bos, self.eos = self._model.unk_id(), self._model.bos_id(), self._model.eos_id()
        self.newline: int = self._model.piece_to_id("\n")
        self.system, self.user, self.assistant = (self.base_size + index for index in range(len(CHAT_TOKENS)))
        self.size = self.base_size + len(CHAT_TOKENS)
        self.begin: tuple[int, ...] = (self.bos,)
        self.chat_tokens: tuple[int, ...] = (self.system, self.user, self.assistant)
        self.stops: tuple[int, ...] = (self.eos, *self.chat_tokens)
        self.line_end: tuple[int, ...] = (self.eos, self.newline)
        self.chat = (folder / TEMPLATE_FILE).is_file()
        self._metaspace_ids = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in METASPACE.encode()]
        pieces = self.pieces()
        self._bytes = [_piece_bytes(piece, kind) for piece, _, kind in pieces]
        worst = min(score for _, score, kind in pieces if kind == "normal")
        self._longest = int(EXACT_SUM / (UNKNOWN_PENALTY - worst))
        # As many sentences as sums stay exact for; else one, however long.
        many = f"(?s:.{{1,{max(1, self._longest - 1)}}}){SENTENCE_END}"
        self._sentences = re.compile(f"{many}|{_SENTENCE.pattern}")
        self._inner_pairs: frozenset[str] | None = None
        self._stock: Any = None
        self._segmenter: Segmenter | None = None
        self._dictionary = folder / DICTIONARY_FILE if DICTIONARY_FILE in description["sha256"] else None
        if self.runtime == "mecab":
            self._segmenter = self._words_of_mecab

    @cached_property
    def _words_of_mecab(self) -> Segmenter:
        from igakulm.tokenizer.segment import Segmenter  # the plain runtime needs no MeCab

        return Segmenter(self._dictionary, self.merge_function_words)

    @cached_property
    def fallback(self) -> frozenset[int]:
        """See `PlainEncoder`."""
        pieces = enumerate(zip(self.pieces(), self._bytes, strict=True))
        return frozenset(number for number, ((_, _, kind), piece) in pieces if kind == "unknown" or not is_text(piece))

    def parts(self, text: str) -> list[Part]:
        """See `PlainEncoder`."""
        return join_characters(map(self.token_bytes, self.encode(text)))

    def without_and_with_mecab(self, sentence: str) -> tuple[list[int], list[int]] | None:
        """See `PlainEncoder`."""
        return self.encode_words([sentence]), self.encode_words(self._words_of_mecab.words(sentence))

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
            raise InputError(f"unknown runtime {runtime!r}", hint=f"use one of {', '.join(RUNTIMES)}")
        path = Path(folder) / ENCODER_FILE
        description = read_json(path)
        known = isinstance(description, dict) and description.get("format") == FORMAT
        if not known or description.get("runtime") not in RUNTIMES or not _names(description.get("sha256")):
            raise InputError(f"this is not the description of a tokenizer (format {FORMAT})", where=str(path))
        for name, expected in description["sha256"].items():
            file = Path(folder) / name
            if not file.is_file():
                raise InputError("a file of the tokenizer is missing", where=str(file), hint="copy the whole folder")
            if sha256_file(file) != expected:
                hint = "build the tokenizer again, or copy the whole folder again"
                raise InputError(
                    "this file is not the one that the tokenizer was made with", where=str(file), hint=hint
                )
        return cls(Path(folder), {**description, "runtime": runtime or description["runtime"]})

    def __reduce__(self) -> tuple[object, tuple[Path, str]]:
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
            mended = [whole_characters(line) for line in lines]
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

    def encode_in_parts(self, line: str) -> Iterator[list[int]]:
        """Ids of one line (no newline, no lone surrogate) of any length, in parts, so that memory stays small."""
        units: list[str] = []
        size = 0
        for unit in self._units(line):
            units.append(unit)
            size += len(unit)
            if size >= PART_CHARACTERS:
                yield self._encode_units([units])[0]
                units, size = [], 0
        if units:
            yield self._encode_units([units])[0]

    def encode_words(self, words: Sequence[str]) -> list[int]:
        """Ids of words encoded one by one and joined, whatever the runtime; no word may hold a newline."""
        return self._encode_units([[unit for word in words for unit in self._parts(word)]])[0]

    def _encode_lines(self, lines: list[str]) -> list[list[int]]:
        if self._segmenter is not None:
            return self._encode_units([list(self._units(line)) for line in lines])
        longest = self._longest
        odd = [place for place, line in enumerate(lines) if len(line) > longest or METASPACE in line]
        whole = list(lines)
        for place in odd:
            whole[place] = ""
        encoded: list[list[int]] = self._model.encode(whole, num_threads=1)
        for place, ids in zip(odd, self._encode_units([list(self._units(lines[place])) for place in odd]), strict=True):
            encoded[place] = ids
        return encoded

    def _encode_units(self, lines: list[list[str]]) -> list[list[int]]:
        """Ids of lines that are given as their units, each unit encoded apart."""
        short = [unit for units in lines for unit in units if unit != METASPACE and len(unit) <= self._longest]
        encoded = iter(self._model.encode(short, num_threads=1))

        def ids_of(unit: str) -> list[int]:
            if unit == METASPACE:
                return self._metaspace_ids
            ids: list[int] = next(encoded) if len(unit) <= self._longest else self._encode_exactly(unit)
            return ids

        return [[i for unit in units for i in ids_of(unit)] for units in lines]

    def _units(self, line: str) -> Iterator[str]:
        """The parts of a line that are encoded apart: words or groups of sentences, and every literal U+2581."""
        if self._segmenter is None:
            for group in self._sentences.finditer(line):
                yield from self._parts(group[0])
            return
        for sentence in _SENTENCE.finditer(line):  # MeCab, too, sees one sentence at a time
            for word in self._segmenter.words(sentence[0]):
                yield from self._parts(word)

    def _parts(self, word: str) -> Iterator[str]:
        for part in _METASPACE_SPLIT.split(word) if METASPACE in word else (word,):
            if len(part) > self._longest:
                yield from self._cut(part)
            elif part:
                yield part

    def _cut(self, text: str) -> Iterator[str]:
        """Cut where two characters meet that stand side by side in no piece: a piece must end there, so ids stay.

        Parts are as long as sums of scores stay exact; a longer one has no such place inside.
        """
        if self._inner_pairs is None:
            pieces = [piece.replace(METASPACE, " ") for piece, _, kind in self.pieces() if kind == "normal"]
            self._inner_pairs = frozenset(piece[i : i + 2] for piece in pieces for i in range(len(piece) - 1))
        pairs, start = self._inner_pairs, 0
        while len(text) - start > self._longest:
            end = start + self._longest
            far = range(end + 1, min(len(text), start + LONGEST_STRETCH))
            places = itertools.chain(range(end, start, -1), far)
            end = next((place for place in places if text[place - 1 : place + 1] not in pairs), max(end, far.stop))
            yield text[start:end]
            start = end
        if start < len(text):
            yield text[start:]

    def _encode_exactly(self, text: str) -> list[int]:
        """Ids by tokenizers, whose sums are 64-bit floats: a fifth of the speed, exact at any length."""
        if self._stock is None:
            from tokenizers import Tokenizer

            self._stock = Tokenizer.from_file(str(self.folder / TOKENIZER_FILE)).model
        return [token.id for token in self._stock.tokenize(text)]

    def plain_ids(self, text: str) -> list[int]:
        """See `Encoder`."""
        return [*self.begin, *self.encode(text)]

    def continuation_ids(self, text: str) -> list[int]:
        """See `Encoder`; this tokenizer never puts a space before a text."""
        return self.encode(text)

    def render(self, messages: Sequence[Message], add_generation_prompt: bool) -> tuple[list[int], list[bool]]:
        """See `Encoder`: each message is its role's token and its content, an answer closed by the end token.

        Raises:
            InputError: the folder of a base model, which has no chat template.
        """
        if not self.chat:
            raise without_template(self.folder)
        role_ids = {"system": self.system, "user": self.user, "assistant": self.assistant}
        contents = self.encode_batch([message["content"] for message in messages])
        ids, mask = [self.bos], [False]
        for message, content in zip(messages, contents, strict=True):
            learnt = message["role"] == "assistant"
            part = [role_ids[message["role"]], *content, *([self.eos] if learnt else [])]
            ids += part
            mask += [False, *([learnt] * (len(part) - 1))]
        if add_generation_prompt:
            ids.append(self.assistant)
            mask.append(False)
        return ids, mask

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids; control, chat, unknown and padding ids are rendered as nothing, broken UTF-8 as U+FFFD.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def written(self, ids: Sequence[int]) -> list[str]:
        """See `Encoder`."""
        pieces = self.pieces()
        return [pieces[token][0] if token < len(pieces) else "" for token in ids]

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes that one token stands for (part of a character for a byte piece, empty for a control token)."""
        if not 0 <= token < padded(self.size):
            raise ValueError(f"{token} is no id of a vocabulary of {self.size}")
        return self._bytes[token] if token < self.size else b""

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


def _names(hashes: object) -> bool:
    return isinstance(hashes, dict) and {TOKENIZER_FILE, MODEL_FILE} <= hashes.keys() <= set(TOKENIZER_FILES)


def _piece_bytes(piece: str, kind: PieceKind) -> bytes:
    if kind == "byte":
        return bytes([int(piece[3:5], 16)])
    if kind in ("control", "unknown"):
        return b""
    return piece.replace(METASPACE, " ").encode()
