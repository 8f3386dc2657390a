"""What a host lets robots do: its robots.txt (RFC 9309), read once in each run.

Does: allowed addresses and the pause between requests. Does not: fetch, or wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from igakulm.corpus.crawl_fetch import ROBOT, Fetched
from igakulm.errors import InputError

MAX_BYTES = 512 * 2**10
"""So much of a robots.txt is read (the standard asks for 500 KiB at least)."""


@dataclass(frozen=True)
class Robots:
    """The rules of one host. `rules` None: everything is allowed, or nothing if `closed`."""

    rules: Any = None
    closed: bool = False

    def allows(self, address: str) -> bool:
        """Whether we may ask for an address."""
        if self.rules is None:
            return not self.closed
        allowed: bool = self.rules.can_fetch(address, ROBOT)
        return allowed

    def delay(self) -> float:
        """Seconds between requests that the host asks for, 0 if it asks for none."""
        if self.rules is None:
            return 0.0
        rate = self.rules.request_rate(ROBOT)
        between = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return max(float(self.rules.crawl_delay(ROBOT) or 0.0), between)


def robots_of(answer: Fetched) -> Robots | None:
    """The rules in the answer to /robots.txt; None: the host is not to be asked now.

    A missing file (4xx) allows everything; 401 and 403 allow nothing, which is stricter than the standard. A server
    error, too many requests or no answer mean "not now".

    Raises:
        InputError: the extra `crawl` is not installed.
    """
    try:
        from protego import Protego
    except ImportError as error:
        raise InputError("crawling needs the package Protego", hint="pip install 'igakulm[crawl]'") from error
    if answer.status in (401, 403):
        return Robots(closed=True)
    if 400 <= answer.status < 500 and answer.status not in (408, 429):
        return Robots()
    if answer.status != 200 or answer.problem not in (None, "too_large"):
        return None
    return Robots(Protego.parse(answer.body.decode("utf-8", "replace").removeprefix("\ufeff")))
