"""What makes a stage's result: recipe keys, the content of its inputs, its own version; hashed before the run.

Does: turn these into one JSON structure ("ingredients") and its hash, and say in words how two differ.
Does not: look at time stamps, code or package versions (those are provenance, see manifest.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from igakulm.errors import InputError
from igakulm.files import sha256_json
from igakulm.hashes import FileHashes
from igakulm.recipe.loading import data_fields, data_files
from igakulm.recipe.schema import Unhashed


def section_ingredients(section: object, hashes: FileHashes) -> object:
    """A section as JSON: paths replaced by names and hashes of their files, keys that change no result left out."""
    if isinstance(section, BaseModel):
        paths = data_fields(section)
        found: dict[str, Any] = {}
        for name, info in type(section).model_fields.items():
            if any(isinstance(mark, Unhashed) for mark in info.metadata):
                continue
            if name in paths:
                found[name] = {path.name: hashes.of(path) for path in _existing(paths[name])}
            else:
                found[name] = section_ingredients(getattr(section, name), hashes)
        return found
    if isinstance(section, tuple | list):
        return [section_ingredients(item, hashes) for item in section]
    return section


def _existing(pattern: str) -> Sequence[Path]:
    try:
        return data_files(pattern)
    except OSError as error:
        raise InputError(f"the operating system says: {error.strerror}", where=pattern) from error


def ingredients(
    stage: str, version: int, sections: Mapping[str, BaseModel], inputs: Mapping[str, str], hashes: FileHashes
) -> dict[str, object]:
    """The structure that is hashed; `inputs` maps earlier stages to their content digests."""
    return {
        "stage": stage,
        "version": version,
        "recipe": {name: section_ingredients(section, hashes) for name, section in sections.items()},
        "inputs": dict(inputs),
    }


def fingerprint(structure: Mapping[str, object]) -> str:
    """The hash of the ingredients."""
    return sha256_json(structure)


def differences(old: object, new: object, path: str = "") -> Iterator[str]:
    """Say how two ingredient structures differ, one line a key.

    >>> list(differences({"recipe": {"pack": {"seed": 0}}}, {"recipe": {"pack": {"seed": 1}}}))
    ['pack.seed: 0 -> 1']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            name = f"{path}.{key}".removeprefix(".recipe").removeprefix(".")
            yield from differences(old.get(key), new.get(key), name if name != "recipe" else "")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, after, f"{path}.{index}")
    elif old != new:
        yield _difference(path, old, new)


def _difference(path: str, old: object, new: object) -> str:
    if path.startswith("inputs."):
        return f"{path.removeprefix('inputs.')} has a new result"
    if isinstance(old, str) and isinstance(new, str) and len(old) == len(new) == 64:
        return f"{path}: the file's content changed"
    return f"{path}: {_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
