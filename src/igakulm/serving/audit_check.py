"""Whether an audit log is whole: every line's MAC, every link to the line before, from file to file.

Does: check a file, or several that rotation made of one chain; name the first line that does not hold. Does not: notice
that the last lines were cut off: who needs that notes the last MAC elsewhere from time to time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error
from igakulm.serving.audit_lines import FIRST, Value, fits, line_key, unsealed

FORMAT = 2
_MEND = "keep the file as it is for whoever looks into it, and begin another with --audit-log"
_OPENINGS = ("start", "continued")


@dataclass(slots=True)
class Chain:
    """What a file, or several in a row, tell.

    Attributes:
        lines: how many.
        number: of the last line; more than `lines` where the chain began in an earlier file.
        requests: lines of answered or refused requests.
        lost: lines that the disk refused, as later lines tell.
        open_requests: requests that were begun and never ended, as `--audit-strict` shows them.
        stops: how often a server ended in order.
        starts: how often one began.
        first_time: of the first line.
        last_time: of the last line.
        follows: MAC of the line before the first, in an earlier file; empty at the beginning of a chain.
        last: MAC of the last line; note it elsewhere.
        keyed: whether MACs need a key.
        torn_bytes: of half a line at the end, as a kill or a full disk leaves it; it counts as no line.
    """

    lines: int = 0
    number: int = 0
    requests: int = 0
    lost: int = 0
    open_requests: int = 0
    starts: int = 0
    stops: int = 0
    first_time: str = ""
    last_time: str = ""
    follows: str = ""
    last: str = FIRST
    keyed: bool = False
    torn_bytes: int = 0


def check_audit_log(path: Path, key: bytes | None = None) -> Chain:
    """As `check_audit_logs`, of one file."""
    return check_audit_logs([path], key)


def check_audit_logs(paths: Sequence[Path], key: bytes | None = None) -> Chain:
    """Check that every line is as it was written, and follows from the one before it.

    Args:
        paths: the files of a chain in order, the oldest first.
        key: the owner's; None = there was none.

    Raises:
        InputError: names the first line that was changed, inserted or removed; another key; a file without a line.
    """
    chain = Chain(keyed=key is not None)
    for place, path in enumerate(paths):
        before = chain.lines
        _read_file(path, chain, key, joined=place > 0)
        if chain.lines == before:
            raise InputError("this file holds no line, and so no chain", where=str(path), hint=_MEND)
        if chain.torn_bytes and path != paths[-1]:
            raise InputError("the file ends in half a line, but another follows", where=str(path), hint=_MEND)
    return chain


def read_torn(path: Path, key: bytes | None) -> Chain:
    """As `check_audit_log`, where a file that holds nothing but half of its first line is a chain without lines."""
    chain = Chain(keyed=key is not None)
    _read_file(path, chain, key, joined=False)
    if not chain.lines and not chain.torn_bytes:
        what = "this file is there but empty: lines were removed, or another program made it"
        raise InputError(what, where=str(path), hint="remove it if nothing was ever in it, or name another file")
    return chain


def _read_file(path: Path, chain: Chain, key: bytes | None, *, joined: bool) -> None:
    own = line_key(key)
    for place, line in enumerate(_lines(path), 1):
        if not line.endswith(b"\n"):
            chain.torn_bytes = len(line)
            return
        where = f"{path}:{place}"
        record, body, mac = _open(line[:-1], where)
        if record["event"] in _OPENINGS and bool(record.get("keyed")) != (key is not None):
            what = "was written with a key" if record.get("keyed") else "was written without a key"
            raise InputError(f"this audit log {what}", where=str(path), hint="IGAKULM_AUDIT_KEY holds the key")
        if not fits(body, mac, own):
            what = "this line was changed" if key is None else "this line was changed, or the key is another"
            raise InputError(what, where=where, hint=_MEND)
        begins = place == 1 and not joined
        if begins and record["event"] == "continued" and isinstance(record["n"], int):
            chain.number, chain.last = record["n"] - 1, str(record["previous"])
            chain.follows = chain.last
        if (begins and record["event"] not in _OPENINGS) or (record["n"], record["previous"]) != (
            chain.number + 1,
            chain.last,
        ):
            what = "the chain breaks here: a line was added or removed, here or just before"
            raise InputError(what, where=where, hint=_MEND)
        _count(record, chain)
        chain.last = mac


def _count(record: dict[str, Value], chain: Chain) -> None:
    event, lost = record["event"], record.get("lost", 0)
    chain.lines, chain.number = chain.lines + 1, chain.number + 1
    chain.requests += event == "request"
    chain.open_requests += (event == "begin") - (event == "request" and "begin" in record)
    chain.starts, chain.stops = chain.starts + (event == "start"), chain.stops + (event == "stop")
    chain.lost += lost if isinstance(lost, int) else 0
    chain.last_time = str(record.get("time"))
    chain.first_time = chain.first_time or chain.last_time


def _open(line: bytes, where: str) -> tuple[dict[str, Value], bytes, str]:
    found = unsealed(line)
    if found is not None:
        return found
    try:
        old = json.loads(line)
    except (ValueError, RecursionError):
        old = None
    if isinstance(old, dict) and old.get("format") == 1:
        hint = "check it with the version that wrote it; name another file for new lines"
        raise InputError("an audit log of format 1: its lines have no MAC of their own", where=where, hint=hint)
    raise InputError("this is no line of an audit log", where=where, hint=_MEND)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise explain_os_error(error, path) from error
