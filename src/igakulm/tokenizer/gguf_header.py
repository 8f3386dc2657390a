"""What the header of a GGUF file says about its tokenizer, its context and its tensors.

Does: read the few facts that engines and trainings need, in a fraction of a second also where the vocabulary has
262,144 tokens. Does not: read weights, or write GGUF files.
Format: the GGUF specification of ggml, versions 2 and 3, little-endian; keys `general.*`,
`ARCHITECTURE.context_length`, `tokenizer.*`; behind the keys the names, shapes and types of all tensors.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igakulm.errors import InputError

CONTROL, BYTE = 3, 6
"""`tokenizer.ggml.token_type` of control tokens and of tokens that are one byte, spelt `<0xE3>`."""
WITHOUT_TEXT = frozenset({2, CONTROL, 5})
"""The same of tokens that stand for no text: unknown, control, unused."""
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Facts of one file.

    Attributes:
        vocabulary: number of tokens.
        end: end-of-text id; None where the file names none.
        context_length: tokens that the model was made to read.
        chat_template: Jinja source, "" without one.
        control_tokens: spellings of the control tokens.
        cache_width: numbers that are kept for every token that was read (keys and values of all layers).
    """

    vocabulary: int
    end: int | None
    context_length: int
    chat_template: str
    control_tokens: tuple[str, ...] = field(repr=False)
    cache_width: int = 0

    @classmethod
    def read(cls, path: Path) -> GgufHeader:
        """Read a file's header.

        Raises:
            InputError: no such file, or not a complete GGUF file of a language model.
        """
        values = read_values(path)
        try:
            tokens = values["tokenizer.ggml.tokens"]
            kinds = values.get("tokenizer.ggml.token_type", ())
            end = values.get("tokenizer.ggml.eos_token_id")
            return cls(
                len(tokens),
                None if end is None else int(end),
                int(values[f"{values['general.architecture']}.context_length"]),
                str(values.get("tokenizer.chat_template", "")),
                tuple(token for token, kind in zip(tokens, kinds, strict=False) if kind == CONTROL),
                _cache_width(values),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise _incomplete(path, error) from error


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor: its name, its elements, and its type as ggml numbers it (`gguf.GGMLQuantizationType`)."""

    name: str
    elements: int
    kind: int


def read_values(path: Path) -> dict[str, Any]:
    """All keys of a file's header with their values.

    Raises:
        InputError: no such file, or not a complete GGUF file.
    """
    return _read(path)[0]


def read_tensors(path: Path) -> list[GgufTensor]:
    """All tensors of a file, as its header describes them.

    Raises:
        InputError: no such file, or not a complete GGUF file.
    """
    return _read(path)[1]


def read_vocabulary(path: Path) -> tuple[str, list[str], list[int]]:
    """Kind of tokenizer ("llama", "gpt2", "t5", ...), spellings and kinds of a file's tokens.

    Raises:
        InputError: no such file, or not a complete GGUF file of a language model.
    """
    values = read_values(path)
    try:
        tokens = list(values["tokenizer.ggml.tokens"])
        kinds = list(values.get("tokenizer.ggml.token_type", [1] * len(tokens)))
        return str(values["tokenizer.ggml.model"]), tokens, kinds
    except (KeyError, TypeError) as error:
        raise _incomplete(path, error) from error


def _read(path: Path) -> tuple[dict[str, Any], list[GgufTensor]]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).read()
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=str(path)) from error
    # A cut or overwritten header shows as any of these.
    except (KeyError, ValueError, TypeError, RecursionError, struct.error) as error:
        raise _incomplete(path, error) from error


def _incomplete(path: Path, error: Exception) -> InputError:
    return InputError(f"this is no complete GGUF file ({error})", where=str(path), hint="copy or export it again")


def _cache_width(values: dict[str, Any]) -> int:
    """Keys and values of all layers; 0 where the file does not say."""
    kind = values["general.architecture"]
    layers, width = values.get(f"{kind}.block_count", 0), values.get(f"{kind}.embedding_length", 0)
    heads = values.get(f"{kind}.attention.head_count", 1)
    kept = values.get(f"{kind}.attention.head_count_kv", heads)
    if not (isinstance(heads, int) and isinstance(kept, int) and heads):  # lists: layers differ
        return int(layers * width * 2)
    size = width // heads
    keys = values.get(f"{kind}.attention.key_length", size)
    return int(layers * kept * (keys + values.get(f"{kind}.attention.value_length", size)))


class _Reader:
    """The keys and the tensor table of a file; every length is checked against the file's size before it is used."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._place = data, 0

    def read(self) -> tuple[dict[str, Any], list[GgufTensor]]:
        magic, version, tensors, count = struct.unpack("<4sIQQ", self._take(24))
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError("it does not begin like one" if magic != b"GGUF" else f"version {version}")
        values = {self._string(): self._value(self._number("I")) for _ in range(count)}
        return values, [self._tensor() for _ in range(tensors)]

    def _tensor(self) -> GgufTensor:
        name, dimensions = self._string(), self._number("I")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions))
        kind, _ = self._number("I"), self._number("Q")
        return GgufTensor(name, math.prod(shape), kind)

    def _take(self, size: int) -> bytes:
        start, self._place = self._place, self._place + size
        if self._place > len(self._data):
            raise ValueError("it ends within its header")
        return self._data[start : self._place]

    def _number(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")))[0]

    def _string(self) -> str:
        return self._take(self._number("Q")).decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._number(_NUMBERS[kind])
        inner, count = self._number("I"), self._number("Q")
        if inner in _NUMBERS:
            form = _NUMBERS[inner]
            return struct.unpack(f"<{count}{form}", self._take(count * struct.calcsize(f"<{form}")))
        one: Callable[[], Any] = self._string if inner == _STRING else lambda: self._value(inner)
        return [one() for _ in range(count)]
