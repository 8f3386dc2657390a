"""The vocabulary of a GGUF file, taken from tokenizer.json and checked against what llama.cpp accepts.

Does: list pieces, scores and kinds in id order, pad to the size of the embeddings, refuse what aborts llama.cpp.
Does not: tokenize. IgakuLM sends token ids to llama.cpp; the runtime's own Unigram ("t5") agrees with ours on most
documents but not on all, so it serves only programs that bring text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from igakulm.bundle.weights import read_template
from igakulm.errors import InputError
from igakulm.files import read_json

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
SPACE = "\u2581"
_GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces in id order with their log-probabilities and `gguf.TokenType` kinds, and the ids of the special ones."""

    pieces: list[str]
    scores: list[float]
    kinds: list[int]
    bos: int
    eos: int
    unk: int
    template: str | None
    padded: int  # unused pieces added at the end


def read_vocabulary(folder: Path, embeddings: int) -> Vocabulary:
    """The vocabulary of a Hugging Face folder, padded to `embeddings` rows.

    Raises:
        InputError: no Unigram tokenizer, more pieces than embeddings, a hole in the ids, a piece that stands twice.
    """
    path = folder / "tokenizer.json"
    data = read_json(path)
    model = data.get("model", {})
    if model.get("type") != "Unigram" or not isinstance(model.get("unk_id"), int):
        raise InputError(
            f"GGUF export needs a Unigram tokenizer with an unknown token, this one is {model.get('type')!r}",
            where=str(path),
            mend="use a tokenizer built by `igakulm run`, or export without gguf",
        )
    # tokenizer.json holds real spaces; llama.cpp writes a space as U+2581 and turns it back.
    pieces = [str(entry[0]).replace(" ", SPACE) for entry in model["vocab"]]
    scores = [float(entry[1]) for entry in model["vocab"]]
    kinds = [_kind(piece) for piece in pieces]
    unk = int(model["unk_id"])
    kinds[unk] = gguf.TokenType.UNKNOWN
    _add_tokens(data.get("added_tokens", []), pieces, scores, kinds, unk, path)
    padded = embeddings - len(pieces)
    if padded < 0:
        raise InputError(
            f"the tokenizer has {len(pieces):,} entries but the model has only {embeddings:,} embeddings",
            where=str(folder),
            mend="export the model together with the tokenizer that it was trained with",
        )
    pieces += [f"<unused_{number}>" for number in range(padded)]
    scores += [-1e4] * padded
    kinds += [gguf.TokenType.UNUSED] * padded
    _refuse_duplicates(pieces, path)
    bos, eos = _special_ids(folder, pieces)
    template = read_template(folder)
    if template:
        # The mark of trained spans is transformers' own; llama.cpp's Jinja does not know it. It prints nothing.
        template = _GENERATION.sub("", template)
    return Vocabulary(pieces, scores, [int(kind) for kind in kinds], bos, eos, unk, template, padded)


def _kind(piece: str) -> int:
    return int(gguf.TokenType.BYTE if _BYTE.fullmatch(piece) else gguf.TokenType.NORMAL)


def _add_tokens(
    added: list[dict[str, Any]], pieces: list[str], scores: list[float], kinds: list[int], unk: int, path: Path
) -> None:
    for token in sorted(added, key=lambda entry: int(entry["id"])):
        number, content = int(token["id"]), str(token["content"]).replace(" ", SPACE)
        if number > len(pieces):
            raise InputError(f"the ids have a hole before {number} ({content!r})", where=f"{path}, added_tokens")
        if number == len(pieces):
            pieces.append(content)
            scores.append(-1e4)
            kinds.append(gguf.TokenType.NORMAL)
        if pieces[number] != content:
            raise InputError(
                f"id {number} is {pieces[number]!r} in the vocabulary but {content!r} in added_tokens", where=str(path)
            )
        if token.get("special") and number != unk:
            kinds[number] = gguf.TokenType.CONTROL


def _refuse_duplicates(pieces: list[str], path: Path) -> None:
    twice = [piece for piece, count in Counter(pieces).items() if count > 1 or not piece]
    if twice:
        shown = ", ".join(repr(piece) for piece in twice[:5])
        raise InputError(
            f"{len(twice)} pieces stand twice or are empty; llama.cpp aborts on such a vocabulary: {shown}",
            where=str(path),
            mend="build the tokenizer again; the newline must be one piece",
        )


def _special_ids(folder: Path, pieces: list[str]) -> tuple[int, int]:
    settings = read_json(folder / "tokenizer_config.json")
    config = read_json(folder / "config.json")
    found = []
    for role in ("bos", "eos"):
        token = settings.get(f"{role}_token")
        content = token.get("content") if isinstance(token, dict) else token
        if content not in pieces:
            raise InputError(
                f"{role}_token {content!r} is no entry of the tokenizer", where=str(folder / "tokenizer_config.json")
            )
        number = pieces.index(content)
        named = config.get(f"{role}_token_id")
        if named is not None and number not in (named if isinstance(named, list) else [named]):
            raise InputError(
                f"{role} is id {number} in the tokenizer but {named} in config.json",
                where=str(folder),
                mend="export the model together with the tokenizer that it was trained with",
            )
        found.append(number)
    return found[0], found[1]
