"""Training of the Unigram vocabulary (section 2.2.3) from word counts.

Does: propose seed pieces and train sentencepiece in a child process. Does not: count words, convert the model, or
measure it. The trainer sees each word type once with its count, and our own substrings as seeds: a tenth of the time
and memory of training on running text.
"""

from __future__ import annotations

import heapq
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.progress import Progress
from igakulm.recipe.schema import TokenizerSection
from igakulm.tokenizer.chat import BEGIN, END
from igakulm.tokenizer.encode import SENTENCE_END
from igakulm.tokenizer.required_characters import required_characters

MAX_PIECE = 16
"""Characters of the longest piece."""
MAX_WORDS = 300_000
"""Different words that the trainer sees, the most frequent ones: bounds its time and memory (about 1 GB)."""
SEEDS_PER_ENTRY = 6
"""Seed pieces for each entry of the vocabulary. Thirty took four times as long for a vocabulary no better."""
TRAINER_THREADS = 4
"""Fixed: the trainer's sums depend on it, and the result must not depend on the machine."""
RAREST_CHARACTER = 5_000_000
"""The trainer computes shares of text in 32-bit floats: one in 16 million is the least that it can see."""
SCORE_STEP = 1024
"""Scores are rounded to 1/1024, so that sums of 32-bit (sentencepiece) and of 64-bit floats (tokenizers) are both
exact and the two give identical ids."""

_NEVER_INSIDE = {True: re.compile(rf"\d+|{SENTENCE_END}"), False: re.compile(SENTENCE_END)}
"""No piece crosses these (with and without `split_digits`); `TextEncoder` relies on the end of a sentence."""


def seed_pieces(counts: Mapping[str, int], split_digits: bool, most: int = 200_000) -> list[tuple[str, int]]:
    """Substrings of 2 to 16 characters of words, with the counts of their words; the `most` best, best first.

    >>> seed_pieces({"血圧": 3, "血圧計": 2}, split_digits=True)
    [('血圧', 5), ('血圧計', 2), ('圧計', 2)]
    """
    seeds: Counter[str] = Counter()
    for word, count in counts.items():
        for part in _NEVER_INSIDE[split_digits].split(word):
            for start in range(len(part) - 1):
                for end in range(start + 2, min(len(part), start + MAX_PIECE) + 1):
                    seeds[part[start:end]] += count
    kept = ((piece, count) for piece, count in seeds.items() if count > 1)
    return heapq.nsmallest(most, kept, key=lambda item: (-item[1] * len(item[0]), item[0]))


def train_unigram(counts: Mapping[str, int], config: TokenizerSection, progress: Progress) -> bytes:
    """Train on word counts; return the bytes of a sentencepiece model with exactly `vocabulary_size` entries.

    Ids: 0 unknown, 1 begin, 2 end, 3 newline, 4-259 bytes. The same counts and options give the same bytes.

    Raises:
        InputError: the vocabulary is larger than the text supports, or smaller than its characters need.
    """
    if not counts:
        raise InputError("there are no words to train a vocabulary on", hint="give the corpus more text")
    with tempfile.TemporaryDirectory(prefix="igakulm-unigram-") as name:
        folder = Path(name)
        words = _in_alphabet(counts, config)
        _write_counts(folder / "words.tsv", words.items())
        _write_counts(
            folder / "seeds.tsv", seed_pieces(words, config.split_digits, SEEDS_PER_ENTRY * config.vocabulary_size)
        )
        _run_trainer(folder, _trainer_options(config), progress)
        return _round_scores((folder / "unigram.model").read_bytes())


def _write_counts(path: Path, items: Iterable[tuple[str, int]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{piece}\t{count}\n" for piece, count in items)


def _in_alphabet(counts: Mapping[str, int], config: TokenizerSection) -> dict[str, int]:
    """Counts of the most frequent words whose characters all go into the vocabulary; each such character is a word.

    The vocabulary gets the required characters, and the most frequent others until `character_coverage` of the text is
    covered. The trainer's own option leaves out required characters once the others cover the text, or others for
    rare required ones; here it meets the alphabet only, and every character often enough to survive its rounding.
    """
    characters = _character_counts(counts)
    total = characters.total()
    chosen = set(required_characters(config.required_characters, config.required_kanji))
    covered = sum(characters[character] for character in chosen)
    for character, count in sorted(characters.items(), key=lambda item: (-item[1], item[0])):
        if covered >= config.character_coverage * total:
            break
        if character not in chosen:
            chosen.add(character)
            covered += count
    spelt = (item for item in counts.items() if chosen.issuperset(item[0]))
    words = Counter(dict(sorted(heapq.nsmallest(MAX_WORDS, spelt, key=lambda item: (-item[1], item[0])))))
    characters = _character_counts(words)
    least = 1 + total // RAREST_CHARACTER
    for character in sorted(chosen):
        if characters[character] < least:
            words[character] += least - characters[character]
    return dict(words)


def _character_counts(counts: Mapping[str, int]) -> Counter[str]:
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    return characters


def _trainer_options(config: TokenizerSection) -> dict[str, object]:
    return {
        "input": "words.tsv",  # relative names: the trainer writes them into the model
        "input_format": "tsv",
        "model_prefix": "unigram",
        "seed_sentencepieces_file": "seeds.tsv",
        "model_type": "unigram",
        "vocab_size": config.vocabulary_size,
        "character_coverage": 1.0,
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
        hint = f"set tokenizer.vocabulary_size to {int(found[1])} or less, or give the corpus more text"
        return InputError(what, where="tokenizer.vocabulary_size", hint=hint)
    if found := _TOO_LOW.search(log):
        what = f"a vocabulary of {wanted:,} cannot hold the characters of this text: at least {int(found[1]):,}"
        hint = (
            f"set tokenizer.vocabulary_size well above {int(found[1])}, lower tokenizer.character_coverage, or require "
            "fewer characters (tokenizer.required_characters, tokenizer.required_kanji)"
        )
        return InputError(what, where="tokenizer.vocabulary_size", hint=hint)
    if code < 0:
        hint = "most often memory ran out: lower tokenizer.max_corpus_mebibytes"
        return InputError(f"training the vocabulary was killed (signal {-code})", hint=hint)
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
