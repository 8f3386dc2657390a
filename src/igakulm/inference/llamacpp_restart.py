"""A llama.cpp process that is replaced when it died.

Does: hand out a living process, start a new one for the next request after a death, refuse to do so all the time.
Does not: repeat the request that was under way; its caller gets `EngineFailed`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.inference.llamacpp_process import LlamaCppProcess

MOST_STARTS, WITHIN = 3, 60.0
"""So many new processes in so many seconds; a file or machine that kills more of them is not mended by another."""


class LastingProcess:
    """One process at a time.

    Args:
        start: starts a process.

    Attributes:
        restarts: how many processes had to be replaced.

    Raises:
        InputError: the first process does not start.
    """

    def __init__(self, start: Callable[[], LlamaCppProcess]) -> None:
        self._start, self._lock = start, threading.Lock()
        self._process, self._closed = start(), False
        self._times: deque[float] = deque(maxlen=MOST_STARTS)
        self.restarts = 0

    @property
    def alive(self) -> bool:
        """Whether the process of now can take requests; if not, the next request starts another one."""
        return self._process.alive

    @property
    def pid(self) -> int:
        """Process id of the child of now."""
        return self._process.pid

    def current(self) -> LlamaCppProcess:
        """A living process.

        Raises:
            EngineFailed: closed, too many deaths in a short time, or the file can no longer be loaded.
        """
        with self._lock:
            if self._closed:
                raise EngineFailed("this engine is closed")
            if not self._process.alive:
                self._replace()
            return self._process

    def _replace(self) -> None:
        self._process.close()
        now = time.monotonic()
        if len(self._times) == MOST_STARTS and now - self._times[0] < WITHIN:
            wait = WITHIN - (now - self._times[0])
            raise EngineFailed(f"the llama.cpp process ended {MOST_STARTS} times; the next start is in {wait:.0f} s")
        self._times.append(now)
        try:
            self._process = self._start()
        except InputError as error:
            raise EngineFailed(f"the llama.cpp process cannot be started again: {error.what}") from error
        self.restarts += 1

    def close(self) -> None:
        """End the process; harmless when it is gone already."""
        with self._lock:
            self._closed = True
            self._process.close()
