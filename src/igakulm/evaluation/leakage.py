"""Which test items a training set already holds.

Does: name the test items that share a document with a training row, and look test items up in any training file.
Does not: find paraphrases, or keep anything out of training (tasks/splits.py does).

A training file is streamed once: the first letters of every test document and sentence are indexed by hash, all windows
of the training texts are hashed in batches, and where a hash is known the letters are compared in full.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from igakulm.corpus.streams import Advance, nothing
from igakulm.evaluation.training_texts import training_texts
from igakulm.tasks.items import Item, normalised_document
from igakulm.tasks.splits import documents_of
from igakulm.text.compared_letters import SENTENCE_ENDS, ComparedTexts, compared_letters
from igakulm.text.mapped import codes_of
from igakulm.text.ngrams import Letters, ngrams_of

DOCUMENT_LETTERS = 10
SENTENCE_LETTERS = 12
"""Shorter documents and sentences (letters and digits after NFKC) are not looked for: chance would find them."""
SHOWN = 60
BATCH_CHARACTERS = 1 << 20
FILTER_BITS = 22


def leaked_items(train: Mapping[str, Sequence[Item]], test: Mapping[str, Sequence[Item]]) -> list[dict[str, str]]:
    """The test items whose document, or one of whose sentences, stands in a training row of any task.

    Returns:
        Rows {"task", "id", "document" (first 60 characters of what is shared), "train_task", "train_id"} in the order
        of the test items, each with its first match: a row of its own task where there is one.
    """
    holders: dict[str, dict[str, str]] = {}
    for task, items in train.items():
        for item in items:
            for document in documents_of(item):
                holders.setdefault(document, {}).setdefault(task, item.id)
    found = []
    for task, items in test.items():
        for item in items:
            held = [(text, holders.get(normalised_document(text), {})) for text in _documents(item)]
            matches = [(task not in rows, place) for place, (_, rows) in enumerate(held) if rows]
            if matches:
                text, rows = held[min(matches)[1]]
                holder = task if task in rows else next(iter(rows))
                found.append(
                    {
                        "task": task,
                        "id": item.id,
                        "document": text[:SHOWN],
                        "train_task": holder,
                        "train_id": rows[holder],
                    }
                )
    return found


def check_training_file(
    test: Mapping[str, Sequence[Item]], path: Path, field: str | None = None, advance: Advance = nothing
) -> dict[str, Any]:
    """Look every test item up in a training file.

    An item's document is shared when a training text holds all its letters and digits in one piece, whatever stands
    between them (of similarity items, each of the two sentences is a document); a sentence is shared when it is also a
    whole sentence there, between 。！？, line breaks, colons or quotation marks.

    Args:
        test: task name to test items.
        path: JSON Lines, see `training_texts`.
        field: the field that holds the text, or None.
        advance: called with the bytes of the file that were read.

    Returns:
        {"file", "rows", "tasks": {task: {"test", "document_shared", "sentence_shared", "unchecked"}}, "items"}.
        "unchecked" counts items too short to be looked for. "items" lists {"task", "id", "document_line",
        "sentence_line", "text"} of the items that share something: first lines (from 1) or None, and the first 60
        characters of what is shared.

    Raises:
        InputError: a file or line that cannot be read, with its place.
    """
    index = _Index(test)
    rows = 0
    for numbers, texts in _batches(training_texts(path, field, advance)):
        rows += len(texts)
        index.search(numbers, texts)
    found = index.found_items()
    tasks = {task: {"test": len(items), **_counts(task, found), "unchecked": 0} for task, items in test.items()}
    for task, _ in index.unchecked:
        tasks[task]["unchecked"] += 1
    return {"file": path.name, "rows": rows, "tasks": tasks, "items": found}


def _counts(task: str, found: Sequence[Mapping[str, object]]) -> dict[str, int]:
    own = [row for row in found if row["task"] == task]
    return {f"{kind}_shared": sum(row[f"{kind}_line"] is not None for row in own) for kind in ("document", "sentence")}


def _batches(rows: Iterable[tuple[int, str]]) -> Iterator[tuple[list[int], list[str]]]:
    """Line numbers and texts, about a million characters at a time."""
    numbers: list[int] = []
    texts: list[str] = []
    size = 0
    for number, text in rows:
        numbers.append(number)
        texts.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield numbers, texts
            numbers, texts, size = [], [], 0
    if texts:
        yield numbers, texts


class _Span(NamedTuple):
    """Something to look for: its letters, whether it must be a whole sentence, and the text that it comes from."""

    letters: bytes
    whole_sentence: bool
    text: str


class _Index:
    """What is looked for, by the hash of its first letters, and where it was found first."""

    def __init__(self, test: Mapping[str, Sequence[Item]]) -> None:
        self.owners = [(task, item.id, _spans(item)) for task, items in test.items() for item in items]
        self.unchecked = [(task, name) for task, name, spans in self.owners if not spans]
        self._lines: dict[_Span, int] = {}
        self._wanted: dict[int, list[_Span]] = {}
        self._filter = np.zeros(1 << FILTER_BITS, bool)
        spans = list(dict.fromkeys(span for _, _, own in self.owners for span in own))
        hashes = [int(_hashes(np.frombuffer(span.letters, np.uint32)[:DOCUMENT_LETTERS])[0]) for span in spans]
        for span, start in zip(spans, hashes, strict=True):
            self._wanted.setdefault(start, []).append(span)
        self._filter[_slots(np.array(hashes, np.uint64))] = True

    def search(self, lines: Sequence[int], texts: Sequence[str]) -> None:
        """Note the line of everything that is found for the first time; lines must come in rising order."""
        letters = compared_letters(texts)
        hashes = _hashes(letters.codes)
        places = np.flatnonzero(self._filter[_slots(hashes)])
        data = letters.codes.tobytes()
        for place, start in zip(places.tolist(), hashes[places].tolist(), strict=True):
            spans = self._wanted.get(start)
            if spans is None:
                continue
            found = [span for span in spans if _stands_at(span, place, data, letters)]
            if not found:
                continue
            line = lines[int(np.searchsorted(letters.offsets, place, side="right")) - 1]
            self._lines.update(dict.fromkeys(found, line))
            left = [span for span in spans if span not in self._lines]
            if left:
                self._wanted[start] = left
            else:
                del self._wanted[start]

    def found_items(self) -> list[dict[str, Any]]:
        """The items of which something was found."""
        rows = []
        for task, name, spans in self.owners:
            document, sentence = (self._first(spans, kind) for kind in (False, True))
            shared = document or sentence
            if shared:
                rows.append(
                    {
                        "task": task,
                        "id": name,
                        "document_line": document and document[0],
                        "sentence_line": sentence and sentence[0],
                        "text": shared[1][:SHOWN],
                    }
                )
        return rows

    def _first(self, spans: Sequence[_Span], whole_sentence: bool) -> tuple[int, str] | None:
        """First line and text of the spans of one kind."""
        kind = [span for span in spans if span.whole_sentence == whole_sentence and span in self._lines]
        return min(((self._lines[span], span.text) for span in kind), default=None)


def _hashes(codes: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """The hash of the letters from each place on, `DOCUMENT_LETTERS` of them."""
    return ngrams_of(Letters(codes, np.array([0, codes.size])), DOCUMENT_LETTERS).hashes


def _slots(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - FILTER_BITS)).astype(np.int64)


def _stands_at(span: _Span, place: int, data: bytes, letters: ComparedTexts) -> bool:
    """Whether the span begins at a place and ends in the same text."""
    end = place + len(span.letters) // 4
    if not data.startswith(span.letters, 4 * place):
        return False
    if end > letters.offsets[np.searchsorted(letters.offsets, place, side="right")]:
        return False
    return not span.whole_sentence or bool(letters.edges[place] and letters.edges[end])


def _documents(item: Item) -> tuple[str, ...]:
    return item.sentences or (item.document,)


def _spans(item: Item) -> list[_Span]:
    """The documents and sentences of an item that are long enough."""
    spans = []
    for document in _documents(item):
        sentences = re.split(f"[{SENTENCE_ENDS}]", unicodedata.normalize("NFKC", document))
        for whole_sentence, least, texts in (
            (False, DOCUMENT_LETTERS, [document]),
            (True, SENTENCE_LETTERS, sentences),
        ):
            for text in texts:
                letters = normalised_document(text)
                if len(letters) >= least:
                    spans.append(_Span(codes_of(letters).tobytes(), whole_sentence, text.strip()))
    return spans
