"""One piece of writing at a time, done by a thread while training goes on.

Does: run a function in the background, at most one; hand its error to whoever asks next.
Does not: know what is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Background:
    """Leaving the `with` block waits for the work in hand; an error of the block goes before one of the work."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.wait()
        elif self._thread is not None:
            self._thread.join()

    def start(self, work: Callable[[], None]) -> None:
        """Wait for the work before, then begin this one.

        Raises:
            Exception: what the work before has raised.
        """
        self.wait()

        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=run, name="checkpoint")
        self._thread.start()

    def check(self) -> None:
        """Raise what finished work has raised; does not wait.

        Raises:
            Exception: the work's own.
        """
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Wait until the work is done.

        Raises:
            Exception: the work's own.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
