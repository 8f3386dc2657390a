"""Packed rows on disk, read back memory-mapped.

Does: open what pack.py wrote, check it is whole and of this tokenizer, hand out rows. Does not: write.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, sha256_json
from igakulm.model.batch import Row, next_token_targets
from igakulm.training.pack import DOCUMENTS, FORMAT, INDEX, PIECES, ROWS, TOKENS


class PackedRows:
    """The rows of one split, for `loop.train`. Use `PackedRows.open`."""

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder, self.index = folder, index
        self.fingerprint = sha256_json(index)
        self.sequence_length: int = index["sequence_length"]
        dtype = np.dtype(index["dtype"]).newbyteorder("<")
        empty = not index["tokens"]
        self._tokens: npt.NDArray[Any] = (
            np.empty(0, dtype) if empty else np.memmap(folder / TOKENS, dtype=dtype, mode="r")
        )
        self._rows = np.load(folder / ROWS, allow_pickle=False)
        self._pieces = np.load(folder / PIECES, allow_pickle=False, mmap_mode=None if empty else "r")
        self._restart: bool = index["restart_positions"]

    @classmethod
    def open(cls, folder: Path, tokenizer_sha256: str) -> PackedRows:
        """Open and check a split.

        Raises:
            InputError: files missing, changed or cut short; rows made with another tokenizer; another format.
        """
        index = read_json(folder / INDEX)
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            raise InputError(f"these are no packed rows (format {FORMAT})", where=str(folder / INDEX))
        if index["tokenizer_sha256"] != tokenizer_sha256:
            raise InputError(
                "these rows were packed with another tokenizer",
                where=f"{folder}: tokenizer {index['tokenizer_sha256'][:12]}, expected {tokenizer_sha256[:12]}",
                hint="pack again with this tokenizer",
            )
        for name, expected in index["sha256"].items():
            path = folder / name
            if not path.is_file():
                raise InputError("a file of the packed rows is missing", where=str(path), hint="pack again")
            if sha256_file(path) != expected:
                raise InputError("this file is damaged: it is not what was packed", where=str(path), hint="pack again")
        return cls(folder, index)

    def __len__(self) -> int:
        return int(self.index["rows"])

    def row(self, index: int) -> Row:
        """Tokens of a row; documents restart positions and attention where the recipe says so."""
        first, last = int(self._rows[index]), int(self._rows[index + 1])
        places = self._pieces[first:last, 0]
        end = int(self._pieces[last, 0]) if last < len(self._pieces) else len(self._tokens)
        begin = int(places[0])
        tokens = np.asarray(self._tokens[begin:end], np.int64)
        lengths = np.diff(np.append(places, end)).tolist() if self._restart else [end - begin]
        return Row(tokens, next_token_targets(tokens, lengths), tuple(lengths))

    def names(self, index: int) -> list[str]:
        """Ids of the documents in a row."""
        wanted = sorted({int(number) for number in self._pieces[self._rows[index] : self._rows[index + 1], 1]})
        with (self.folder / DOCUMENTS).open(encoding="utf-8") as file:
            places = set(wanted)
            lines = itertools.islice(file, wanted[-1] + 1)
            return [str(json.loads(line)) for number, line in enumerate(lines) if number in places]
