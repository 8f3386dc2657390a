"""Answers of models on disk, so that a question answered once is never asked again.

Does: keep JSON answers by key in one SQLite file, each synced before the call returns.
Does not: make keys, ask anybody, or ever replace an answer.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from igakulm.errors import InputError


class ResponseStore:
    """Answers on disk. Each is synced before `put` returns; a rollback journal works on network file systems too.

    Raises:
        InputError: the file cannot be written, is damaged, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = DELETE")
            self._database.execute("PRAGMA synchronous = EXTRA")
            columns = "key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL"
            self._database.execute(f"CREATE TABLE IF NOT EXISTS responses ({columns})")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            mend = "free space or rights, or move a damaged file away; then run the same command again"
            raise InputError(f"the store of answers says: {error}", where=str(self.path), mend=mend) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """The stored answer, or None."""
        with self._explained():
            row = self._database.execute("SELECT answer FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def put(self, key: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep an answer; the first one for a key stays. ASCII JSON, because an answer may hold lone surrogates."""
        with self._explained():
            row = (key, json.dumps(request), json.dumps(answer))
            self._database.execute("INSERT OR IGNORE INTO responses VALUES (?, ?, ?)", row)

    def put_many(self, rows: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Keep many (key, request, answer) in one transaction: all of them or, after an error, none."""
        texts = [(key, json.dumps(request), json.dumps(answer)) for key, request, answer in rows]
        with self._explained(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?)", texts)

    def close(self) -> None:
        """Close the file; `contextlib.closing(store)` does so at the end of a block."""
        self._database.close()
