"""Refused visitors in the audit log: failed keys, foreign hosts and origins, too many requests.

Does: write the first of a kind from an address at once, count those that follow within a minute, and write their number
then. Does not: let somebody without a key fill the disk, one line a request.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from igakulm.serving.audit import AuditLog
from igakulm.serving.visitor import Visitor

LOG = logging.getLogger("igakulm.serving")
WITHIN = 60.0
"""Seconds in which refusals of one kind from one address are one line."""
MOST_KINDS = 256
"""Pairs of kind and address that are counted apart; beyond them the oldest is written early."""


class Refusals:
    """What the guard refused.

    Args:
        audit: where lines go; None = only counted for the log on standard error.
        clock: seconds.

    Attributes:
        totals: how often each code was given.
    """

    def __init__(self, audit: AuditLog | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.audit, self._clock = audit, clock
        self.totals: Counter[str] = Counter()
        self._counted: dict[tuple[str, str, str], tuple[float, int]] = {}

    def add(self, code: str, visitor: Visitor) -> None:
        """One more."""
        self.totals[code] += 1
        kind, now = (code, visitor.address, visitor.name), self._clock()
        since, count = self._counted.get(kind, (now - WITHIN, 0))
        if now - since < WITHIN:
            self._counted[kind] = (since, count + 1)
            return
        self._counted.pop(kind, None)
        if len(self._counted) >= MOST_KINDS:
            self._tell(next(iter(self._counted)))
        self._write(kind, count + 1)
        self._counted[kind] = (now, 0)

    def flush(self) -> None:
        """Write what is counted and not yet written."""
        for kind in list(self._counted):
            self._tell(kind)

    def _tell(self, kind: tuple[str, str, str]) -> None:
        _, count = self._counted.pop(kind)
        if count:
            self._write(kind, count)

    def _write(self, kind: tuple[str, str, str], count: int) -> None:
        code, address, name = kind
        LOG.warning("refused: %s from %s%s, %d times", code, address or "?", f" ({name})" if name else "", count)
        if self.audit is None:
            return
        try:
            self.audit.append(event="refused", code=code, client=address, key=name, count=count)
        except OSError as error:
            LOG.error("the audit log cannot be written: %s", error.strerror or error)
