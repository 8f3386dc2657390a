"""The corpus as token ids: encoded shard by shard on all cores, kept on the disk until the rows are packed.

Does: describe documents, encode them, keep every finished shard with its hash, so that after a kill only unfinished
shards are encoded again. Does not: choose documents or pack them (pack.py).

`NAME.tokens` holds a shard's ids, `NAME.json` two lines: what they were made from with hashes, and the documents. A
kept shard that is truncated, changed or made from anything else (text, tokenizer, settings) is encoded again.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import astuple, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
import numpy.typing as npt

from igakulm.corpus.records import read_sources
from igakulm.errors import InputError
from igakulm.files import Doc, atomic_path, read_shard, sha256_file, sha256_json, write_text
from igakulm.machine import cores
from igakulm.progress import Progress
from igakulm.recipe.schema import PackSection
from igakulm.tokenizer.open import Encoder, load_encoder

FORMAT = 1
BATCH_CHARACTERS = 1_000_000
PROCESSES_FROM = 20_000_000
"""Characters from which more processes are worth their start."""


@dataclass(slots=True)
class EncodedDocument:
    """One document: its length in tokens, where they start among all tokens, and what decides its place.

    `order` is its hash for the walking order; `validation` whether its hash falls into the validation share.
    """

    id: str
    medical: bool
    order: int
    validation: bool
    text_bytes: int
    characters: int
    length: int = 0
    start: int = 0


class EncodedCorpus:
    """All documents in reading order, and their tokens (begin + text + end each), memory-mapped."""

    def __init__(self, dtype: np.dtype[np.generic]) -> None:
        self.documents: list[EncodedDocument] = []
        self.dtype = dtype
        self._starts: list[int] = []
        self._shards: list[npt.NDArray[np.generic]] = []
        self._size = 0

    def add(self, documents: Sequence[EncodedDocument], tokens: Path) -> None:
        """Append a shard."""
        self._starts.append(self._size)
        empty = not documents
        self._shards.append(np.empty(0, self.dtype) if empty else np.memmap(tokens, dtype=self.dtype, mode="r"))
        for document in documents:
            document.start = self._size
            self._size += document.length
        self.documents += documents

    def tokens(self, start: int, length: int) -> npt.NDArray[np.generic]:
        """`length` tokens of one document."""
        shard = bisect.bisect_right(self._starts, start) - 1
        begin = start - self._starts[shard]
        return self._shards[shard][begin : begin + length]


def token_dtype(size: int) -> np.dtype[np.generic]:
    """Two bytes a token while the largest id (`size` - 1) is at most 65,535, else four; little-endian.

    >>> token_dtype(65_536), token_dtype(65_537)
    (dtype('uint16'), dtype('uint32'))

    Raises:
        InputError: more ids than four bytes can tell apart.
    """
    for name in ("<u2", "<u4"):
        if size - 1 <= np.iinfo(name).max:
            return np.dtype(name)
    raise InputError(f"a vocabulary of {size:,} entries is too large: token files hold at most 4,294,967,296 ids")


def hash_of(seed: int, purpose: str, identifier: str) -> int:
    """A 64-bit hash that decides something about a document, the same on every machine."""
    digest = hashlib.blake2b(f"{seed}\0{purpose}\0{identifier}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def describe(config: PackSection, document: Doc, kinds: Mapping[str, str]) -> EncodedDocument:
    """What is known about a document before it is encoded.

    Raises:
        InputError: a document of a source that sources.json does not know.
    """
    kind = kinds.get(document.source)
    if kind is None:
        raise InputError(f"the source {document.source!r} of document {document.id!r} is not in sources.json")
    seed = config.seed or 0
    return EncodedDocument(
        id=document.id,
        medical=kind == "medical",
        order=hash_of(seed, "order", document.id),
        validation=hash_of(seed, "validation", document.id) < config.validation_share * 2**64,
        text_bytes=len(document.text.encode("utf-8", "surrogatepass")),
        characters=len(document.text),
    )


def encode_corpus(
    config: PackSection,
    corpus_dir: Path,
    encoder: Encoder,
    folder: Path,
    wanted: set[tuple[int, str]] | None,
    progress: Progress,
) -> EncodedCorpus:
    """Encode the documents of a corpus into `folder`; shards that stand there whole are not encoded again.

    Args:
        config: seed, validation share, workers.
        corpus_dir: `documents/` and sources.json.
        encoder: the tokenizer; worker processes load its folder.
        folder: keeps the shards; remove it when their tokens are no longer needed.
        wanted: (order, id) of the documents to encode, None = all.
        progress: shows characters.

    Raises:
        InputError: an unknown source, an id that the tokenizer should not have, a killed worker, a full disk.
    """
    sources = read_sources(corpus_dir)
    kinds: dict[str, str] = {name: entry.kind for name, entry in sources.items()}
    shards = sorted((corpus_dir / "documents").glob("*.parquet"))
    keys = _keys(config, kinds, shards, encoder)
    kept = {path: documents for path in shards if (documents := _kept(folder, path.stem, keys[path])) is not None}
    if kept:
        progress.say(f"{len(kept)} of {len(shards)} shards were encoded before")
    characters = sum(entry.characters for entry in sources.values())
    found = dict(kept)
    with (
        progress.task("encode", None if wanted is not None else characters or None, "characters") as task,
        _Encoding(config, encoder, characters) as encoding,
    ):
        task.advance(sum(document.characters for documents in kept.values() for document in documents))
        batches = _batches(config, [path for path in shards if path not in kept], kinds, wanted)
        for path, results in itertools.groupby(encoding.results(batches), key=lambda result: result[0].shard):
            found[path] = []
            with atomic_path(_tokens_file(folder, path.stem)) as temporary, temporary.open("wb") as file:
                for batch, tokens in results:
                    file.write(tokens)
                    found[path] += batch.documents
                    task.advance(sum(document.characters for document in batch.documents))
            _keep(folder, path.stem, keys[path], found[path])
    corpus = EncodedCorpus(token_dtype(encoder.size))
    for path in shards:
        corpus.add(found[path], _tokens_file(folder, path.stem))
    return corpus


def _keys(config: PackSection, kinds: Mapping[str, str], shards: Sequence[Path], encoder: Encoder) -> dict[Path, str]:
    """A hash for each shard over everything that decides its tokens and descriptions."""
    texts = {path.name: sha256_file(path) for path in shards}
    settings = config.model_dump(mode="json", include={"seed", "validation_share", "max_tokens", "medical_repeats"})
    # With `max_tokens`, every shard has a say in which documents are encoded.
    everything = {"format": FORMAT, "tokenizer": encoder.identity, "kinds": kinds, "texts": texts, **settings}
    return {path: sha256_json([everything, path.name]) for path in shards}


def _tokens_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.tokens"


def _keep(folder: Path, name: str, key: str, documents: Sequence[EncodedDocument]) -> None:
    rows = json.dumps([astuple(document)[:-1] for document in documents])
    hashes = {"tokens": sha256_file(_tokens_file(folder, name)), "documents": hashlib.sha256(rows.encode()).hexdigest()}
    write_text(folder / f"{name}.json", json.dumps({"key": key, "sha256": hashes}) + "\n" + rows)


def _kept(folder: Path, name: str, key: str) -> list[EncodedDocument] | None:
    """The documents of a shard whose tokens are whole and were made from the same; None = encode it."""
    try:
        first, rows = (folder / f"{name}.json").read_text(encoding="utf-8").split("\n", 1)
        about = json.loads(first)
        hashes = {
            "tokens": sha256_file(_tokens_file(folder, name)),
            "documents": hashlib.sha256(rows.encode()).hexdigest(),
        }
        if about != {"key": key, "sha256": hashes}:
            return None
        return [EncodedDocument(*row) for row in json.loads(rows)]
    except (OSError, ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Documents of one shard that are encoded together; a shard's last batch has none."""

    shard: Path
    documents: list[EncodedDocument]
    texts: list[str]


def _batches(
    config: PackSection, shards: Sequence[Path], kinds: Mapping[str, str], wanted: set[tuple[int, str]] | None
) -> Iterator[_Batch]:
    for shard in shards:
        batch, size = _Batch(shard, [], []), 0
        for document in read_shard(shard):
            described = describe(config, document, kinds)
            if wanted is not None and (described.order, described.id) not in wanted:
                continue
            batch.documents.append(described)
            batch.texts.append(document.text)
            size += len(document.text)
            if size >= BATCH_CHARACTERS:
                yield batch
                batch, size = _Batch(shard, [], []), 0
        if batch.documents:
            yield batch
        yield _Batch(shard, [], [])


Encoded = tuple[list[int], bytes]


class _Encoding:
    """Encodes batches in this process, or in several where the corpus is large; the result is the same."""

    def __init__(self, config: PackSection, encoder: Encoder, characters: int) -> None:
        workers = config.workers or cores()
        self._encoder = encoder
        self._pool: ProcessPoolExecutor | None = None
        self._ahead = 2 * workers
        if workers > 1 and characters >= PROCESSES_FROM:
            # "spawn": this process may hold threads (Arrow), and forking those is not safe.
            self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (encoder.folder,))

    def __enter__(self) -> _Encoding:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def results(self, batches: Iterator[_Batch]) -> Iterator[tuple[_Batch, bytes]]:
        """Batches, their documents' lengths filled in, with their tokens; in order, a few ahead in work."""
        for batch, (lengths, tokens) in self._encoded(batches):
            for document, length in zip(batch.documents, lengths, strict=True):
                document.length = length
            batch.texts.clear()
            yield batch, tokens

    def _encoded(self, batches: Iterator[_Batch]) -> Iterator[tuple[_Batch, Encoded]]:
        if self._pool is None:
            yield from ((batch, encode_texts(self._encoder, batch.texts)) for batch in batches)
            return
        waiting: list[tuple[_Batch, Future[Encoded]]] = []
        try:
            for batch in batches:
                waiting.append((batch, self._pool.submit(_encode_in_worker, batch.texts)))
                if len(waiting) > self._ahead:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            for batch, future in waiting:
                yield batch, future.result()
        except BrokenProcessPool as error:
            hint = "most often memory ran out: set pack.workers to a smaller number; finished shards are kept"
            raise InputError("a process that encodes was killed", hint=hint) from error


def encode_texts(encoder: Encoder, texts: Sequence[str]) -> Encoded:
    """Lengths in tokens, and all tokens one after the other: begin (where the tokenizer has one), the text's ids, end.

    Raises:
        InputError: an id beyond the vocabulary, which the token file could not hold.
    """
    rows = [(*encoder.begin, *ids, encoder.eos) for ids in encoder.encode_batch(texts)]
    tokens = np.fromiter(itertools.chain.from_iterable(rows), np.int64)
    if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < encoder.size:
        wrong = int(tokens.min()) if tokens.min() < 0 else int(tokens.max())
        what = f"the tokenizer gave the id {wrong:,}, but it has only {encoder.size:,} entries"
        raise InputError(what, hint="build the tokenizer again")
    return [len(row) for row in rows], tokens.astype(token_dtype(encoder.size)).tobytes()


_worker_encoder: Encoder | None = None


def _start_worker(folder: Path) -> None:
    global _worker_encoder
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker_encoder = load_encoder(folder)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _encode_in_worker(texts: list[str]) -> Encoded:
    assert _worker_encoder is not None
    return encode_texts(_worker_encoder, texts)
