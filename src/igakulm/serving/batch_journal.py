"""The journal of a batch: what is done stays done when the process is killed, and nothing is done twice.

Does: one JSON object a line beside the result, each synced before the next record begins; take up a journal of the same
work; give its entries in the order of the records. Does not: know what an entry says.

A line that a kill cut off is dropped: its record is asked again, and nothing of it was counted as done.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, sync

FORMAT = 2
_CHECK = 8
"""Hex digits before each line's JSON: CRC-32 of it, so that a line that a disk damaged is told from a whole one."""


class Journal:
    """Entries by the number of their record.

    Args:
        path: the file; made when it is absent.
        work: what makes two runs the same work; compared with the journal that lies there.

    Raises:
        InputError: the journal is of other work, is damaged, or another process writes it.
    """

    def __init__(self, path: Path, work: Mapping[str, object]) -> None:
        self.path = path
        self._places: dict[int, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what a full disk refused would be written again when the file is closed.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise explain_os_error(error, path) from error
        try:
            self._lock()
            self._take_up(work)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __len__(self) -> int:
        return len(self._places)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError("another process writes this result", where=str(self.path), hint="wait for it") from error

    def _take_up(self, work: Mapping[str, object]) -> None:
        whole = 0
        with self.path.open("rb") as file:
            for place, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                entry = self._parsed(line, place)
                if whole == 0:
                    self._compare(entry, work)
                else:
                    self._places[int(entry["number"])] = whole
                whole += len(line)
        try:
            self._file.truncate(whole)
            if whole == 0:
                self._append({"format": FORMAT, "work": work})
                sync(self.path.parent)
        except OSError as error:
            raise explain_os_error(error, self.path) from error

    def _parsed(self, line: bytes, place: int) -> dict[str, Any]:
        check, _, data = line.rstrip(b"\n").partition(b" ")
        if check != _check(data):
            raise self._damaged(place)
        entry = json.loads(data)
        if not isinstance(entry, dict) or (place > 1 and type(entry.get("number")) is not int):
            raise self._damaged(place)
        return entry

    def _damaged(self, place: int) -> InputError:
        hint = "remove it: the batch then begins anew"
        what = "this journal of a batch is damaged, or of another version"
        return InputError(what, where=f"{self.path}, line {place}", hint=hint)

    def _compare(self, entry: Mapping[str, object], work: Mapping[str, object]) -> None:
        before = entry.get("work")
        if not isinstance(before, dict) or entry.get("format") != FORMAT:
            before = {}
        other = sorted(name for name in work if before.get(name) != work[name])
        if other:
            hint = "give the same input and options as then, another --out, or remove this file to begin anew"
            what = f"an unfinished batch with another {', '.join(other)} lies here"
            raise InputError(what, where=str(self.path), hint=hint)

    def _append(self, entry: Mapping[str, object]) -> int:
        data = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")
        line = _check(data) + b" " + data + b"\n"
        place = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(place)
            raise explain_os_error(error, self.path) from error
        return place

    def add(self, number: int, entry: Mapping[str, object]) -> None:
        """Keep the entry of a record; it is on the disk when this returns."""
        self._places[number] = self._append({"number": number, **entry})

    def entries(self, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Entries in the order of their numbers, up to the number `most`."""
        with self.path.open("rb") as file:
            for number in sorted(self._places):
                if most is None or number <= most:
                    file.seek(self._places[number])
                    yield self._parsed(file.readline(), number + 1)

    def remove(self) -> None:
        """The result is written: the journal has done its service."""
        self.path.unlink(missing_ok=True)


def _check(data: bytes) -> bytes:
    return b"%0*x" % (_CHECK, zlib.crc32(data))
