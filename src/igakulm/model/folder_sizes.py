"""Sizes of a base model, read from a folder's JSON and the headers of its weights, or from a GGUF file's header.

Does: read numbers. Does not: load weights or import torch; `igakulm plan` stays quick.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.tokenizer.base_source import find_base
from igakulm.tokenizer.gguf_header import read_tensors, read_values

MOST_HEADER_BYTES = 100 * 2**20
"""The format's own limit (github.com/huggingface/safetensors, "Format")."""


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a text model; of a GGUF file the same keys.

    Raises:
        InputError: none there, or one of something else.
    """
    if folder.is_file():
        return _gguf_config(folder)
    if not (folder / "config.json").is_file():
        hint = "put the model there, or set the key to where it is"
        raise InputError("this is no Hugging Face model folder", where=str(folder), hint=hint)
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or not isinstance(config.get("vocab_size"), int):
        raise InputError("config.json describes no text model", where=str(folder))
    return config


def _gguf_config(path: Path) -> dict[str, Any]:
    values = read_values(path)
    kind = str(values.get("general.architecture"))
    try:
        return {
            "model_type": kind,
            "vocab_size": len(values["tokenizer.ggml.tokens"]),
            "hidden_size": int(values[f"{kind}.embedding_length"]),
            "intermediate_size": int(values[f"{kind}.feed_forward_length"]),
            "num_hidden_layers": int(values[f"{kind}.block_count"]),
            "num_attention_heads": int(values[f"{kind}.attention.head_count"]),
            "num_key_value_heads": int(values.get(f"{kind}.attention.head_count_kv", 0)),
            "head_dim": int(values.get(f"{kind}.attention.key_length", 0)),
            "tie_word_embeddings": all(tensor.name != "output.weight" for tensor in read_tensors(path)),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"this GGUF file describes no text model ({error})", where=str(path)) from error


def layer_weights(folder: Path) -> int:
    """Elements of all tensors that belong to layers; 0 for a folder without safetensors files.

    Raises:
        InputError: a file that is no safetensors file.
    """
    if folder.is_file():
        return sum(tensor.elements for tensor in read_tensors(folder) if tensor.name.startswith("blk."))
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            try:
                header = json.loads(file.read(size)) if size <= MOST_HEADER_BYTES else None
            except ValueError:
                header = None
        if not isinstance(header, dict):
            raise InputError("this is no safetensors file", where=str(path), hint="copy it again")
        total += sum(math.prod(entry["shape"]) for name, entry in header.items() if ".layers." in name)
    return total


def tokenizer_entries(source: Path) -> int:
    """The largest id of the vocabulary of a base (see `find_base`) plus one.

    Raises:
        InputError: no such file, or one without a vocabulary.
    """
    folder = find_base(source)
    if folder.is_file():
        return int(_gguf_config(folder)["vocab_size"])
    data = read_json(folder / "tokenizer.json")
    try:
        vocabulary = data["model"]["vocab"]
        ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
        return 1 + max([-1, *map(int, ids), *(int(token["id"]) for token in data.get("added_tokens") or ())])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("this tokenizer.json has no vocabulary", where=str(folder)) from error
