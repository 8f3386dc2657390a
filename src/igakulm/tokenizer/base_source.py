"""Where a base model lies: what a recipe's `from_folder` may name, and what its file of a vocabulary is.

Does: find the Hugging Face folder or the GGUF file that is meant, and hash what decides a tokenizer. Does not: load.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import sha256_file
from igakulm.tokenizer.encode import TOKENIZER_FILE

INNER = ("huggingface", "model")
"""Where the model lies in a bundle, and in the folder of a training stage."""
MARKS = ("config.json", TOKENIZER_FILE)
"""A model's folder has both; a folder of a tokenizer alone has the second."""
_HINT = "give a Hugging Face folder, the folder of a training stage, a bundle, or a GGUF file"


def find_base(path: Path) -> Path:
    """The Hugging Face folder, or the GGUF file, that a path means.

    A folder may be a model's, a training stage's, a bundle's, or hold exactly one GGUF file.

    Raises:
        InputError: nothing of that kind is there.
    """
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise InputError("this file is no GGUF file", where=str(path), hint=_HINT)
        return path
    for folder in (path, *(path / name for name in INNER)):
        if any((folder / name).is_file() for name in MARKS):
            return folder
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return files[0]
    what = f"there are {len(files)} GGUF files here, and no Hugging Face folder" if files else "there is no model here"
    raise InputError(what, where=str(path), hint=_HINT)


def vocabulary_sha256(base: Path) -> str | None:
    """Hash of the file that holds a base's vocabulary: the GGUF file itself, or tokenizer.json; None without one."""
    file = base if base.is_file() else base / TOKENIZER_FILE
    return sha256_file(file) if file.is_file() else None
