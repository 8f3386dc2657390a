"""Progress of long work: rate and time left on a terminal, plain lines in a log, nothing in tests.

A stage receives a `Progress` and never prints by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Bar(Protocol):
    """One bar: `advance` by finished units; `note` replaces the short text beside the bar (a loss, a count)."""

    def advance(self, amount: float = 1.0) -> None: ...

    def note(self, text: str) -> None: ...


class Progress(Protocol):
    """What a stage may tell its user."""

    @contextmanager
    def task(self, name: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        """A bar for the duration of the `with` block; `total` in `unit`s, None when unknown."""
        yield SilentTask()

    def say(self, text: str) -> None:
        """One line that stays on the screen."""


class SilentTask:
    """A task that shows nothing."""

    def advance(self, amount: float = 1.0) -> None:
        """Count nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


class SilentProgress(Progress):
    """For tests and for calls from other programs."""

    @contextmanager
    def task(self, name: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        yield SilentTask()

    def say(self, text: str) -> None:
        """Say nothing."""


class _PlainTask:
    def __init__(self, name: str, total: float | None, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.text = 0.0, ""
        self.start = self.last = time.monotonic()

    def advance(self, amount: float = 1.0) -> None:
        self.done += amount
        if time.monotonic() - self.last >= 10:
            self.print()

    def note(self, text: str) -> None:
        self.text = text

    def print(self) -> None:
        self.last = time.monotonic()
        elapsed = max(self.last - self.start, 1e-6)
        rate = self.done / elapsed
        left = f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate > 0 else ""
        of = f"/{self.total:,.0f}" if self.total else ""
        line = f"  {self.name}: {self.done:,.0f}{of} {self.unit} ({rate:,.1f}/s{left}) {self.text}".rstrip()
        print(line, file=sys.stderr, flush=True)


class PlainProgress(Progress):
    """For logs and CI: a line every ten seconds, with rate and time left."""

    @contextmanager
    def task(self, name: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        task = _PlainTask(name, total, unit)
        yield task
        task.print()

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class TerminalProgress(Progress):
    """Bars by rich, with rate and time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    @contextmanager
    def task(self, name: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        from rich import progress as bars

        columns = (
            bars.TextColumn("  {task.description}"),
            bars.BarColumn(bar_width=28),
            bars.MofNCompleteColumn(),
            bars.TextColumn(unit),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[note]}"),
        )
        with bars.Progress(*columns, console=self._console) as bar:
            identifier = bar.add_task(name, total=total, note="")

            class _RichTask:
                def advance(self, amount: float = 1.0) -> None:
                    bar.advance(identifier, amount)

                def note(self, text: str) -> None:
                    bar.update(identifier, note=text)

            yield _RichTask()

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


def for_this_output() -> Progress:
    """Bars on a terminal, plain lines otherwise; always on standard error, since results go to standard output."""
    return TerminalProgress() if sys.stderr.isatty() else PlainProgress()


def track(progress: Progress, items: Iterable[T], name: str, total: float | None = None, unit: str = "") -> Iterator[T]:
    """Iterate over `items` with a bar; `total` defaults to `len(items)` where that exists."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress.task(name, total, unit) as task:
        for item in items:
            yield item
            task.advance()
