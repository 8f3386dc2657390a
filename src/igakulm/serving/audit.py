"""An audit log without texts: each line holds the hash of the line before it.

Does: append a line for every request, with counts and digests; check a whole file. Does not: keep any text, or notice
that the last lines of a file were cut off: who needs that notes the last hash elsewhere from time to time.
With a key (environment IGAKULM_AUDIT_KEY) digests and chain are HMAC-SHA-256: without the key nobody can write the
chain anew, or guess short texts from their digests. Without a key they are plain SHA-256.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.version import __version__

FORMAT = 1
FIRST = "0" * 64
_MEND = "keep the file as it is for whoever looks into it, and begin another with --audit-log"


class Digest:
    """SHA-256 or, with a key, HMAC-SHA-256 of bytes that come in parts."""

    def __init__(self, key: bytes | None = None) -> None:
        self._hash = hmac.new(key, digestmod="sha256") if key else hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self._hash.update(data)

    def hex(self) -> str:
        """The digest of all bytes so far."""
        return self._hash.hexdigest()


def digest(data: bytes, key: bytes | None = None) -> str:
    """Hex digest of bytes, as it stands in a log: `digest(answer.encode())` finds an answer again.

    >>> digest("はい".encode())[:16]
    '8f90d85ec13a0b1b'
    """
    one = Digest(key)
    one.update(data)
    return one.hex()


class AuditLog:
    """A log file that is open for writing; one process at a time.

    Args:
        path: the file; an existing one is checked and continued. Half a line at its end, left by a kill or a full disk,
            goes to `PATH.torn`, and the next line tells its bytes and digest.
        model: name of the model that is served.
        bundle: digest of its bundle, as `igakulm verify` prints it.
        key: makes the chain one that only its owner can write.

    Raises:
        InputError: the file cannot be opened, is in use, or its chain is broken.
    """

    def __init__(self, path: Path, model: str, bundle: str = "", key: bytes | None = None) -> None:
        self.path, self.key = path, key
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explain_os_error(error, path) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = check_audit_log(path, key)
            torn = self._move_torn(found["torn_bytes"])
        except BlockingIOError as error:
            os.close(self._file)
            raise InputError("another server writes this audit log", where=str(path)) from error
        except BaseException:
            os.close(self._file)
            raise
        self._lines, self._last = found["lines"], found["last"]
        about = {"model": model, "bundle": bundle, "version": __version__, **torn}
        self.append(event="start", format=FORMAT, keyed=key is not None, **about)

    def _move_torn(self, size: int) -> dict[str, Any]:
        """Take half a line off the end; what the next line says about it."""
        if not size:
            return {}
        whole = os.fstat(self._file).st_size - size
        data = os.pread(self._file, size, whole)
        try:
            aside = os.open(f"{self.path}.torn", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(aside, data + b"\n")
                os.fsync(aside)
            finally:
                os.close(aside)
            os.ftruncate(self._file, whole)
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        return {"torn_bytes": size, "torn_digest": digest(data, self.key)}

    def append(self, **fields: Any) -> None:
        """Write one line; number, time and the hash of the line before are put in front.

        Raises:
            OSError: the disk refuses; the file is as it was.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        record = {"n": self._lines + 1, "time": now, "previous": self._last, **fields}
        line = json.dumps(record, ensure_ascii=True).encode()
        size = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line + b"\n") != len(line) + 1:
                raise OSError("the line was written in part")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise
        self._lines, self._last = self._lines + 1, digest(line, self.key)

    def close(self) -> None:
        """Close the file, with everything on the disk."""
        with contextlib.suppress(OSError):
            os.fsync(self._file)
        os.close(self._file)


def check_audit_log(path: Path, key: bytes | None = None) -> dict[str, Any]:
    """Check that every line follows from the one before it.

    Returns:
        lines, requests, first_time, last_time, last (hash of the last line; note it elsewhere), keyed, torn_bytes (of
        half a line at the end, as a kill or a full disk leaves it; it counts as no line).

    Raises:
        InputError: names the first line that was changed, inserted or removed; or another key.
    """
    last, count, requests, times, keyed, torn = FIRST, 0, 0, ["", ""], key is not None, 0
    for number, line in enumerate(_lines(path), 1):
        if not line.endswith(b"\n"):
            torn = len(line)
            break
        count, line = number, line[:-1]
        record = _record(line, path, count)
        if record.get("event") == "start":
            keyed = bool(record.get("keyed"))
            if keyed != (key is not None):
                what = "was written with a key" if keyed else "was written without a key"
                raise InputError(f"this audit log {what}", where=str(path), hint="IGAKULM_AUDIT_KEY holds the key")
        if record["n"] != count or not hmac.compare_digest(str(record["previous"]), last):
            what = "the chain breaks here: a line was changed, added or removed, here or just before"
            raise InputError(what + (", or the key is another" if key else ""), where=f"{path}:{count}", hint=_MEND)
        last = digest(line, key)
        requests += record.get("event") == "request"
        times = [times[0] or str(record.get("time")), str(record.get("time"))]
    found = {"lines": count, "requests": requests, "first_time": times[0], "last_time": times[1]}
    return {**found, "last": last, "keyed": keyed, "torn_bytes": torn}


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise explain_os_error(error, path) from error


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not {"n", "previous"} <= record.keys():
        raise InputError("this is no line of an audit log", where=f"{path}:{number}", hint=_MEND)
    return record
