"""The vocabulary of a GGUF file, taken from tokenizer.json and checked against what llama.cpp accepts.

Does: list pieces, scores, merges and kinds in id order, pad to the size of the embeddings, refuse what aborts
llama.cpp. Does not: tokenize. IgakuLM sends token ids to llama.cpp; the runtime's own Unigram ("t5") agrees with ours
on most documents but not on all, so it serves only programs that bring text. BPE of open models: gguf_bpe.py.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf

from igakulm.bundle.gguf_bpe import read_bpe
from igakulm.bundle.gguf_pieces import Pieces, piece_kind
from igakulm.bundle.weights import read_template
from igakulm.errors import InputError
from igakulm.files import read_json

if TYPE_CHECKING:
    from gguf import GGUFWriter

SPACE = "\u2581"
_GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
_NEVER = -1e4
"""Score of pieces that no text is cut into."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The pieces of a model, padded to its embeddings, with its special ids and its chat template."""

    listed: Pieces
    bos: int | None
    eos: int
    template: str | None
    padded: int  # unused pieces added at the end


def read_vocabulary(folder: Path, embeddings: int) -> Vocabulary:
    """The vocabulary of a Hugging Face folder, padded to `embeddings` rows.

    Raises:
        InputError: a tokenizer that llama.cpp does not know, more pieces than embeddings, a hole in the ids, a piece
            that stands twice, special tokens that contradict config.json.
    """
    path = folder / "tokenizer.json"
    data = read_json(path)
    model = data.get("model") if isinstance(data, dict) else None
    kind = model.get("type") if isinstance(model, dict) else None
    listed = read_bpe(data, path) if kind == "BPE" else _read_unigram(data, kind, path)
    _add_tokens(data.get("added_tokens", []), listed, path)
    padded = embeddings - len(listed.pieces)
    if padded < 0:
        raise InputError(
            f"the tokenizer has {len(listed.pieces):,} entries but the model has only {embeddings:,} embeddings",
            where=str(folder),
            hint="export the model together with the tokenizer that it was trained with",
        )
    listed.pieces += [f"<unused_{number}>" for number in range(padded)]
    listed.scores += [_NEVER] * padded
    listed.kinds += [gguf.TokenType.UNUSED] * padded
    _refuse_duplicates(listed.pieces, path)
    bos, eos = _special_ids(folder, listed)
    template = read_template(folder)
    if template:
        # The mark of trained spans is transformers' own; llama.cpp's Jinja does not know it. It prints nothing.
        template = _GENERATION.sub("", template)
    return Vocabulary(listed, bos, eos, template, padded)


def _read_unigram(data: object, kind: object, path: Path) -> Pieces:
    model = data.get("model", {}) if isinstance(data, dict) else {}
    if kind != "Unigram" or not isinstance(model.get("unk_id"), int):
        raise InputError(
            f"GGUF export needs a BPE tokenizer, or a Unigram one with an unknown token; this one is {kind!r}",
            where=str(path),
            hint="use a tokenizer built by `igakulm run`, or export without gguf",
        )
    # tokenizer.json holds real spaces; llama.cpp writes a space as U+2581 and turns it back.
    pieces = [str(entry[0]).replace(" ", SPACE) for entry in model["vocab"]]
    kinds = [piece_kind(piece) for piece in pieces]
    unk = int(model["unk_id"])
    if not 0 <= unk < len(pieces):
        raise InputError(f"the unknown token is id {unk} of {len(pieces):,} pieces", where=f"{path}, model.unk_id")
    kinds[unk] = int(gguf.TokenType.UNKNOWN)
    return Pieces("t5", "default", pieces, [float(entry[1]) for entry in model["vocab"]], kinds, unk=unk)


def _add_tokens(added: list[dict[str, Any]], listed: Pieces, path: Path) -> None:
    for token in sorted(added, key=lambda entry: int(entry["id"])):
        number, content = int(token["id"]), str(token["content"])
        if listed.model != "gpt2":
            content = content.replace(" ", SPACE)
        if number > len(listed.pieces):
            raise InputError(f"the ids have a hole before {number} ({content!r})", where=f"{path}, added_tokens")
        if number == len(listed.pieces):
            listed.pieces.append(content)
            listed.scores.append(_NEVER)
            listed.kinds.append(int(gguf.TokenType.NORMAL if listed.model == "t5" else gguf.TokenType.USER_DEFINED))
        if listed.pieces[number] != content:
            raise InputError(
                f"id {number} is {listed.pieces[number]!r} in the vocabulary but {content!r} in added_tokens",
                where=str(path),
            )
        if token.get("special") and number != listed.unk:
            listed.kinds[number] = int(gguf.TokenType.CONTROL)


def _refuse_duplicates(pieces: list[str], path: Path) -> None:
    twice = [piece for piece, count in Counter(pieces).items() if count > 1 or not piece]
    if twice:
        shown = ", ".join(repr(piece) for piece in twice[:5])
        raise InputError(
            f"{len(twice)} pieces stand twice or are empty; llama.cpp aborts on such a vocabulary: {shown}",
            where=str(path),
            hint="build the tokenizer again; the newline must be one piece",
        )


def _special_ids(folder: Path, listed: Pieces) -> tuple[int | None, int]:
    settings, config = read_json(folder / "tokenizer_config.json"), read_json(folder / "config.json")
    found: list[int | None] = []
    for role in ("bos", "eos"):
        token = settings.get(f"{role}_token")
        content = token.get("content") if isinstance(token, dict) else token
        if content is None and role == "bos" and listed.model != "t5":
            found.append(None)  # Qwen has none
            continue
        if content not in listed.pieces:
            raise InputError(
                f"{role}_token {content!r} is no entry of the tokenizer", where=str(folder / "tokenizer_config.json")
            )
        number = listed.pieces.index(content)
        named = config.get(f"{role}_token_id")
        if named is not None and number not in (named if isinstance(named, list) else [named]):
            raise InputError(
                f"{role} is id {number} in the tokenizer but {named} in config.json",
                where=str(folder),
                hint="export the model together with the tokenizer that it was trained with",
            )
        found.append(number)
    bos, eos = found
    assert eos is not None
    return bos, eos


def vocabulary_fields(vocabulary: Vocabulary) -> dict[str, Any]:
    """Keys below `tokenizer.ggml.` that decide how text becomes ids, as they are written and must be read back."""
    listed = vocabulary.listed
    fields: dict[str, Any] = {
        "model": listed.model,
        "pre": listed.before,
        "tokens": listed.pieces,
        "token_type": [int(kind) for kind in listed.kinds],
        "eos_token_id": vocabulary.eos,
        "padding_token_id": vocabulary.eos,
        "add_bos_token": listed.begins and vocabulary.bos is not None,
        "add_eos_token": False,
        "add_space_prefix": listed.space_before,
    }
    if vocabulary.bos is not None:
        fields["bos_token_id"] = vocabulary.bos
    if listed.unk is not None:
        fields["unknown_token_id"] = listed.unk
    if listed.merges:
        fields["merges"] = listed.merges
    return fields


def write_vocabulary(writer: GGUFWriter, vocabulary: Vocabulary) -> None:
    """Give a `gguf.GGUFWriter` everything that llama.cpp reads of a tokenizer."""
    listed = vocabulary.listed
    writer.add_tokenizer_model(listed.model)
    writer.add_tokenizer_pre(listed.before)
    writer.add_token_list([piece.encode("utf-8") for piece in listed.pieces])
    if listed.model != "gpt2":
        writer.add_token_scores(listed.scores)
    writer.add_token_types([int(kind) for kind in listed.kinds])
    if listed.merges:
        writer.add_token_merges(listed.merges)
    if vocabulary.bos is not None:
        writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(vocabulary.eos)
    if listed.unk is not None:
        writer.add_unk_token_id(listed.unk)
    writer.add_pad_token_id(vocabulary.eos)
    writer.add_add_bos_token(listed.begins and vocabulary.bos is not None)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(listed.space_before)
    if listed.model == "t5":
        writer.add_remove_extra_whitespaces(False)
    if vocabulary.template:
        writer.add_chat_template(vocabulary.template)
