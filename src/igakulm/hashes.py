"""Hashes of large files, computed once: remembered by device, inode, size, modification and change time.

Does: SHA-256 of files, and a file of those that are known. Does not: trust names, or times that a program may set: the
change time is the kernel's, and whoever writes to a file, or replaces it, changes it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, write_json

MOST_KNOWN = 100_000
_TICK = 50_000_000
"""Nanoseconds. The kernel's clock for files goes in steps of up to 10 ms: a file that changed just now could change
again without a new time, and its hash is not kept."""


class FileHashes:
    """SHA-256 of files.

    Args:
        memory: a file with what was hashed before; one that is missing or damaged is the same as an empty one.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = _read(memory)
        self._seen: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """Hex SHA-256 of a file's content.

        Raises:
            OSError: it cannot be read.
        """
        status, now = path.stat(), time.time_ns()
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        key = ":".join(map(str, stamp))
        digest = self._known.get(key) or self._seen.get(key)
        if digest is None:
            digest = sha256_file(path)
        if status.st_ctime_ns < now - _TICK:
            self._seen[key] = digest
        return digest

    def save(self) -> None:
        """Write the memory, if there is anything new. One that cannot be written costs the time of hashing again."""
        if self._seen.items() - self._known.items():
            self._known = dict(list({**self._known, **self._seen}.items())[-MOST_KNOWN:])
            with suppress(InputError):
                write_json(self._memory, self._known)


def _read(path: Path) -> dict[str, str]:
    try:
        value = read_json(path)
    except (InputError, OSError):
        return {}
    found = value.items() if isinstance(value, dict) else ()
    return {str(key): str(text) for key, text in found if isinstance(text, str)}
