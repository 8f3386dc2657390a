"""An audit log without texts, while it is written: each line has its own MAC and holds that of the line before.

Does: append lines; tell in the chain what a full disk took; take up a file after a kill; go on in a new file when the
old one was renamed. Does not: keep any text, check files (audit_check.py), or rename them (audit_rotate.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.serving.audit_check import FORMAT, read_torn
from igakulm.serving.audit_lines import FIRST, Value, digest, line_key, sealed
from igakulm.version import __version__

_NEW, _OLD = os.O_CREAT | os.O_EXCL, 0


class AuditLog:
    """A log file that is open for writing; one process at a time, one thread at a time.

    Args:
        path: the file; an existing one is checked and continued. Half a line at its end, left by a kill or a full disk,
            goes to `PATH.torn`, and the next line tells its bytes and digest.
        model: name of the model that is served.
        bundle: digest of its files.
        verified: whether that digest was computed from the files, not read from bundle.json alone.
        key: makes the chain one that only its owner can write.
        strict: every line is on the disk before `append` returns, and requests are refused while none can be written.

    Attributes:
        lost: lines that the disk refused since the last one that it took.

    Raises:
        InputError: the file cannot be opened, is in use, is empty, or its chain is broken.
    """

    def __init__(
        self,
        path: Path,
        model: str,
        bundle: str = "",
        key: bytes | None = None,
        *,
        verified: bool = False,
        strict: bool = False,
    ) -> None:
        self.path, self.key, self.strict, self.lost = path, key, strict, 0
        self._failing = False
        self._key = line_key(key)
        self._about: dict[str, Value] = {"model": model, "bundle": bundle, "verified": verified}
        is_new = not os.path.lexists(path)
        try:
            self._file = _open(path, _NEW if is_new else _OLD)
        except BlockingIOError as error:
            raise InputError("another server writes this audit log", where=str(path)) from error
        except OSError as error:
            raise explain_os_error(error, path) from error
        try:
            torn = self._begin(is_new)
            self.append(event="start", **self._opening(), **torn, pid=os.getpid(), strict=strict)
        except BaseException as error:
            os.close(self._file)
            if is_new:
                with contextlib.suppress(OSError):
                    path.unlink()
            if isinstance(error, OSError):
                raise explain_os_error(error, path) from error
            raise

    def _begin(self, is_new: bool) -> dict[str, Value]:
        self._number, self._last = 0, FIRST
        if is_new:
            return {}
        chain = read_torn(self.path, self.key)
        self._number, self._last = chain.number, chain.last
        return self._move_torn(chain.torn_bytes)

    def _opening(self) -> dict[str, Value]:
        return {"format": FORMAT, "keyed": self.key is not None, **self._about, "version": __version__}

    def _move_torn(self, size: int) -> dict[str, Value]:
        """Take half a line off the end; what the next line says about it."""
        if not size:
            return {}
        whole = os.fstat(self._file).st_size - size
        data = os.pread(self._file, size, whole)
        aside = os.open(f"{self.path}.torn", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(aside, data + b"\n")
            os.fsync(aside)
        finally:
            os.close(aside)
        os.ftruncate(self._file, whole)
        return {"torn_bytes": size, "torn_digest": digest(data, self.key)}

    def append(self, *, event: str, **fields: Value) -> int:
        """Write one line; number, time and the MAC of the line before are put in front. Returns its number.

        A line that comes after others that the disk refused tells how many these were (`lost`).

        Raises:
            OSError: the disk refuses; the file is as it was.
        """
        try:
            return self.announce(event=event, **fields)
        except OSError:
            self.lost += 1
            raise

    def announce(self, *, event: str, **fields: Value) -> int:
        """As `append`, of something that has not happened yet: a line that the disk refuses is none that was lost.

        Raises:
            OSError: as `append`.
        """
        lost = {"lost": self.lost} if self.lost else {}
        try:
            self._number, self._last = self._write(self._file, {"event": event, **lost, **fields})
        except OSError:
            self._failing = True
            raise
        self._failing, self.lost = False, 0
        return self._number

    def _write(self, file: int, fields: dict[str, Value]) -> tuple[int, str]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line, mac = sealed({"n": self._number + 1, "time": now, "previous": self._last, **fields}, self._key)
        size = os.fstat(file).st_size
        try:
            if os.write(file, line + b"\n") != len(line) + 1:
                raise OSError("the line was written in part")
            if self.strict:
                os.fdatasync(file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, size)
            raise
        return self._number + 1, mac

    def writable(self) -> bool:
        """Whether the disk takes lines: looked at by writing one, if it refused the last."""
        if not self._failing:
            return True
        try:
            self.announce(event="resumed")
        except OSError:
            return False
        return True

    def reopen(self) -> bool:
        """Go on in a new file when the old one was renamed; False = it was not.

        The old file's last line says so, the new file's first one follows it. While the new one cannot be written,
        lines go on into the old one.

        Raises:
            OSError: the new file cannot be made; nothing is lost.
        """
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self.path.stat(), os.fstat(self._file)):
                return False
        file = _open(self.path, _NEW)
        try:
            self.announce(event="rotated")
            found = self._write(file, {"event": "continued", **self._opening(), "pid": os.getpid()})
        except BaseException:
            os.close(file)
            with contextlib.suppress(OSError):
                self.path.unlink()
            raise
        os.fsync(self._file)
        os.close(self._file)
        self._file, (self._number, self._last) = file, found
        return True

    def close(self, **fields: Value) -> None:
        """Write the last line of this server (`fields` say why it ends), and close the file with all of it on disk."""
        with contextlib.suppress(OSError):
            self.append(event="stop", **fields)
        with contextlib.suppress(OSError):
            os.fsync(self._file)
        os.close(self._file)


def _open(path: Path, how: int) -> int:
    """Open for appending, with the lock that one server at a time holds.

    Raises:
        OSError: it cannot be opened; BlockingIOError where another process holds the lock.
    """
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | how, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(file)
        raise
    return file
