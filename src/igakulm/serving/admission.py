"""Who may use the model now, who waits, and who is sent away.

Does: as many at once as the engine has lanes, a short queue in order of arrival, a refusal beyond it or after too long
a wait. Does not: know HTTP or engines.

A turn belongs to no event loop: it is given back from whatever thread the work ended in, and whoever waits takes it
itself when it wakes. A loop that ends with a request of its own (a test client opens one for each) loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field

LOOK_AGAIN = 1.0
"""Seconds after which a waiter looks by itself, should the one before it have ended without waking it."""


class Busy(Exception):
    """The queue is full."""


class WaitedTooLong(Exception):
    """No turn came within the time."""


@dataclass(eq=False, slots=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class AdmissionQueue:
    """A semaphore with a queue of limited length, for any number of threads and event loops.

    Args:
        queue: how many may wait beside those that are answered.
        lanes: how many are answered at once.
        seconds: longest wait for a turn.
    """

    def __init__(self, queue: int, lanes: int = 1, seconds: float = float("inf")) -> None:
        self._most, self._lanes, self._seconds = queue, lanes, seconds
        self._running = 0
        self._queue: list[_Waiter] = []
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """How many are answered now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        with self._lock:
            self._sweep()
            return len(self._queue)

    async def acquire(self) -> None:
        """Wait for the turn.

        Raises:
            Busy: the queue is full.
            WaitedTooLong: no turn came within the time.
        """
        waiter = _Waiter(asyncio.get_running_loop())
        with self._lock:
            self._sweep()
            if self._running + len(self._queue) >= self._lanes + self._most:
                raise Busy
            self._queue.append(waiter)
        try:
            await self._wait(waiter)
        except BaseException:
            with self._lock:
                self._queue = [other for other in self._queue if other is not waiter]
                self._wake()
            raise

    async def _wait(self, waiter: _Waiter) -> None:
        end = time.monotonic() + self._seconds
        while not self._enter(waiter):
            left = end - time.monotonic()
            if left <= 0:
                raise WaitedTooLong
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_AGAIN)):
                    await waiter.wake.wait()
            waiter.wake.clear()

    def _enter(self, waiter: _Waiter) -> bool:
        """Take a free lane if nobody who came earlier waits for it."""
        with self._lock:
            self._sweep()
            if waiter not in self._queue:  # its loop stood still for a moment, and somebody swept
                self._queue.append(waiter)
            if self._queue.index(waiter) >= self._lanes - self._running:
                return False
            self._queue.remove(waiter)
            self._running += 1
            return True

    def release(self) -> None:
        """Let the next one in; from any thread."""
        with self._lock:
            self._running -= 1
            self._sweep()
            self._wake()

    def _sweep(self) -> None:
        """Forget those whose loop has ended under them."""
        self._queue = [waiter for waiter in self._queue if waiter.loop.is_running()]

    def _wake(self) -> None:
        for waiter in self._queue[: self._lanes - self._running]:
            with contextlib.suppress(RuntimeError):  # the loop ended just now: the next one looks again by itself
                waiter.loop.call_soon_threadsafe(waiter.wake.set)
