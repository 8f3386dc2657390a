"""The journal of a batch: what is done stays done when the process is killed, and nothing is done twice.

Does: one JSON object a line beside the result, each synced before the next record begins; take up a journal of the same
work; give its entries in the order of the records. Does not: know what an entry says.

A line that a kill cut off is dropped: its record is asked again, and nothing of it was counted as done.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, sync

FORMAT = 1


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
            self._file = path.open("a+b")
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
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            entry = self._parsed(line)
            if whole == 0:
                self._compare(entry, work)
            else:
                self._places[int(entry["number"])] = whole
            whole += len(line)
        self._file.truncate(whole)
        if whole == 0:
            self._append({"format": FORMAT, "work": work})
            sync(self.path.parent)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
            if isinstance(entry, dict) and ("work" in entry or type(entry["number"]) is int):
                return entry
        except (ValueError, KeyError):
            pass
        hint = "remove it: the batch then begins anew"
        raise InputError("this journal of a batch is damaged", where=str(self.path), hint=hint)

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
        try:
            place = self._file.seek(0, os.SEEK_END)
            self._file.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        return place

    def add(self, number: int, entry: Mapping[str, object]) -> None:
        """Keep the entry of a record; it is on the disk when this returns."""
        self._places[number] = self._append({"number": number, **entry})

    def entries(self, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Entries in the order of their numbers, up to the number `most`."""
        for number in sorted(self._places):
            if most is None or number <= most:
                self._file.seek(self._places[number])
                yield self._parsed(self._file.readline())

    def remove(self) -> None:
        """The result is written: the journal has done its service."""
        self.path.unlink(missing_ok=True)
