"""Training of the vocabulary: ours (word counts and own seeds) beside sentencepiece on pre-split text, in one run.

    python benchmarks/tokenizer_training.py TEXT... [--vocabulary 32768] [--mebibytes 48] [--user-dictionary FILE]

TEXT: JSON Lines, plain or .zst, with a field `text`. Both trainers get the same text, cleaned and split by MeCab with
the same words, and the same options; MeCab's own time is needed by both and printed apart. Each runs in a process of
its own, whose seconds and peak memory (its children's included) are printed with the characters per token that the
vocabulary reaches on every twentieth document, which neither sees.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import zstandard

from igakulm.progress import SilentProgress
from igakulm.recipe.schema import TokenizerSection
from igakulm.text.cleaning import clean_texts
from igakulm.tokenizer.counting import weighted_counts
from igakulm.tokenizer.segment import Segmenter
from igakulm.tokenizer.unigram import _trainer_options, train_unigram

DELIMITER = "\u2063"


def texts(paths: Sequence[Path], budget: int) -> Iterator[str]:
    """Cleaned documents, the same share of the budget from every file."""
    for path in paths:
        size, share = 0, budget // len(paths)
        with path.open("rb") as raw:
            lines = io.TextIOWrapper(
                zstandard.ZstdDecompressor().stream_reader(raw) if path.suffix == ".zst" else raw, encoding="utf-8"
            )
            for line in lines:
                if size >= share:
                    break
                (text,) = clean_texts([json.loads(line)["text"]])
                size += len(text.encode())
                yield text


def split(paths: Sequence[Path], budget: int, segmenter: Segmenter, folder: Path) -> tuple[int, list[str]]:
    """Write the words for both trainers; return the bytes of text and the held-out documents."""
    counts: Counter[str] = Counter()
    held: list[str] = []
    size = 0
    with (folder / "delimited.txt").open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts(paths, budget)):
            if number % 20 == 0:
                held.append(text)
                continue
            size += len(text.encode())
            for line in text.split("\n"):
                words = segmenter.words(line)
                counts.update(words)
                # The trainer skips lines of more than 4,192 bytes unless told otherwise; sentences are short enough.
                file.write(DELIMITER.join(words).replace("。" + DELIMITER, "。\n") + "\n")
    with (folder / "counts.json").open("w", encoding="utf-8") as file:
        json.dump(counts, file, ensure_ascii=False)
    return size, held


def ours(folder: Path, section: TokenizerSection) -> None:
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    (folder / "ours.model").write_bytes(train_unigram(weighted_counts({1.0: counts}, [], 0), section, SilentProgress()))


def theirs(folder: Path, section: TokenizerSection) -> None:
    options = _trainer_options(section)
    for ours_only in ("input_format", "seed_sentencepieces_file"):
        del options[ours_only]
    options |= {
        "input": str(folder / "delimited.txt"),
        "model_prefix": str(folder / "theirs"),
        "pretokenization_delimiter": DELIMITER,
        "character_coverage": section.character_coverage,
        "max_sentence_length": 100_000,
        "minloglevel": 2,
    }
    sentencepiece.SentencePieceTrainer.train(**options)


def _run(train: Callable[[Path, TokenizerSection], None], folder: Path, section: TokenizerSection, queue: Any) -> None:
    begin = time.perf_counter()
    train(folder, section)
    seconds = time.perf_counter() - begin
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    queue.put((seconds, sum(peaks) / 1024))  # an upper bound where the peaks of parent and child fall apart


def measured(
    train: Callable[[Path, TokenizerSection], None], folder: Path, section: TokenizerSection
) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_run, args=(train, folder, section, queue))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{train.__name__} failed with exit code {process.exitcode}")
    seconds, mebibytes = queue.get()
    return seconds, mebibytes


def characters_per_token(model: Path, documents: Sequence[str]) -> float:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    lines = [line for text in documents for line in text.split("\n")]
    return sum(map(len, lines)) / sum(map(len, processor.encode(lines)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--mebibytes", type=int, default=48)
    parser.add_argument("--user-dictionary", type=Path)
    parser.add_argument("--single-words", action="store_true", help="do not join chains of function words")
    options = parser.parse_args()
    section = TokenizerSection(vocabulary_size=options.vocabulary)
    with tempfile.TemporaryDirectory(prefix="igakulm-benchmark-") as name:
        folder = Path(name)
        begin = time.perf_counter()
        segmenter = Segmenter(options.user_dictionary, not options.single_words)
        size, held = split(options.texts, options.mebibytes * 2**20, segmenter, folder)
        print(f"{size / 2**20:.1f} MiB cleaned and split by MeCab in {time.perf_counter() - begin:.1f} s (one core)")
        results = {}
        for train in (ours, theirs):
            results[train.__name__] = seconds, memory = measured(train, folder, section)
            model = folder / f"{train.__name__}.model"
            figure = characters_per_token(model, held)
            print(f"{train.__name__:7s}{seconds:8.1f} s{memory:8.0f} MiB{figure:8.3f} characters a token", flush=True)
        time_ratio, memory_ratio = (results["ours"][i] / results["theirs"][i] for i in range(2))
        print(f"ours / theirs: time {time_ratio:.2f}, memory {memory_ratio:.2f}")


if __name__ == "__main__":
    main()
