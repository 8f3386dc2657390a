"""Any tokenizer as something that can be measured: ours, a `tokenizers` file, a sentencepiece model.

Does: open them offline without code of their own, encode plain text, say where tokens end and which ids are no whole
character. Does not: measure anything (compare.py does), or encode for training (encode.py).
Spellings of control tokens in a text stay text. A lone space that a tokenizer puts before every text is left out, so
that a name inside a sentence and a name alone count the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import Tokenizer

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.tokenizer.encode import ENCODER_FILE, TOKENIZER_FILE, TextEncoder
from igakulm.tokenizer.encoder import Part, PlainEncoder
from igakulm.tokenizer.spelling import BYTE_OF, METASPACE, is_text, join_characters, spelt_bytes

MODEL_FILES = ("tokenizer.model", "sentencepiece.model", "spiece.model", "sentencepiece.bpe.model")
_SPACES = (METASPACE, "Ġ", " ")
"""How vocabularies write a space."""


def open_tokenizer(path: Path) -> PlainEncoder:
    """Open a folder or a file.

    Args:
        path: a tokenizer's or model's folder, a tokenizer.json, or a sentencepiece model.

    Raises:
        InputError: there is nothing of the kind, or it cannot be read without code of its own.
    """
    if (path / ENCODER_FILE).is_file():
        return TextEncoder.load(path)
    if path.is_dir():
        names = (TOKENIZER_FILE, *MODEL_FILES)
        file = next((path / name for name in names if (path / name).is_file()), None)
        if file is None:
            hint = "load it with transformers and `save_pretrained`, which writes tokenizer.json"
            raise InputError(f"none of {', '.join(names)} in this folder", where=str(path), hint=hint)
        path = file
    if not path.is_file():
        raise InputError("there is no such tokenizer", where=str(path), hint="check the path")
    return StockTokenizer(path) if path.suffix == ".json" else SentencePieceModel(path)


class StockTokenizer:
    """A tokenizer.json.

    Raises:
        InputError: the file cannot be read.
    """

    runtime = ""

    def __init__(self, path: Path) -> None:
        try:
            self._stock = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more precise
            raise InputError(f"this is no tokenizer.json: {error}", where=str(path), hint="get it again") from error
        self._stock.no_truncation()
        self._stock.no_padding()
        self._stock.encode_special_tokens = True
        self.size: int = self._stock.get_vocab_size(with_added_tokens=True)
        vocabulary = self._stock.get_vocab(with_added_tokens=False)
        self.fallback = _fallback_ids(vocabulary, read_json(path)["model"])
        self._prefix: int | None = None
        first = self._stock.encode("、", add_special_tokens=False)
        if len(first.ids) > 1 and first.tokens[0] in _SPACES:
            self._prefix = first.ids[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """See `PlainEncoder`."""
        encoded = self._stock.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids[self._skipped(one.ids) :] for one in encoded]

    def parts(self, text: str) -> list[Part]:
        """See `PlainEncoder`; what the tokenizer drops, such as spaces, goes to the token behind it."""
        encoded = self._stock.encode(text, add_special_tokens=False)
        parts: list[Part] = []
        reached = 0
        for _, end in encoded.offsets[self._skipped(encoded.ids) :]:
            if end > reached or not parts:
                parts.append(Part(text[reached:end], 1))
                reached = end
            else:
                parts[-1] = Part(parts[-1].text, parts[-1].tokens + 1)
        return parts

    def without_and_with_mecab(self, sentence: str) -> None:
        """See `PlainEncoder`: a file says nothing of MeCab."""

    def _skipped(self, ids: Sequence[int]) -> int:
        return int(self._prefix is not None and ids[:1] == [self._prefix])


class SentencePieceModel:
    """A sentencepiece file.

    Raises:
        InputError: the file cannot be read.
    """

    runtime = ""

    def __init__(self, path: Path) -> None:
        try:
            self._model = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
            self.size: int = self._model.vocab_size()
            first = self._model.encode("、")
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            hint = "give a tokenizer.json instead, or the model's whole folder"
            raise InputError("this is no sentencepiece model", where=str(path), hint=hint) from error
        self._pieces: list[str] = [self._model.id_to_piece(index) for index in range(self.size)]
        self.fallback = frozenset(
            index
            for index, piece in enumerate(self._pieces)
            if self._model.is_unknown(index) or (self._model.is_byte(index) and _is_part(piece))
        )
        self._prefix = first[0] if len(first) > 1 and self._pieces[first[0]] == METASPACE else None

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """See `PlainEncoder`."""
        encoded: list[list[int]] = self._model.encode(list(texts), num_threads=1)
        return [ids[1:] if self._prefix is not None and ids[:1] == [self._prefix] else ids for ids in encoded]

    def parts(self, text: str) -> list[Part]:
        """See `PlainEncoder`; the text is shown as the model normalises it, an unknown character as U+2047."""
        return join_characters(map(self._bytes, self.encode_batch([text])[0]))

    def without_and_with_mecab(self, sentence: str) -> None:
        """See `PlainEncoder`: a file says nothing of MeCab."""

    def _bytes(self, index: int) -> bytes:
        unknown = self._model.is_unknown(index)
        return "\u2047".encode() if unknown else spelt_bytes(self._pieces[index], by_byte=False)


def _fallback_ids(vocabulary: dict[str, int], model: dict[str, Any]) -> frozenset[int]:
    """The unknown token and byte pieces of 0x80 and above; of byte-level vocabularies every token that is no text."""
    unknown = model.get("unk_id", vocabulary.get(str(model.get("unk_token"))))
    ids = set() if unknown is None else {int(unknown)}
    if all(letter in vocabulary for letter in BYTE_OF):
        ids |= {index for token, index in vocabulary.items() if not is_text(spelt_bytes(token, by_byte=True))}
    else:
        ids |= {vocabulary[piece] for byte in range(0x80, 0x100) if (piece := f"<0x{byte:02X}>") in vocabulary}
    return frozenset(ids)


def _is_part(piece: str) -> bool:
    """Whether a byte piece, such as `<0xE3>`, is part of a character; one byte below 0x80 is a whole one."""
    return piece >= "<0x80>"
