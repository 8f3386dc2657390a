"""Training of the Unigram vocabulary (section 2.2.3) from word counts.

Does: pick documents within the budget, count their MeCab words, turn names into pseudo-counts, and train sentencepiece
in a child process. Does not: build dictionaries, convert the model, or measure it.
Words are counted once, and the trainer sees each word type with its count and every substring as a seed: a tenth of
the time and memory of training on running text.
"""

from __future__ import annotations

import heapq
import json
import math
import multiprocessing
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from igakulm.errors import InputError
from igakulm.files import read_documents, read_json
from igakulm.progress import Progress
from igakulm.recipe.schema import TokenizerSection
from igakulm.tokenizer.chat import BEGIN, END
from igakulm.tokenizer.encode import METASPACE, SENTENCE_END
from igakulm.tokenizer.segment import Segmenter

Kind = Literal["general", "medical"]

MAX_PIECE = 16
"""Characters of the longest piece."""
MAX_WORD = 64
"""Longer words (unbroken ASCII, mostly) teach the vocabulary nothing."""
BATCH_BYTES = 2**20
HELD_EVERY, HELD_BYTES = 50, 2**20
"""One document in fifty, up to a mebibyte a kind, is kept out of training and measured in the report."""
MAX_SEEDS, MAX_SEED_WORDS, MAX_TYPES = 1_000_000, 300_000, 8_000_000
"""Bounds of memory: about 1 GB for the seeds of so many words."""
TRAINER_THREADS = 4
"""Fixed: the trainer's sums depend on it, and the result must not depend on the machine."""
SCORE_STEP = 1024
"""Scores are rounded to 1/1024, so that sums of 32-bit (sentencepiece) and of 64-bit floats (tokenizers) are both
exact and the two give identical ids."""

_UNUSABLE = re.compile(f"[\x00-\x1f{METASPACE}\u2063\ud800-\udfff]|<\\||<unk>|<0x")
"""Control characters, and spellings of control, unknown and byte pieces, which must not be pieces twice."""
_NEVER_INSIDE = {True: re.compile(rf"\d+|{SENTENCE_END}"), False: re.compile(SENTENCE_END)}
"""No piece crosses these (with and without `split_digits`); `TextEncoder` relies on the end of a sentence."""
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(slots=True)
class Selection:
    """What of a corpus was used: bytes of UTF-8 and documents by kind, and the held-out texts for the report."""

    seed: int
    text_bytes: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    held: dict[str, list[str]] = field(default_factory=lambda: {"general": [], "medical": []})


def select_documents(corpus_dir: Path, budget: int, selection: Selection) -> Iterator[tuple[Kind, str]]:
    """Yield (kind, text) of a corpus within about `budget` bytes: medical text first, then a sample of the general.

    The sample depends on the documents' ids and the seed only. `selection` is filled while iterating.

    Raises:
        InputError: no corpus there, no documents, or a document of a source that sources.json does not know.
    """
    sources = read_json(corpus_dir / "sources.json")
    kinds: dict[str, Kind] = {name: source["kind"] for name, source in sources.items()}
    rates = _rates(sources, budget)
    held_bytes: Counter[str] = Counter()
    found = False
    for document in read_documents(corpus_dir / "documents"):
        kind = kinds.get(document.source)
        if kind is None:
            where = f"{corpus_dir / 'documents'}, document {document.id}"
            raise InputError(f"sources.json does not know the source {document.source!r}", where=where)
        found = found or bool(document.text.strip())
        draw = zlib.crc32(f"{selection.seed}:{document.id}".encode("utf-8", "replace"))
        if draw / 2**32 >= rates[kind] or sum(selection.text_bytes.values()) >= budget:
            continue
        size = len(document.text.encode("utf-8", "replace"))
        # The bits that sampling does not depend on decide which documents are held out.
        if zlib.crc32(draw.to_bytes(4, "little")) % HELD_EVERY == 0 and held_bytes[kind] + size <= HELD_BYTES:
            held_bytes[kind] += size
            selection.held[kind].append(document.text)
            continue
        selection.text_bytes[kind] += size
        selection.documents[kind] += 1
        yield kind, document.text
    if not found:
        mend = "check the sources and filters of the corpus; funnel.json says where documents were dropped"
        raise InputError("the corpus holds no text", where=str(corpus_dir), mend=mend)


def _rates(sources: Mapping[str, Mapping[str, Any]], budget: int) -> dict[Kind, float]:
    characters: Counter[str] = Counter()
    for source in sources.values():
        characters[source["kind"]] += int(source["characters"])
    medical, general = characters["medical"] * 3, characters["general"] * 3  # Japanese takes three bytes a character
    left = max(0, budget - medical)
    return {"medical": min(1.0, budget / max(medical, 1)), "general": min(1.0, left / max(general, 1))}


def count_words(
    documents: Iterable[tuple[Kind, str]],
    user_dictionary: Path | None,
    workers: int,
    progress: Progress,
    total_bytes: int,
) -> dict[Kind, Counter[str]]:
    """Count the MeCab words of documents by kind; a word carries the space before it.

    Args:
        documents: (kind, text) pairs; lone surrogates are counted as "?".
        user_dictionary: compiled MeCab user dictionary or None.
        workers: processes, 0 = all cores; a small corpus is counted in this process. The result is the same.
        progress: shows MiB of text.
        total_bytes: about how much text will come, UTF-8.

    Raises:
        InputError: a broken user dictionary, or a process that was killed.
    """
    totals: dict[Kind, Counter[str]] = {"general": Counter(), "medical": Counter()}
    workers = workers or _cores()
    with progress.task("counting words", total_bytes / 2**20, "MiB") as task:
        batches = _batches(documents)
        results = (
            _count_in_processes(batches, user_dictionary, workers)
            if workers > 1 and total_bytes > 8 * BATCH_BYTES
            else _count_here(batches, user_dictionary)
        )
        for size, counts in results:
            for kind, counter in counts.items():
                totals[kind].update(counter)
                if len(totals[kind]) > MAX_TYPES:
                    totals[kind] = Counter({word: count for word, count in totals[kind].items() if count > 1})
            task.advance(size / 2**20)
            task.note(f"{len(totals['general']) + len(totals['medical']):,} words")
    return totals


def _cores() -> int:
    # What this process may use, which in containers is less than the machine has; unknown to macOS.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


Batch = list[tuple[Kind, str]]


def _batches(documents: Iterable[tuple[Kind, str]]) -> Iterator[tuple[int, Batch]]:
    batch: Batch = []
    size = 0
    for kind, text in documents:
        batch.append((kind, text))
        size += len(text.encode("utf-8", "replace"))
        if size >= BATCH_BYTES:
            yield size, batch
            batch, size = [], 0
    if batch:
        yield size, batch


_segmenter: Segmenter | None = None


def _start_worker(user_dictionary: Path | None) -> None:
    global _segmenter
    _segmenter = Segmenter(user_dictionary)


def _count_batch(batch: Batch) -> dict[Kind, Counter[str]]:
    assert _segmenter is not None
    return _count_with(_segmenter, batch)


def _count_with(segmenter: Segmenter, batch: Batch) -> dict[Kind, Counter[str]]:
    counts: dict[Kind, Counter[str]] = {}
    for kind, text in batch:
        counts.setdefault(kind, Counter()).update(segmenter.words(text.encode("utf-8", "replace").decode()))
    return counts


Counted = Iterator[tuple[int, dict[Kind, Counter[str]]]]


def _count_here(batches: Iterator[tuple[int, Batch]], user_dictionary: Path | None) -> Counted:
    segmenter = Segmenter(user_dictionary)
    for size, batch in batches:
        yield size, _count_with(segmenter, batch)


def _count_in_processes(batches: Iterator[tuple[int, Batch]], user_dictionary: Path | None, workers: int) -> Counted:
    # "spawn": this process may hold threads (Arrow), and forking those is not safe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (user_dictionary,)) as pool:
        waiting: deque[tuple[int, Future[dict[Kind, Counter[str]]]]] = deque()
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
            mend = (
                "most often memory ran out: set tokenizer.workers to a smaller number. "
                "A script of your own needs `if __name__ == '__main__':` around the call"
            )
            raise InputError("a process that counts words was killed", mend=mend) from error


def weighted_counts(
    counts: Mapping[Kind, Mapping[str, int]], names: Iterable[str], config: TokenizerSection
) -> dict[str, int]:
    """Whole-number counts for the trainer: medical counts times their weight, and each name `name_pseudo_count` times.

    A space is written U+2581. Words that cannot be pieces (control characters, over 64 characters) are left out.
    """
    weighted: Counter[str] = Counter()
    for kind, counter in counts.items():
        weight = config.medical_weight if kind == "medical" else 1.0
        for word, count in counter.items():
            if len(word) <= MAX_WORD and not _UNUSABLE.search(word):
                weighted[word.replace(" ", METASPACE)] += max(1, round(count * weight))
    if config.name_pseudo_count:
        for name in names:
            if len(name) <= MAX_WORD and not _UNUSABLE.search(name):
                weighted[name.replace(" ", METASPACE)] += config.name_pseudo_count
    return {word: weighted[word] for word in sorted(weighted)}


def seed_pieces(counts: Mapping[str, int], split_digits: bool) -> list[tuple[str, int]]:
    """Substrings of 2 to 16 characters of the most frequent words, with the counts of their words; best first.

    >>> seed_pieces({"血圧": 3, "血圧計": 2}, split_digits=True)
    [('血圧', 5), ('血圧計', 2), ('圧計', 2)]
    """
    frequent = heapq.nsmallest(MAX_SEED_WORDS, counts.items(), key=lambda item: (-item[1], item[0]))
    seeds: Counter[str] = Counter()
    for word, count in frequent:
        for part in _NEVER_INSIDE[split_digits].split(word):
            for start in range(len(part) - 1):
                for end in range(start + 2, min(len(part), start + MAX_PIECE) + 1):
                    seeds[part[start:end]] += count
    kept = ((piece, count) for piece, count in seeds.items() if count > 1)
    return heapq.nsmallest(MAX_SEEDS, kept, key=lambda item: (-item[1] * len(item[0]), item[0]))


def train_unigram(counts: Mapping[str, int], config: TokenizerSection, progress: Progress) -> bytes:
    """Train on word counts; return the bytes of a sentencepiece model with exactly `vocabulary_size` entries.

    Ids: 0 unknown, 1 begin, 2 end, 3 newline, 4-259 bytes. The same counts and options give the same bytes.

    Raises:
        InputError: the vocabulary is larger than the text supports, or smaller than its characters need.
    """
    if not counts:
        raise InputError("there are no words to train a vocabulary on", mend="give the corpus more text")
    with tempfile.TemporaryDirectory(prefix="igakulm-unigram-") as name:
        folder = Path(name)
        _write_counts(folder / "words.tsv", counts.items())
        _write_counts(folder / "seeds.tsv", seed_pieces(counts, config.split_digits))
        _run_trainer(folder, _trainer_options(config), progress)
        return _round_scores((folder / "unigram.model").read_bytes())


def _write_counts(path: Path, items: Iterable[tuple[str, int]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{piece}\t{count}\n" for piece, count in items)


def _trainer_options(config: TokenizerSection) -> dict[str, Any]:
    required = _ASCII + METASPACE + "".join(c for c in config.required_characters if not c.isspace())
    return {
        "input": "words.tsv",  # relative names: the trainer writes them into the model
        "input_format": "tsv",
        "model_prefix": "unigram",
        "seed_sentencepieces_file": "seeds.tsv",
        "model_type": "unigram",
        "vocab_size": config.vocabulary_size,
        "character_coverage": config.character_coverage,
        "required_chars": "".join(sorted(set(required))),
        "max_sentencepiece_length": MAX_PIECE,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "split_by_unicode_script": False,
        "split_by_number": False,
        "split_digits": config.split_digits,
        "byte_fallback": True,
        "unk_id": 0,
        "bos_id": 1,
        "eos_id": 2,
        "bos_piece": BEGIN,
        "eos_piece": END,
        "user_defined_symbols": ["\n"],
        "num_threads": TRAINER_THREADS,
    }


_TRAINER = "import json, sys, sentencepiece; sentencepiece.SentencePieceTrainer.train(**json.loads(sys.argv[1]))"
_ROUND = re.compile(r"EM sub_iter=\d+ size=(\d+)")
_TOO_HIGH = re.compile(r"Vocabulary size too high \(\d+\)\. Please set it to a value <= (\d+)")
_TOO_LOW = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")


def _run_trainer(folder: Path, options: dict[str, Any], progress: Progress) -> None:
    command = [sys.executable, "-c", _TRAINER, json.dumps(options)]
    log: deque[str] = deque(maxlen=50)
    target = math.log(options["vocab_size"] * 1.1)
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, errors="replace")
    with process, progress.task("training the vocabulary", 100.0, "%") as task:
        assert process.stderr is not None
        first, done = 0.0, 0.0
        for line in process.stderr:
            log.append(line)
            if found := _ROUND.search(line):
                size = math.log(int(found[1]))  # each round drops a quarter of the pieces
                first = first or size
                share = 100.0 * min(1.0, (first - size) / max(first - target, 1e-9))
                task.advance(max(0.0, share - done))
                done = max(done, share)
                task.note(f"{int(found[1]):,} pieces")
    if process.returncode != 0:
        raise _explain_failure("".join(log), options["vocab_size"], process.returncode)


def _explain_failure(log: str, wanted: int, code: int) -> Exception:
    if found := _TOO_HIGH.search(log):
        what = f"a vocabulary of {wanted:,} is larger than this text supports: at most {int(found[1]):,}"
        mend = f"set tokenizer.vocabulary_size to {int(found[1])} or less, or give the corpus more text"
        return InputError(what, where="tokenizer.vocabulary_size", mend=mend)
    if found := _TOO_LOW.search(log):
        what = f"a vocabulary of {wanted:,} cannot hold the characters of this text: at least {int(found[1]):,}"
        mend = f"set tokenizer.vocabulary_size well above {int(found[1])}, or lower tokenizer.character_coverage"
        return InputError(what, where="tokenizer.vocabulary_size", mend=mend)
    if code < 0:
        mend = "most often memory ran out: lower tokenizer.max_corpus_mebibytes"
        return InputError(f"training the vocabulary was killed (signal {-code})", mend=mend)
    return RuntimeError(f"sentencepiece failed with exit code {code}:\n{log}")


def _round_scores(model: bytes) -> bytes:
    """Round the score of every piece to 1/1024 in a serialised sentencepiece model.

    Layout (protocol buffers): repeated field 1 of the file is a piece; in it field 1 is its text, field 2 a 32-bit
    float score, field 3 its type. Nothing changes its length, so the rest of the file stays as it is.
    """
    data = bytearray(model)
    at = 0
    while at < len(data) and data[at] == 0x0A:
        length, start = _varint(data, at + 1)
        text_length, text = _varint(data, start + 1)
        score = text + text_length
        if data[start] != 0x0A or data[score] != 0x15:
            raise RuntimeError("the layout of the sentencepiece model is not the expected one")
        (value,) = struct.unpack_from("<f", data, score + 1)
        struct.pack_into("<f", data, score + 1, round(value * SCORE_STEP) / SCORE_STEP)
        at = start + length
    return bytes(data)


def _varint(data: bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at
