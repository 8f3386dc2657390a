"""Sizes of a Hugging Face folder read from its JSON and the headers of its weights.

Does: read numbers. Does not: load weights or import torch; `igakulm plan` stays quick.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json

MOST_HEADER_BYTES = 100 * 2**20
"""The format's own limit (github.com/huggingface/safetensors, "Format")."""


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a text model.

    Raises:
        InputError: none there, or one of something else.
    """
    if not (folder / "config.json").is_file():
        hint = "put the model there, or set the key to where it is"
        raise InputError("this is no Hugging Face model folder", where=str(folder), hint=hint)
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or not isinstance(config.get("vocab_size"), int):
        raise InputError("config.json describes no text model", where=str(folder))
    return config


def layer_weights(folder: Path) -> int:
    """Elements of all tensors that belong to layers; 0 without safetensors files.

    Raises:
        InputError: a file that is no safetensors file.
    """
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


def tokenizer_entries(folder: Path) -> int:
    """The largest id of tokenizer.json plus one.

    Raises:
        InputError: no such file, or one without a vocabulary.
    """
    data = read_json(folder / "tokenizer.json")
    try:
        vocabulary = data["model"]["vocab"]
        ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
        return 1 + max([-1, *map(int, ids), *(int(token["id"]) for token in data.get("added_tokens") or ())])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("this tokenizer.json has no vocabulary", where=str(folder)) from error
