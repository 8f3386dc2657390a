"""Answers of local models kept on disk while an evaluation runs, so that a killed one goes on where it was.

Does: keep the answers to one chunk of questions under a hash of everything that shapes them. Does not: decide chunks,
or keep answers of endpoints (llm.py does, one by one).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from igakulm.asking.client import ResponseStore
from igakulm.files import sha256_json


class KeptAnswers:
    """A store of answers by chunk; without a `store` nothing is kept."""

    def __init__(self, store: ResponseStore | None = None) -> None:
        self._store = store

    def values(self, question: Mapping[str, Any], compute: Callable[[], list[Any]]) -> tuple[list[Any], bool]:
        """The kept answers to `question` (JSON-able), else computed and kept; and whether they were kept before."""
        if self._store is None:
            return compute(), False
        key = sha256_json(question)
        found = self._store.get(key)
        if found is not None:
            return list(found["values"]), True
        values = compute()
        self._store.put(key, {"route": "local"}, {"values": values})
        return values, False
