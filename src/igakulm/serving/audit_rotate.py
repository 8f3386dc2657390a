"""Rotation of an audit log: the file gets the time as part of its name, and the chain goes on in a new file.

Does: rename, ask the server that writes the file to go on (SIGHUP), wait until it has; without a server do it here.
Does not: remove or compress old files.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.serving.audit import AuditLog
from igakulm.serving.audit_check import check_audit_log
from igakulm.serving.audit_lines import unsealed

PATIENCE = 60.0
"""Seconds for the server to go on in the new file."""


def rotate(path: Path, key: bytes | None = None, *, pause: Callable[[float], None] = time.sleep) -> Path:
    """Rename a log to `PATH.YYYYMMDDTHHMMSSffffffZ`; returns the new name.

    The server need not stop, and every line is in one of the two files.

    Raises:
        InputError: the chain is broken, another program holds the file, the server does not go on (it then writes into
            the renamed file, and nothing is lost).
    """
    chain = check_audit_log(path, key)
    aside = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    writer = _writer(path)
    if writer is None:
        _alone(path, aside, key)
        return aside
    try:
        path.rename(aside)
        os.kill(writer, signal.SIGHUP)
    except OSError as error:
        raise explain_os_error(error, path) from error
    end = time.monotonic() + PATIENCE
    while not path.exists() or not path.stat().st_size:
        if time.monotonic() > end:
            what = f"process {writer} does not go on in a new file; its lines go to the renamed one"
            raise InputError(what, where=str(aside), hint="see its log; is the disk full?")
        pause(0.05)
    if check_audit_log(path, key).number <= chain.number:
        raise InputError("another chain began in the place of the old one", where=str(path))
    return aside


def _alone(path: Path, aside: Path, key: bytes | None) -> None:
    """No server writes: take the file as one would, and go on at once."""
    log = AuditLog(path, "", key=key)
    try:
        path.rename(aside)
        log.reopen()
    except OSError as error:
        raise explain_os_error(error, path) from error
    finally:
        log.close(reason="rotated by hand")


def _writer(path: Path) -> int | None:
    """The process that holds the file open, as the last line of a start or of a new file names it; None = no one."""
    pid = 0
    for line in path.read_bytes().splitlines():
        found = unsealed(line)
        if found and found[0]["event"] in ("start", "continued") and isinstance(found[0].get("pid"), int):
            pid = int(str(found[0]["pid"]))
    mine = path.stat()
    try:
        held = [entry.stat() for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.exists()]
    except OSError:
        return None
    return pid if any(os.path.samestat(mine, one) for one in held) else None
