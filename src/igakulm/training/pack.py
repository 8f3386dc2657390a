"""Documents to packed rows of token ids on disk (section 2.4.1).

Does: encode, choose documents, split off validation, pack, write memory-mapped token files with their index.
Does not: read them (packed.py), shuffle rows (order.py) or know models.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from igakulm.errors import InputError
from igakulm.files import Doc, atomic_path, read_documents, read_json, sha256_file, write_json, write_text
from igakulm.progress import Progress, Task
from igakulm.recipe.schema import PackSection
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training.packing import Layout, best_fit, concatenate

TOKENS, ROWS, PIECES, DOCUMENTS, INDEX = "tokens.bin", "rows.npy", "pieces.npy", "documents.txt", "index.json"
FORMAT = 1
BATCH_CHARACTERS = 1_000_000
PROCESSES_FROM = 20_000_000
"""Characters from which more processes are worth their start."""
MOST_CHARACTERS_A_TOKEN = 6
"""With `max_tokens`, documents beyond this many characters a token cannot be reached and are not encoded."""
SHORTEST_ROW = 8


@dataclass(slots=True)
class _Chosen:
    """One document on its way: where its tokens stand in the scratch file, and its two hashes."""

    id: str
    medical: bool
    order: int
    validation: bool
    text_bytes: int = 0
    characters: int = 0
    start: int = 0
    length: int = 0


def build_packed(
    config: PackSection, corpus_dir: Path, tokenizer_dir: Path, out_dir: Path, progress: Progress
) -> dict[str, Any]:
    """Write `train/` and `valid/`, each with tokens.bin, rows.npy, pieces.npy, documents.txt and index.json.

    Returns counts: rows, tokens, documents and text bytes of both splits, padding and cut documents.

    Raises:
        InputError: no documents, rows too short, a source whose kind is unknown, a full disk.
    """
    if config.sequence_length < SHORTEST_ROW:
        raise InputError(f"rows of fewer than {SHORTEST_ROW} tokens teach nothing", where="pack.sequence_length")
    encoder = TextEncoder.load(tokenizer_dir)
    kinds = {name: row["kind"] for name, row in read_json(corpus_dir / "sources.json").items()}
    wanted = _reachable(config, corpus_dir, kinds)
    kind = np.dtype("<u2") if encoder.size <= 65_536 else np.dtype("<u4")
    scratch = out_dir / ".encoded.bin"
    try:
        documents = _encode_all(config, corpus_dir, kinds, encoder, tokenizer_dir, scratch, kind, wanted, progress)
        train, valid = _choose(config, documents)
        if not train:
            raise InputError(
                "there is no document to train on", where=str(corpus_dir), mend="look at funnel.json there"
            )
        tokens = np.memmap(scratch, dtype=kind, mode="r")
        summary = {}
        for name, chosen in (("train", train), ("valid", valid)):
            repeats = config.medical_repeats if name == "train" else 1
            summary[name] = _write_split(config, out_dir / name, chosen, repeats, tokens, encoder, progress)
        del tokens
    finally:
        scratch.unlink(missing_ok=True)
    left = len(documents) - len(train) - len(valid)
    return {**summary, "documents_read": len(documents), "documents_over_max_tokens": left}


def _hash(seed: int, purpose: str, identifier: str) -> int:
    digest = hashlib.blake2b(f"{seed}\0{purpose}\0{identifier}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def _describe(config: PackSection, document: Doc, kinds: dict[str, str]) -> _Chosen:
    kind = kinds.get(document.source)
    if kind is None:
        raise InputError(f"the source {document.source!r} of document {document.id!r} is not in sources.json")
    seed = config.seed or 0
    return _Chosen(
        id=document.id,
        medical=kind == "medical",
        order=_hash(seed, "order", document.id),
        validation=_hash(seed, "validation", document.id) < config.validation_share * 2**64,
        text_bytes=len(document.text.encode("utf-8", "surrogatepass")),
        characters=len(document.text),
    )


def _walk(documents: Iterable[_Chosen]) -> list[_Chosen]:
    """Medical documents first, then general ones, each in the order of their hashes."""
    return sorted(documents, key=lambda document: (not document.medical, document.order, document.id))


def _reachable(config: PackSection, corpus_dir: Path, kinds: dict[str, str]) -> set[tuple[int, str]] | None:
    """With `max_tokens`, the documents that can be reached at all (None = every document)."""
    if config.max_tokens is None:
        return None
    left = config.max_tokens * MOST_CHARACTERS_A_TOKEN
    reachable = set()
    for document in _walk(_describe(config, document, kinds) for document in read_documents(corpus_dir / "documents")):
        if left <= 0:
            break
        reachable.add((document.order, document.id))
        if not document.validation:
            left -= document.characters * (config.medical_repeats if document.medical else 1)
    return reachable


def _encode_all(
    config: PackSection,
    corpus_dir: Path,
    kinds: dict[str, str],
    encoder: TextEncoder,
    tokenizer_dir: Path,
    scratch: Path,
    kind: np.dtype[Any],
    wanted: set[tuple[int, str]] | None,
    progress: Progress,
) -> list[_Chosen]:
    """Encode the documents into the scratch file, begin + text + end each; their places in reading order."""
    chosen: list[_Chosen] = []
    place = 0
    out_of = sum(row.get("characters", 0) for row in read_json(corpus_dir / "sources.json").values()) or None
    total = None if wanted is not None else out_of
    with (
        scratch.open("wb") as file,
        progress.task("encode", total, "characters") as task,
        _encoding(config, encoder, tokenizer_dir, out_of or 0) as encode,
    ):
        batches = _batches(config, corpus_dir, kinds, wanted)
        for documents, encoded in encode.batches(batches):
            for document, ids in zip(documents, encoded, strict=True):
                row = np.fromiter((encoder.bos, *ids, encoder.eos), kind, len(ids) + 2)
                file.write(row.tobytes())
                document.start, document.length = place, len(row)
                place += len(row)
                chosen.append(document)
            _advance(task, documents)
    return chosen


def _advance(task: Task, documents: Sequence[_Chosen]) -> None:
    task.advance(sum(document.characters for document in documents))


Texts = tuple[list[_Chosen], list[str]]


def _batches(
    config: PackSection, corpus_dir: Path, kinds: dict[str, str], wanted: set[tuple[int, str]] | None
) -> Iterator[Texts]:
    documents: list[_Chosen] = []
    texts: list[str] = []
    size = 0
    for document in read_documents(corpus_dir / "documents"):
        described = _describe(config, document, kinds)
        if wanted is not None and (described.order, described.id) not in wanted:
            continue
        documents.append(described)
        texts.append(document.text)
        size += len(document.text)
        if size >= BATCH_CHARACTERS:
            yield documents, texts
            documents, texts, size = [], [], 0
    if documents:
        yield documents, texts


class _encoding:
    """Encode batches in this process, or in several where the corpus is large; the result is the same."""

    def __init__(self, config: PackSection, encoder: TextEncoder, folder: Path, characters: int) -> None:
        workers = config.workers or os.cpu_count() or 1
        self._encoder = encoder
        self._pool: ProcessPoolExecutor | None = None
        self._ahead = 2 * workers
        if workers > 1 and characters >= PROCESSES_FROM:
            self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _load_worker, (folder,))

    def __enter__(self) -> _encoding:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def batches(self, batches: Iterator[Texts]) -> Iterator[tuple[list[_Chosen], list[list[int]]]]:
        """Batches with their ids, in order; a few batches ahead are in work, no more."""
        if self._pool is None:
            for documents, texts in batches:
                yield documents, self._encoder.encode_batch(texts)
            return
        waiting = []
        for documents, texts in batches:
            waiting.append((documents, self._pool.submit(_encode_in_worker, texts)))
            if len(waiting) > self._ahead:
                first, future = waiting.pop(0)
                yield first, future.result()
        for documents, future in waiting:
            yield documents, future.result()


_worker_encoder: TextEncoder | None = None


def _load_worker(folder: Path) -> None:
    global _worker_encoder
    _worker_encoder = TextEncoder.load(folder)


def _encode_in_worker(texts: list[str]) -> list[list[int]]:
    assert _worker_encoder is not None
    return _worker_encoder.encode_batch(texts)


def _choose(config: PackSection, documents: Iterable[_Chosen]) -> tuple[list[_Chosen], list[_Chosen]]:
    """Training and validation documents in walking order; training stops before `max_tokens` would be passed."""
    train: list[_Chosen] = []
    valid: list[_Chosen] = []
    left = config.max_tokens
    for document in _walk(documents):
        if document.validation:
            valid.append(document)
            continue
        if left is not None:
            cost = document.length * (config.medical_repeats if document.medical else 1)
            if cost > left:
                break
            left -= cost
        train.append(document)
    return train, valid


def _write_split(
    config: PackSection,
    folder: Path,
    documents: list[_Chosen],
    medical_repeats: int,
    tokens: npt.NDArray[Any],
    encoder: TextEncoder,
    progress: Progress,
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    repeats = [medical_repeats if document.medical else 1 for document in documents]
    number = np.repeat(np.arange(len(documents), dtype=np.int64), repeats)
    if config.method == "concatenate" and medical_repeats > 1:  # spread the repeats over the stream
        number = number[np.argsort([_hash(i, "repeat", str(d)) for i, d in enumerate(number.tolist())], kind="stable")]
    pack = best_fit if config.method == "best_fit" else concatenate
    layout = pack([documents[index].length for index in number.tolist()], config.sequence_length)
    starts = np.asarray([document.start for document in documents], np.int64)[number[layout.documents]]
    _write_tokens(folder / TOKENS, tokens, starts + layout.offsets, layout, progress)
    places = np.cumsum(layout.lengths) - layout.lengths
    _write_array(folder / ROWS, layout.rows)
    _write_array(folder / PIECES, np.stack([places, number[layout.documents]], axis=1))
    names = "".join(json.dumps(document.id) + "\n" for document in documents)
    write_text(folder / DOCUMENTS, names)
    index = {
        "format": FORMAT,
        "dtype": str(tokens.dtype.name),
        "sequence_length": config.sequence_length,
        "restart_positions": config.restart_positions,
        "method": config.method,
        "tokenizer_sha256": encoder.sha256,
        "vocabulary_size": encoder.base_size,
        "sha256": {name: sha256_file(folder / name) for name in (TOKENS, ROWS, PIECES, DOCUMENTS)},
        **_counts(config, documents, layout, int(number.size)),
    }
    write_json(folder / INDEX, index)
    return {key: index[key] for key in ("rows", "tokens", "documents", "medical_documents", "text_bytes", "padding")}


def _write_array(path: Path, values: npt.NDArray[np.int64]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def _counts(config: PackSection, documents: Sequence[_Chosen], layout: Layout, copies: int) -> dict[str, Any]:
    rows, tokens = len(layout.rows) - 1 if len(layout.rows) else 0, int(layout.lengths.sum())
    return {
        "rows": rows,
        "tokens": tokens,
        "documents": len(documents),
        "document_copies": copies,
        "medical_documents": sum(document.medical for document in documents),
        "unique_tokens": sum(document.length for document in documents),
        "cut_documents": sum(document.length > config.sequence_length for document in documents),
        "pieces": len(layout.lengths),
        "padding": round(1 - tokens / (rows * config.sequence_length), 6) if rows else 0.0,
        "text_bytes": sum(document.text_bytes for document in documents),
    }


def _write_tokens(
    path: Path, tokens: npt.NDArray[Any], places: npt.NDArray[np.int64], layout: Layout, progress: Progress
) -> None:
    """Copy the pieces in row order."""
    lengths = layout.lengths.tolist()
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        progress.task("pack", len(lengths), "pieces") as task,
    ):
        for number, (place, length) in enumerate(zip(places.tolist(), lengths, strict=True), 1):
            file.write(tokens[place : place + length].tobytes())
            if number % 10_000 == 0:
                task.advance(10_000)
        task.advance(len(lengths) % 10_000)
