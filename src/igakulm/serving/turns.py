"""Who may use the model now, who waits, and who is sent away.

Does: as many at once as the engine has lanes, a short queue in order of arrival, a refusal beyond it.
Does not: know HTTP or engines.
"""

from __future__ import annotations

import asyncio


class Busy(Exception):
    """The queue is full."""


class Turns:
    """A semaphore with a queue of limited length.

    Args:
        queue: how many may wait beside those that are answered.
        lanes: how many are answered at once.
    """

    def __init__(self, queue: int, lanes: int = 1) -> None:
        self._free, self._most, self._inside = asyncio.Semaphore(lanes), queue + lanes, 0
        self._running = 0

    @property
    def running(self) -> int:
        """How many are answered now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return self._inside - self._running

    async def take(self) -> None:
        """Wait for the turn.

        Raises:
            Busy: the queue is full.
        """
        if self._inside >= self._most:
            raise Busy
        self._inside += 1
        try:
            await self._free.acquire()
        except BaseException:
            self._inside -= 1
            raise
        self._running += 1

    def give_back(self) -> None:
        """Let the next one in."""
        self._inside -= 1
        self._running -= 1
        self._free.release()
