"""Encoding of text into ids: `TextEncoder.encode_batch` beside the same tokenizer.json in `tokenizers`, on one core.

    python benchmarks/encoding_speed.py --tokenizer DIR --text FILE [--text FILE ...] [--mebibytes 4] [--runs 5]

The peers are `encode_batch` and `encode_batch_fast` of `tokenizers` on the same documents, and sentencepiece on the
same lines, which is the bound for ours. The ids of `tokenizers` are compared with ours. Runs alternate; a time is the
CPU time of all threads, so that other programs on the machine do not count. Medians, lowest and highest are printed.
`tokenizers` remembers short strings; its memory is cleared before each run, as a corpus is never encoded twice.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

BATCH = 256


def sides(folder: Path) -> dict[str, Callable[[list[str]], list[list[int]]]]:
    """What is compared: documents in, ids out."""
    import sentencepiece
    from tokenizers import Tokenizer

    from igakulm.tokenizer.encode import MODEL_FILE, TOKENIZER_FILE, TextEncoder

    ours = TextEncoder.load(folder)
    stock = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    stock.encode_special_tokens = True
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / MODEL_FILE))

    def stock_ids(encode: Callable[..., Any], texts: list[str]) -> list[list[int]]:
        stock.model._clear_cache()
        found = (
            encode(texts[start : start + BATCH], add_special_tokens=False) for start in range(0, len(texts), BATCH)
        )
        return [one.ids for batch in found for one in batch]

    def ours_ids(texts: list[str]) -> list[list[int]]:
        found = (ours.encode_batch(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH))
        return [ids for batch in found for ids in batch]

    def lines_ids(texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = pieces.encode([line for text in texts for line in text.split("\n")], num_threads=1)
        return found

    return {
        "ours": ours_ids,
        "tokenizers encode_batch": lambda texts: stock_ids(stock.encode_batch, texts),
        "tokenizers encode_batch_fast": lambda texts: stock_ids(stock.encode_batch_fast, texts),
        "sentencepiece on lines": lines_ids,
    }


def measure(folder: Path, texts: list[str], runs: int) -> dict[str, Any]:
    size = sum(len(text.encode()) for text in texts) / 1e6
    rates: dict[str, list[float]] = {}
    ids: dict[str, list[list[int]]] = {}
    compared = sides(folder)
    for run in range(runs):
        order = list(compared) if run % 2 == 0 else list(reversed(compared))
        for name in order:
            start = time.process_time()
            ids[name] = compared[name](texts)
            rates.setdefault(name, []).append(size / (time.process_time() - start))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    same = sum(a == b for a, b in zip(ids["ours"], ids["tokenizers encode_batch"], strict=True))
    return {
        "documents": len(texts),
        "megabytes": round(size, 2),
        "runs": runs,
        "same_ids": same,
        "megabytes_per_second": {
            name: {"median": round(medians[name], 2), "lowest": round(min(values), 2), "highest": round(max(values), 2)}
            for name, values in rates.items()
        },
        "times_encode_batch": round(medians["ours"] / medians["tokenizers encode_batch"], 2),
        "times_encode_batch_fast": round(medians["ours"] / medians["tokenizers encode_batch_fast"], 2),
    }


def main() -> None:
    from igakulm.tokenizer.sample_texts import read_sample

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--text", type=Path, action="append", required=True)
    parser.add_argument("--mebibytes", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for path in options.text:
        texts = read_sample(path, int(options.mebibytes * 2**20))
        print(json.dumps({"text": path.name, **measure(options.tokenizer, texts, options.runs)}, indent=1))


if __name__ == "__main__":
    main()
