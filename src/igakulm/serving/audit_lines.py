"""One line of an audit log: JSON that ends with its own MAC and holds that of the line before.

Does: digests with and without a key; write a line's bytes, read them and check their MAC. Does not: know files, or what
lines tell.
With a key digests and MACs are HMAC-SHA-256, else plain SHA-256. The key of lines is derived from the owner's key, so
that no digest of a text that a client chose can ever be the MAC of a line.
Source: RFC 2104 (HMAC); RFC 5869, section 3.2 (one key for each use).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None
FIRST = "0" * 64
"""What the first line of a chain holds in the place of a MAC before it."""
_USE = b"igakulm audit line"
_END = re.compile(rb', "mac": "([0-9a-f]{64})"}\Z')


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


def line_key(key: bytes | None) -> bytes | None:
    """The key of lines, from the owner's key."""
    return hmac.digest(key, _USE, "sha256") if key else None


def sealed(record: Mapping[str, Value], key: bytes | None) -> tuple[bytes, str]:
    """A line without its line end, and its MAC; `key` is a `line_key`.

    >>> sealed({"n": 1}, None)[0]
    b'{"n": 1, "mac": "e5d5f7c1d225fd6b13623ebb1b5b9d075c705659f81868b1e37005a0923b0346"}'
    """
    body = json.dumps(record, ensure_ascii=True).encode()
    mac = digest(body, key)
    return body[:-1] + b', "mac": "' + mac.encode() + b'"}', mac


def unsealed(line: bytes) -> tuple[dict[str, Value], bytes, str] | None:
    """Fields, the bytes that the MAC covers, and the MAC that stands in the line; None = this is no such line."""
    end = _END.search(line)
    if end is None:
        return None
    body = line[: end.start()] + b"}"
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not {"n", "previous", "event"} <= record.keys():
        return None
    return record, body, end[1].decode()


def fits(body: bytes, mac: str, key: bytes | None) -> bool:
    """Whether a MAC is that of a line's bytes."""
    return hmac.compare_digest(digest(body, key), mac)
