"""BPE tokenizers of open models as GGUF vocabularies: byte-level (Llama 3, Qwen), and in the way of SentencePiece.

Does: read pieces and merges from tokenizer.json, name the rule by which llama.cpp cuts text into words. Does not:
guess: a rule that is not one of those below is refused, since llama.cpp would silently cut text in another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf

from igakulm.bundle.gguf_pieces import Pieces, piece_kind
from igakulm.errors import InputError

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {_WORDS % r"\p{N}{1,3}": "llama-bpe", _WORDS % r"\p{N}": "qwen2"}
"""Regular expressions of tokenizer.json, and what llama.cpp calls the rule."""
BYTES = {f"<0x{byte:02X}>" for byte in range(256)}
_NEVER = -1e6


def read_bpe(data: Mapping[str, Any], path: Path) -> Pieces:
    """Pieces in id order; added tokens beyond the vocabulary are not among them.

    Raises:
        InputError: a rule that llama.cpp does not have, a hole in the ids, no bytes to fall back on.
    """
    model = data["model"]
    pieces = _in_order(model["vocab"], data.get("added_tokens", []), path)
    merges = [entry if isinstance(entry, str) else " ".join(entry) for entry in model["merges"]]
    if model.get("byte_fallback"):
        return _sentencepiece(data, pieces, merges, path)
    kinds = [int(gguf.TokenType.NORMAL)] * len(pieces)
    before = _rule(data.get("pre_tokenizer"), path)
    return Pieces("gpt2", before, pieces, [0.0] * len(pieces), kinds, merges, begins=_begins(data))


def _in_order(vocabulary: Mapping[str, int], added: list[dict[str, Any]], path: Path) -> list[str]:
    """Pieces by id. Added tokens may lie between them (some lists hold them apart from the vocabulary)."""
    by_id = {int(number): str(piece) for piece, number in vocabulary.items()}
    last = max(by_id)
    by_id |= {int(entry["id"]): str(entry["content"]) for entry in added if int(entry["id"]) < last}
    if len(by_id) != last + 1:
        missing = next(number for number in range(last + 1) if number not in by_id)
        raise InputError(f"the ids have a hole before {missing + 1}", where=str(path))
    return [by_id[number] for number in range(last + 1)]


def _rule(cutting: Any, path: Path) -> str:
    """llama.cpp's name of the rule that cuts text into words.

    Raises:
        InputError: none of those that it has.
    """
    steps = cutting.get("pretokenizers", []) if isinstance(cutting, dict) and "pretokenizers" in cutting else [cutting]
    kinds = [step.get("type") if isinstance(step, dict) else None for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
        return "gpt-2"
    if kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex", True):
        pattern = steps[0].get("pattern", {}).get("Regex")
        plain = steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
        if plain and pattern in PATTERNS:
            return PATTERNS[pattern]
    raise InputError(
        "llama.cpp has no known rule that cuts text as this tokenizer does",
        where=f"{path}, pre_tokenizer",
        hint="known are those of GPT-2, Llama 3 and Qwen 2; serve with --engine transformers, export.gguf = []",
    )


def _sentencepiece(data: Mapping[str, Any], pieces: list[str], merges: list[str], path: Path) -> Pieces:
    """llama.cpp joins the pair whose joined piece has the best score: the rank of its first merge."""
    if missing := BYTES - set(pieces):
        what = f"the vocabulary lacks {len(missing)} of the 256 bytes to fall back on; llama.cpp aborts without them"
        raise InputError(what, where=str(path))
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", ""), rank)
    kinds = [piece_kind(piece) for piece in pieces]
    unknown = data["model"].get("unk_token")
    unk = pieces.index(unknown) if unknown in pieces else None
    if unk is not None:
        kinds[unk] = int(gguf.TokenType.UNKNOWN)
    scores = [float(-ranks[piece]) if piece in ranks else _NEVER for piece in pieces]
    return Pieces("llama", "default", pieces, scores, kinds, [], unk, _begins(data), _prepends(data))


def _begins(data: Mapping[str, Any]) -> bool:
    """Whether the post-processor puts a special token before a text."""
    after = data.get("post_processor") or {}
    for step in after.get("processors", [after]):
        if step.get("type") == "TemplateProcessing":
            return "SpecialToken" in next(iter(step.get("single") or [{}]))
    return False


def _prepends(data: Mapping[str, Any]) -> bool:
    """Whether a space is put before a text: by Metaspace, or by a normaliser as in older files."""
    cutting, normaliser = data.get("pre_tokenizer") or {}, data.get("normalizer") or {}
    if cutting.get("type") == "Metaspace":
        return bool(cutting.get("prepend_scheme", "always") != "never")
    return any(step.get("type") == "Prepend" for step in normaliser.get("normalizers", [normaliser]))
