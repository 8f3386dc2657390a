"""Who may ask: keys with a name, the tasks that each may use, and how often.

Does: read `keys.yaml`, find the owner of a key, count requests a minute, make a new key. Does not: hold a key itself:
the file has the SHA-256 of each, which is enough for a random key of 24 bytes (a password would need a slow hash).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from igakulm.errors import InputError, did_you_mean
from igakulm.recipe.keys import Positive, Section
from igakulm.recipe.loading import load_yaml

CHAT, COMPLETIONS, METRICS = "chat", "completions", "metrics"
"""Names of the two routes of OpenAI, and of `/metrics`, among the names of tasks."""
_ALWAYS = (CHAT, COMPLETIONS, METRICS)
WINDOW = 60.0
ONE_KEY = "IGAKULM_API_KEY"


class KeyEntry(Section):
    """One key of keys.yaml.

    Attributes:
        name: who has it: a ward, a program. It stands in the audit log.
        sha256: of the key's bytes.
        tasks: names of tasks, `chat`, `completions`, `metrics`; None = all.
        requests_a_minute: None = as many as the queue takes.
    """

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tasks: tuple[str, ...] | None = None
    requests_a_minute: Positive | None = None


class KeyFile(Section):
    """keys.yaml."""

    keys: Annotated[tuple[KeyEntry, ...], Field(min_length=1)]


@dataclass(slots=True)
class Owner:
    """Who has a key; `recent` are the times of its requests of the last minute."""

    name: str
    tasks: frozenset[str] | None = None
    requests_a_minute: int | None = None
    recent: deque[float] = field(default_factory=deque)

    def may(self, task: str) -> bool:
        """Whether a task, `chat` or `completions` is among what this key is for."""
        return self.tasks is None or task in self.tasks

    def wait(self, now: float) -> float:
        """Count a request; 0, or the seconds until it may come again (it then counts for nothing)."""
        if self.requests_a_minute is None:
            return 0.0
        while self.recent and now - self.recent[0] >= WINDOW:
            self.recent.popleft()
        if len(self.recent) >= self.requests_a_minute:
            return WINDOW - (now - self.recent[0])
        self.recent.append(now)
        return 0.0


class Keys:
    """All keys of a server.

    Args:
        one: the key of the environment, which may do everything; None = there is none.
        path: keys.yaml, or None.
        known: names of tasks that the file may use; None = they are not compared.
        clock: seconds.

    Raises:
        InputError: a file that is missing or wrong, a name or hash that is there twice, an unknown task.
    """

    def __init__(
        self,
        one: str | None = None,
        path: Path | None = None,
        known: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._one, self._path, self._known, self.clock = one, path, known, clock
        self._owners: dict[str, Owner] = {}
        self.read()

    def __bool__(self) -> bool:
        """Whether any key is asked for."""
        return bool(self._owners)

    def read(self) -> None:
        """Read the file again; requests of the last minute stay counted.

        Raises:
            InputError: as when it is read first; the keys of before stay.
        """
        before = {owner.name: owner.recent for owner in self._owners.values()}
        owners = {} if self._one is None else {_hash(self._one.encode()): Owner(ONE_KEY)}
        if self._path is not None:
            file = load_yaml(self._path, KeyFile, "list of keys", "make an entry with `igakulm key NAME`")
            for entry in file.keys:
                self._check(entry, owners)
                tasks = None if entry.tasks is None else frozenset(entry.tasks)
                owners[entry.sha256] = Owner(entry.name, tasks, entry.requests_a_minute)
        for owner in owners.values():
            owner.recent = before.get(owner.name, owner.recent)
        self._owners = owners

    def _check(self, entry: KeyEntry, owners: dict[str, Owner]) -> None:
        if entry.sha256 in owners or any(owner.name == entry.name for owner in owners.values()):
            raise InputError(f"the name or the hash of {entry.name!r} is there twice", where=str(self._path))
        for task in entry.tasks or ():
            if self._known is not None and task not in (there := (*_ALWAYS, *self._known)):
                near = did_you_mean(task, there)
                hint = f"did you mean {near!r}?" if near else f"there are {', '.join(there)}"
                raise InputError(f"{entry.name!r} names an unknown task {task!r}", where=str(self._path), hint=hint)

    def owner(self, key: bytes) -> Owner | None:
        """Who has this key. Its hash is looked up, so the time tells nothing of other keys."""
        return self._owners.get(_hash(key))


def _hash(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def new_key(name: str) -> tuple[str, str]:
    """A new random key, and its entry for keys.yaml.

    Raises:
        InputError: a name that cannot stand in the file.
    """
    key = secrets.token_hex(24)
    try:
        KeyEntry(name=name, sha256=_hash(key.encode()))
    except ValueError as error:
        raise InputError("a name has 1 to 64 characters on one line", where=repr(name)) from error
    quoted = name.replace("'", "''")
    return key, f"  - name: '{quoted}'\n    sha256: {_hash(key.encode())}\n"
