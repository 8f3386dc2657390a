"""The work on one batch of documents, the same in this process or in a pool of them.

Does: clean, delete personal data, filter; digests, signatures and benchmark matches of what passes. Results come back
in the order of the batches, so that the number of processes changes nothing but the time.
Does not: read, write or compare documents with each other.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

import numpy as np

from igakulm.corpus.clean import clean_texts
from igakulm.corpus.decontaminate import Finder, Index, Match
from igakulm.corpus.dedup import Signatures, digests_of, signatures_of
from igakulm.corpus.filter import drop_reasons
from igakulm.corpus.ngrams import letters_of
from igakulm.corpus.privacy import mask_texts
from igakulm.errors import InputError
from igakulm.recipe.schema import Filters, NearDuplicates, Privacy

T = TypeVar("T")

_FEW_BATCHES = 3  # so little work is done before a pool has started


@dataclass(frozen=True)
class Settings:
    """What the work depends on."""

    privacy: Privacy
    filters: Filters
    near: NearDuplicates
    index: Index


@dataclass(frozen=True)
class Result:
    """One batch: cleaned texts and the reason of each (None = passed); the rest is about the passed ones, in order."""

    texts: list[str]
    reasons: list[tuple[str, str] | None]
    personal: dict[str, int]
    digests: list[bytes]
    signatures: Signatures
    matches: list[Match | None]


class Worker:
    """Settings and the tables that are built once from them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._finder = Finder(settings.index)

    def __call__(self, texts: Sequence[str]) -> Result:
        settings = self._settings
        masked = mask_texts(clean_texts(texts), settings.privacy)
        reasons = drop_reasons(masked.texts, settings.filters)
        letters = letters_of([text for text, reason in zip(masked.texts, reasons, strict=True) if reason is None])
        passed = letters.offsets.size - 1
        if settings.near.enabled and passed:
            signatures = signatures_of(letters, settings.near)
        else:
            signatures = np.zeros((passed, settings.near.bands * settings.near.rows), np.uint16)
        return Result(
            masked.texts, reasons, masked.deleted, digests_of(letters), signatures, self._finder.find(letters)
        )


_worker: Worker | None = None


def _start(settings: Settings) -> None:
    global _worker
    _worker = Worker(settings)


def _work(texts: list[str]) -> Result:
    assert _worker is not None
    return _worker(texts)


def process_count(workers: int) -> int:
    """Processes to use: the recipe's number, or all cores that this process may run on."""
    return workers or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


def work_through(
    batches: Iterable[tuple[T, list[str]]], settings: Settings, workers: int
) -> Iterator[tuple[T, Result]]:
    """Yield each batch's label with its result, in order, at most a few batches ahead of the consumer.

    Raises:
        InputError: a process of the pool was killed (usually for want of memory).
    """
    batches = iter(batches)
    first = list(islice(batches, _FEW_BATCHES))
    processes = process_count(workers)
    if processes == 1 or len(first) < _FEW_BATCHES:
        worker = Worker(settings)
        for label, texts in chain(first, batches):
            yield label, worker(texts)
        return
    # Spawned, not forked: the parent may hold threads of pyarrow or torch.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _start, (settings,))
    waiting: deque[tuple[T, Future[Result]]] = deque()
    try:
        for label, texts in chain(first, batches):
            waiting.append((label, pool.submit(_work, texts)))
            if len(waiting) > 2 * processes:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a process that cleans documents was killed", mend="set corpus.workers lower; it may have run out of memory"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
