"""Documents to packed rows of token ids on disk (section 2.4.1).

Does: choose documents, split off validation, pack, write memory-mapped token files with their index.
Does not: encode (encoded.py), read what it wrote (packed.py), shuffle rows (order.py) or know models.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from igakulm.corpus.records import read_sources
from igakulm.errors import InputError
from igakulm.files import atomic_path, read_documents, sha256_file, write_json, write_text
from igakulm.progress import Progress
from igakulm.recipe.schema import PackSection
from igakulm.tokenizer.open import Encoder, load_encoder
from igakulm.training.encoded import EncodedCorpus, EncodedDocument, describe, encode_corpus, hash_of
from igakulm.training.packing import Layout, best_fit, concatenate

SPLITS = ("train", "valid")
ENCODED = Path("checkpoints") / "encoded"
"""Below the stage's folder, beside its result (files.BESIDE_THE_RESULT)."""
TOKENS, ROWS, PIECES, DOCUMENTS, INDEX = "tokens.bin", "rows.npy", "pieces.npy", "documents.txt", "index.json"
FORMAT = 1
MOST_CHARACTERS_A_TOKEN = 6
"""With `max_tokens`, documents beyond this many characters a token cannot be reached and are not encoded."""
SHORTEST_ROW = 8


def build_packed(
    config: PackSection, corpus_dir: Path, tokenizer_dir: Path, out_dir: Path, progress: Progress
) -> dict[str, object]:
    """Write `train/` and `valid/`, each with tokens.bin, rows.npy, pieces.npy, documents.txt and index.json.

    Encoded shards are kept below `out_dir/checkpoints` until both are written: after a kill the same call goes on and
    gives the same bytes.

    Returns counts: rows, tokens, documents and text bytes of both splits, padding and cut documents.

    Raises:
        InputError: no documents, rows too short, a source whose kind is unknown, a full disk.
    """
    if config.sequence_length < SHORTEST_ROW:
        raise InputError(f"rows of fewer than {SHORTEST_ROW} tokens teach nothing", where="pack.sequence_length")
    encoder = load_encoder(tokenizer_dir)
    for name in SPLITS:
        shutil.rmtree(out_dir / name, ignore_errors=True)  # what a killed run left half-written
    corpus = encode_corpus(config, corpus_dir, encoder, out_dir / ENCODED, _reachable(config, corpus_dir), progress)
    train, valid = _choose(config, corpus.documents)
    if not train:
        raise InputError("there is no document to train on", where=str(corpus_dir), hint="look at funnel.json there")
    summary = {}
    for name, chosen in zip(SPLITS, (train, valid), strict=True):
        repeats = config.medical_repeats if name == "train" else 1
        summary[name] = _write_split(config, out_dir / name, chosen, repeats, corpus, encoder, progress)
    left = len(corpus.documents) - len(train) - len(valid)
    shutil.rmtree((out_dir / ENCODED).parent)
    return {**summary, "documents_read": len(corpus.documents), "documents_over_max_tokens": left}


def _walk(documents: Iterable[EncodedDocument]) -> list[EncodedDocument]:
    """Medical documents first, then general ones, each in the order of their hashes."""
    return sorted(documents, key=lambda document: (not document.medical, document.order, document.id))


def _reachable(config: PackSection, corpus_dir: Path) -> set[tuple[int, str]] | None:
    """With `max_tokens`, the documents that can be reached at all (None = every document)."""
    if config.max_tokens is None:
        return None
    kinds = {name: entry.kind for name, entry in read_sources(corpus_dir).items()}
    left = config.max_tokens * MOST_CHARACTERS_A_TOKEN
    reachable = set()
    for document in _walk(describe(config, document, kinds) for document in read_documents(corpus_dir / "documents")):
        if left <= 0:
            break
        reachable.add((document.order, document.id))
        if not document.validation:
            left -= document.characters * (config.medical_repeats if document.medical else 1)
    return reachable


def _choose(
    config: PackSection, documents: Iterable[EncodedDocument]
) -> tuple[list[EncodedDocument], list[EncodedDocument]]:
    """Training and validation documents in walking order; training stops before `max_tokens` would be passed."""
    train: list[EncodedDocument] = []
    valid: list[EncodedDocument] = []
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
    documents: list[EncodedDocument],
    medical_repeats: int,
    corpus: EncodedCorpus,
    encoder: Encoder,
    progress: Progress,
) -> dict[str, object]:
    folder.mkdir(parents=True, exist_ok=True)
    repeats = [medical_repeats if document.medical else 1 for document in documents]
    number = np.repeat(np.arange(len(documents), dtype=np.int64), repeats)
    if config.method == "concatenate" and medical_repeats > 1:  # spread the repeats over the stream
        number = number[
            np.argsort([hash_of(i, "repeat", str(d)) for i, d in enumerate(number.tolist())], kind="stable")
        ]
    pack = best_fit if config.method == "best_fit" else concatenate
    layout = pack([documents[index].length for index in number.tolist()], config.sequence_length)
    starts = np.asarray([document.start for document in documents], np.int64)[number[layout.documents]]
    _write_tokens(folder / TOKENS, corpus, starts + layout.offsets, layout, progress)
    places = np.cumsum(layout.lengths) - layout.lengths
    _write_array(folder / ROWS, layout.rows)
    _write_array(folder / PIECES, np.stack([places, number[layout.documents]], axis=1))
    names = "".join(json.dumps(document.id) + "\n" for document in documents)
    write_text(folder / DOCUMENTS, names)
    index = {
        "format": FORMAT,
        "dtype": str(corpus.dtype.name),
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


def _counts(
    config: PackSection, documents: Sequence[EncodedDocument], layout: Layout, copies: int
) -> dict[str, object]:
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
    path: Path, corpus: EncodedCorpus, places: npt.NDArray[np.int64], layout: Layout, progress: Progress
) -> None:
    """Copy the pieces in row order."""
    lengths = layout.lengths.tolist()
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        progress.task("pack", len(lengths), "pieces") as task,
    ):
        for number, (place, length) in enumerate(zip(places.tolist(), lengths, strict=True), 1):
            file.write(corpus.tokens(place, length).tobytes())
            if number % 10_000 == 0:
                task.advance(10_000)
        task.advance(len(lengths) % 10_000)
