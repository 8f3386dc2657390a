"""How patiently a client asks again: attempts, delays, and what a server's Retry-After means.

Does: say how long to wait. Does not: wait, or know what a request is.
Source: RFC 9110, section 10.2.3 (Retry-After).
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient the client is; all durations in seconds. The functions are here so that tests need not wait.

    `attempts_before_contact` counts for a server that cannot be connected to and never was: mostly a wrong address.
    A server that was met before may be away (down, 429, 503) for `patience` seconds, however many attempts that is.
    """

    attempts: int = 8
    attempts_before_contact: int = 3
    first_delay: float = 1.0
    longest_delay: float = 60.0
    longest_retry_after: float = 900.0
    timeout: float = 900.0
    patience: float = 0.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random

    def delay(self, failures: int, retry_after: float | None = None) -> float:
        """Seconds to wait after the n-th failure: half fixed, half random, never less than the server asked for.

        >>> Retry(jitter=lambda: 1.0).delay(3), Retry(jitter=lambda: 0.0).delay(3)
        (4.0, 2.0)
        >>> Retry(jitter=lambda: 0.0).delay(1, retry_after=20.0)
        20.0
        """
        own = min(self.longest_delay, self.first_delay * 2.0 ** (failures - 1))
        if retry_after is not None:
            return retry_after + self.jitter() * min(own, self.first_delay)
        return own / 2 + self.jitter() * own / 2


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or an HTTP date), or None when absent or malformed.

    >>> parse_retry_after("7", 0.0), parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 20.0)
    (7.0, 40.0)
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
