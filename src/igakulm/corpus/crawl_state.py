"""What a crawl knows, in one SQLite file: addresses, what became of each, and how far the WARC files are valid.

Does: keep every step in one transaction, so that a crawl killed at any moment goes on where it stopped.
Does not: fetch, or write pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS addresses (
    number INTEGER PRIMARY KEY, address TEXT UNIQUE NOT NULL, site TEXT NOT NULL, host TEXT NOT NULL,
    depth INTEGER NOT NULL, hops INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting', detail TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS next_of_host ON addresses (state, host, depth, number);
CREATE TABLE IF NOT EXISTS files (
    site TEXT PRIMARY KEY, number INTEGER NOT NULL, length INTEGER NOT NULL, pages INTEGER NOT NULL,
    bytes INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An address to ask for. `depth`: links from a start; `hops`: redirects that led here."""

    address: str
    site: str
    host: str
    depth: int
    hops: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """The WARC file of a site that is written to: its number and its valid length; pages and bytes of the site."""

    number: int = 0
    length: int = 0
    pages: int = 0
    bytes: int = 0


class State:
    """The addresses of a crawl and what became of them."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def add(self, found: Iterable[Waiting]) -> None:
        """Addresses to ask for; those that are known already are left as they are."""
        with self._transaction():
            self._insert(found)

    def hosts(self) -> list[str]:
        """Hosts with addresses that wait, in the order of their first address."""
        rows = self._base.execute(
            "SELECT host FROM addresses WHERE state = 'waiting' GROUP BY host ORDER BY min(number)"
        )
        return [row[0] for row in rows]

    def next_of(self, host: str) -> Waiting:
        """The next address of a host that has one: nearest to a start first, then in the order of finding."""
        row = self._base.execute(
            "SELECT address, site, host, depth, hops, attempts FROM addresses"
            " WHERE state = 'waiting' AND host = ? ORDER BY depth, number LIMIT 1",
            (host,),
        ).fetchone()
        return Waiting(*row)

    def kept(self, site: str) -> Kept:
        """How far the pages of a site are kept."""
        row = self._base.execute("SELECT number, length, pages, bytes FROM files WHERE site = ?", (site,)).fetchone()
        return Kept(*row) if row else Kept()

    def finish(
        self,
        address: str,
        state: str,
        detail: str = "",
        *,
        found: Iterable[Waiting] = (),
        kept: tuple[str, Kept] | None = None,
    ) -> None:
        """What became of an address, the addresses found there, and the new end of its site's file: all or nothing."""
        with self._transaction():
            self._base.execute("UPDATE addresses SET state = ?, detail = ? WHERE address = ?", (state, detail, address))
            self._insert(found)
            if kept is not None:
                self._set_file(*kept)

    def start_file(self, site: str, kept: Kept) -> None:
        """The site's next pages go to another file."""
        with self._transaction():
            self._set_file(site, kept)

    def _set_file(self, site: str, kept: Kept) -> None:
        values = (site, kept.number, kept.length, kept.pages, kept.bytes)
        self._base.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)

    def tried(self, address: str, detail: str) -> None:
        """One more attempt was in vain; the address goes on waiting."""
        with self._transaction():
            self._base.execute(
                "UPDATE addresses SET attempts = attempts + 1, detail = ? WHERE address = ?", (detail, address)
            )

    def refuse_waiting(self, site: str, detail: str) -> None:
        """Leave out everything that still waits of a site."""
        change = "UPDATE addresses SET state = 'refused', detail = ? WHERE site = ? AND state = 'waiting'"
        with self._transaction():
            self._base.execute(change, (detail, site))

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Site -> state -> detail -> addresses."""
        counts: dict[str, dict[str, dict[str, int]]] = {}
        group = "site, state, detail"
        rows = self._base.execute(f"SELECT {group}, count(*) FROM addresses GROUP BY {group} ORDER BY {group}")
        for site, state, detail, count in rows:
            counts.setdefault(site, {}).setdefault(state, {})[detail] = count
        return counts

    def _insert(self, found: Iterable[Waiting]) -> None:
        rows = [(one.address, one.site, one.host, one.depth, one.hops) for one in found]
        self._base.executemany(
            "INSERT OR IGNORE INTO addresses (address, site, host, depth, hops) VALUES (?, ?, ?, ?, ?)", rows
        )

    def _transaction(self) -> Any:
        # isolation_level=None: the connection's own `with` would not begin one.
        self._base.execute("BEGIN IMMEDIATE")
        return self._base
