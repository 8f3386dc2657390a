"""Answers of models on disk, so that a question answered once is never asked again.

Does: keep JSON answers by key in one SQLite file, each synced before the call returns; commit the answers of many
requests at once as one group, because a sync costs milliseconds and a group costs no more than one answer.
Does not: make keys, ask anybody, or ever replace an answer.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from igakulm.errors import InputError

Row = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Key, request, answer."""


class ResponseStore:
    """Answers on disk. Each is synced before `put` returns; a rollback journal works on network file systems too.

    Raises:
        InputError: the file cannot be written, is damaged, or another process holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.groups = GroupCommit(self)
        self._lock = threading.Lock()  # groups are written by another thread
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = DELETE")
            self._database.execute("PRAGMA synchronous = EXTRA")
            columns = "key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL"
            self._database.execute(f"CREATE TABLE IF NOT EXISTS responses ({columns})")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            hint = "free space or rights, or move a damaged file away; then run the same command again"
            raise InputError(f"the store of answers says: {error}", where=str(self.path), hint=hint) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """The stored answer, or None."""
        with self._explained():
            row = self._database.execute("SELECT answer FROM responses WHERE key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def keys(self) -> set[str]:
        """The keys of all answers: about 120 bytes each."""
        with self._explained():
            return {key for (key,) in self._database.execute("SELECT key FROM responses")}

    def __len__(self) -> int:
        with self._explained():
            return int(self._database.execute("SELECT count(*) FROM responses").fetchone()[0])

    def has(self, key: str) -> bool:
        """Whether there is an answer, without reading it."""
        with self._explained():
            return self._database.execute("SELECT 1 FROM responses WHERE key = ?", (key,)).fetchone() is not None

    def put(self, key: str, request: Mapping[str, object], answer: Mapping[str, object]) -> None:
        """Keep an answer; the first one for a key stays."""
        with self._explained():
            row = (key, _json(request), _json(answer))
            self._database.execute("INSERT OR IGNORE INTO responses VALUES (?, ?, ?)", row)

    def put_many(self, rows: Iterable[Row]) -> None:
        """Keep many (key, request, answer) in one transaction: all of them or, after an error, none."""
        texts = [(key, _json(request), _json(answer)) for key, request, answer in rows]
        with self._explained(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR IGNORE INTO responses VALUES (?, ?, ?)", texts)

    def close(self) -> None:
        """Close the file; `contextlib.closing(store)` does so at the end of a block."""
        self._database.close()


def _json(value: Mapping[str, object]) -> str:
    """JSON in UTF-8, half as long for Japanese; in ASCII where an answer holds lone surrogates."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


class GroupCommit:
    """Commits the answers of concurrent requests in groups; `put` returns after its group is on the disk.

    While one group is written, by a thread, the answers that arrive form the next one: a slow disk makes larger groups,
    and a single answer waits for nobody.
    """

    def __init__(self, store: ResponseStore) -> None:
        self._store = store
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, key: str, request: Mapping[str, object], answer: Mapping[str, object]) -> None:
        """Keep an answer as `ResponseStore.put` does.

        Raises:
            InputError: the store cannot be written; then no answer of the group counts as kept.
        """
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[None] = loop.create_future()
        self._waiting.append(((key, request, answer), kept))
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write())
        await kept

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._store.put_many, [row for row, _ in group])
            except Exception as error:  # whatever it is, the askers must not wait for ever
                for _, kept in group:
                    if not kept.done():
                        kept.set_exception(error)
            else:
                for _, kept in group:
                    if not kept.done():
                        kept.set_result(None)

    def flush(self) -> None:
        """Write what still waits because its asker was cancelled; it is paid for."""
        group, self._waiting = self._waiting, []
        if group:
            self._store.put_many(row for row, _ in group)
        for _, kept in group:  # of another client, whose askers still wait
            if not kept.done():
                kept.set_result(None)
