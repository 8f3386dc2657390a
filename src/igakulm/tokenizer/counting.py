"""Word counts of a corpus, in bounded memory and on all cores.

Does: count MeCab words by the weight of their document as they stream by, and weigh them. Does not: choose documents,
or train.
"""

from __future__ import annotations

import multiprocessing
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from igakulm.errors import InputError
from igakulm.machine import cores
from igakulm.progress import Progress
from igakulm.tokenizer.segment import Segmenter
from igakulm.tokenizer.spelling import METASPACE

Counts = dict[float, Counter[str]]
"""Word counts of all documents of one weight."""
BATCH_BYTES = 2**20
MAX_WORD = 64
"""Characters. Longer words (unbroken ASCII, mostly) teach the vocabulary nothing."""
MAX_TYPES = 4_000_000
"""Different words kept at once, about 200 bytes each; beyond it the rarest are forgotten."""

_UNUSABLE = re.compile(f"[\x00-\x1f{METASPACE}\u2063\ud800-\udfff]|<\\||<unk>|<0x")
"""Control characters, and spellings of control, unknown and byte pieces, which must not be pieces twice."""


def count_words(
    documents: Iterable[tuple[float, str]],
    make_segmenter: Callable[[], Segmenter],
    workers: int,
    progress: Progress,
    total_bytes: int,
) -> Counts:
    """Count the words of documents by weight; a word carries the space before it.

    At most `MAX_TYPES` different words are held, so that memory does not grow with the corpus.

    Args:
        documents: (weight, text) pairs; lone surrogates are counted as "?".
        make_segmenter: called once in every process; must be picklable, such as `functools.partial(Segmenter, path)`.
        workers: processes, 0 = all cores; a small corpus is counted in this process. The result is the same.
        progress: shows MiB of text.
        total_bytes: about how much text will come, UTF-8.

    Raises:
        InputError: a broken user dictionary, or a process that was killed.
    """
    totals: Counts = {}
    workers = workers or cores()
    with progress.task("counting words", total_bytes / 2**20, "MiB") as task:
        batches = _batches(documents)
        results = (
            _count_in_processes(batches, make_segmenter, workers)
            if workers > 1 and total_bytes > 8 * BATCH_BYTES
            else _count_here(batches, make_segmenter)
        )
        for size, counts in results:
            for weight, counter in counts.items():
                totals.setdefault(weight, Counter()).update(counter)
            _forget_rare(totals)
            task.advance(size / 2**20)
            task.note(f"{sum(map(len, totals.values())):,} words")
    return totals


def _forget_rare(totals: Counts) -> None:
    """Beyond MAX_TYPES, drop the rarest words of the weight with most of them until three quarters are left."""
    if sum(map(len, totals.values())) <= MAX_TYPES:
        return
    least: Counter[float] = Counter()
    while sum(map(len, totals.values())) > MAX_TYPES * 3 // 4:
        weight = max(totals, key=lambda weight: len(totals[weight]))
        least[weight] += 1
        totals[weight] = Counter({word: count for word, count in totals[weight].items() if count > least[weight]})


Batch = list[tuple[float, str]]


def _batches(documents: Iterable[tuple[float, str]]) -> Iterator[tuple[int, Batch]]:
    batch: Batch = []
    size = 0
    for weight, text in documents:
        batch.append((weight, text))
        size += len(text.encode("utf-8", "replace"))
        if size >= BATCH_BYTES:
            yield size, batch
            batch, size = [], 0
    if batch:
        yield size, batch


_segmenter: Segmenter | None = None


def _start_worker(make_segmenter: Callable[[], Segmenter]) -> None:
    global _segmenter
    _segmenter = make_segmenter()


def _count_batch(batch: Batch) -> Counts:
    assert _segmenter is not None
    return _count_with(_segmenter, batch)


def _count_with(segmenter: Segmenter, batch: Batch) -> Counts:
    counts: Counts = {}
    for weight, text in batch:
        counts.setdefault(weight, Counter()).update(segmenter.words(text.encode("utf-8", "replace").decode()))
    return counts


Counted = Iterator[tuple[int, Counts]]


def _count_here(batches: Iterator[tuple[int, Batch]], make_segmenter: Callable[[], Segmenter]) -> Counted:
    segmenter = make_segmenter()
    for size, batch in batches:
        yield size, _count_with(segmenter, batch)


def _count_in_processes(
    batches: Iterator[tuple[int, Batch]], make_segmenter: Callable[[], Segmenter], workers: int
) -> Counted:
    # "spawn": this process may hold threads (Arrow), and forking those is not safe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (make_segmenter,)) as pool:
        waiting: deque[tuple[int, Future[Counts]]] = deque()
        try:
            for size, batch in batches:
                waiting.append((size, pool.submit(_count_batch, batch)))
                if len(waiting) >= 2 * workers:  # bounds the memory: batches are read only as they are counted
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        except BrokenProcessPool as error:
            hint = (
                "most often memory ran out: set tokenizer.workers to a smaller number. "
                "A script of your own needs `if __name__ == '__main__':` around the call"
            )
            raise InputError("a process that counts words was killed", hint=hint) from error


def weighted_counts(
    counts: Mapping[float, Mapping[str, int]], names: Iterable[str], name_pseudo_count: int
) -> dict[str, int]:
    """Whole-number counts for the trainer: counts times their weight, and each name `name_pseudo_count` times.

    A space is written U+2581. Words that cannot be pieces (control characters, over 64 characters) are left out, and
    so are words that weigh less than half.
    """
    weighted: Counter[str] = Counter()
    for weight in sorted(counts):
        for word, count in counts[weight].items():
            if len(word) <= MAX_WORD and not _UNUSABLE.search(word):
                weighted[word.replace(" ", METASPACE)] += count * weight  # type: ignore[assignment]
    for name in names if name_pseudo_count else ():
        if len(name) <= MAX_WORD and not _UNUSABLE.search(name):
            weighted[name.replace(" ", METASPACE)] += name_pseudo_count
    whole = ((word, int(weighted[word] + 0.5)) for word in sorted(weighted))
    return {word: count for word, count in whole if count}
