"""The tokenizer that a recipe adopted from an open model, with what adopt.py wrote down about it.

Does: load the folder and refuse one that is not the one that was adopted. Does not: copy or change the tokenizer
(adopt.py), or train one. The folder is an ordinary Hugging Face tokenizer folder and loads in stock tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, sha256_json
from igakulm.tokenizer.encode import TEMPLATE_FILE, TOKENIZER_FILE
from igakulm.tokenizer.folder_encoder import FolderEncoder

ADOPTED_FILE = "adopted.json"
ADOPTED_FILES = (TOKENIZER_FILE, "tokenizer_config.json", "special_tokens_map.json", TEMPLATE_FILE, ADOPTED_FILE)
"""Everything that a model's folder needs of an adopted tokenizer's folder; the third is absent in newer folders."""
FORMAT = 1


class AdoptedEncoder(FolderEncoder):
    """The adopted tokenizer of a folder; see `Encoder`.

    Its ends of answers are those of the model's folder that it came from, and `identity` is the hash of adopted.json.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        """Use `AdoptedEncoder.load`."""
        super().__init__(folder)
        self._description = description
        self.begin = tuple(description["begin"])
        self.stops = tuple(description["stops"])
        self.chat_tokens = tuple(description["chat_tokens"])
        self.base_size = description["base_size"]
        self.size = description["size"]

    @classmethod
    def load(cls, folder: Path) -> AdoptedEncoder:
        """Load the folder that adopt.py wrote, or a model's folder that holds a copy of it.

        A base model's folder may lack the chat template, which it never saw.

        Raises:
            InputError: a file is missing, or is not the one that adopted.json was written for.
        """
        path = Path(folder) / ADOPTED_FILE
        description = read_json(path)
        known = isinstance(description, dict) and description.get("format") == FORMAT
        if not known or TOKENIZER_FILE not in (description.get("sha256") or {}):
            raise InputError(f"this is not the description of an adopted tokenizer (format {FORMAT})", where=str(path))
        for name, expected in description["sha256"].items():
            file = Path(folder) / name
            if name == TEMPLATE_FILE and not file.exists():
                continue
            if not file.is_file() or sha256_file(file) != expected:
                what = "this file is not the one that was adopted" if file.is_file() else "a file is missing"
                raise InputError(what, where=str(file), hint="copy the whole folder again, or adopt it again")
        return cls(Path(folder), description)

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        """Worker processes load the folder again."""
        return AdoptedEncoder.load, (self.folder,)

    @property
    def files(self) -> tuple[str, ...]:
        """See `Encoder`."""
        return ADOPTED_FILES

    @cached_property
    def identity(self) -> str:
        """See `Encoder`."""
        return sha256_json(self._description)

    @cached_property
    def sha256(self) -> str:
        """See `Encoder`."""
        return str(self._description["sha256"][TOKENIZER_FILE])

    @property
    def source_sha256(self) -> str:
        """See `Encoder`."""
        return str(self._description["source_sha256"])

    @property
    def eos(self) -> int:
        """See `Encoder`."""
        return int(self._description["eos"])
