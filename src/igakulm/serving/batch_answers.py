"""The one loop of a batch: records are answered, several at once, and kept in the journal in their own order.

Does: keep as many records under way as the engine answers at once, ask again when the model's process died, give up
when it dies again and again. Does not: know what a record or an answer is.

Of a killed batch only what was under way is asked again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.serving.batch_journal import Journal

Record = TypeVar("Record")
Answer = TypeVar("Answer")

TRIES = 3
"""A record is asked again when the model's process died under it; the next try finds a new process."""
FAILURES_IN_A_ROW = 3
"""So many records without an answer, one after the other, are the machine's fault and not theirs."""
AHEAD = 2
"""Records under way or finished for each that is answered at once: a long one does not keep the others waiting."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the journal keeps of a record, and why the model's process failed under it ("" = it did not)."""

    entry: dict[str, Any]
    failure: str = ""


def answer_all(
    records: Iterable[tuple[int, Record]],
    answer: Callable[[Record], Answered],
    journal: Journal,
    at_once: int,
    advance: Callable[[Answered], None],
) -> None:
    """Answer the records that the journal does not hold, and keep them in it.

    Args:
        records: with their numbers.
        answer: is called in several threads when `at_once` > 1.
        journal: gets the entries in the order of the records.
        at_once: records under way.
        advance: told of each record, in their order.

    Raises:
        InputError: `at_once` is below 1, or the engine fails again and again; what was done before is kept.
    """
    if at_once < 1:
        raise InputError("at least one record is asked at once", where="--at-once", hint="1 = one after the other")
    waiting: list[tuple[int, Answered]] = []
    left = ((number, record) for number, record in records if number not in journal)
    for number, answered in _in_order(left, answer, at_once):
        waiting.append((number, answered))
        if not answered.failure:
            _keep(waiting, journal)
        elif len(waiting) >= FAILURES_IN_A_ROW:
            # Not kept: when the machine is at fault, they are asked again by the next call.
            raise _gives_up(answered.failure, len(journal))
        advance(answered)
    _keep(waiting, journal)


def tried(ask: Callable[[], Answer]) -> Answer:
    """An answer, asked for up to `TRIES` times.

    Raises:
        EngineFailed: the model's process failed each time.
    """
    for left in reversed(range(TRIES)):
        try:
            return ask()
        except EngineFailed:
            if not left:
                raise
    raise AssertionError("unreachable")


def _in_order(
    records: Iterator[tuple[int, Record]], answer: Callable[[Record], Answered], at_once: int
) -> Iterator[tuple[int, Answered]]:
    if at_once == 1:
        yield from ((number, answer(record)) for number, record in records)
        return
    under_way: deque[tuple[int, Future[Answered]]] = deque()
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="batch")
    try:
        for number, record in records:
            under_way.append((number, pool.submit(answer, record)))
            if len(under_way) >= AHEAD * at_once:
                yield _first(under_way)
        while under_way:
            yield _first(under_way)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _first(under_way: deque[tuple[int, Future[Answered]]]) -> tuple[int, Answered]:
    number, future = under_way.popleft()
    return number, future.result()


def _keep(waiting: list[tuple[int, Answered]], journal: Journal) -> None:
    for number, answered in waiting:
        journal.add(number, answered.entry)
    waiting.clear()


def _gives_up(failure: str, kept: int) -> InputError:
    what = f"{FAILURES_IN_A_ROW} records in a row failed ({failure})"
    hint = "see what takes the machine's memory, then run the same command again: what is done is kept"
    return InputError(what, where=f"after {kept:,} records", hint=hint)
