"""Lists held to the document, lists held to JSON, and lists written freely: scores, tokens and CPU seconds.

    python benchmarks/held_lists.py --model FOLDER --data JMED_DIR [--task nrner] [--items 100] [--precision bf16]

Test items of the document-disjoint split, asked in our layout. "free" is what evaluation did until December 2026:
no constraint, 128 tokens, prompts whole. CPU seconds of this process, so that other work on the machine matters little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch

from igakulm.answering.extraction import Asking, Framed, extract_all
from igakulm.evaluation.ask_tokens import frame_of
from igakulm.evaluation.intervals import Resampler
from igakulm.evaluation.manner import Manner
from igakulm.evaluation.metrics import entity_metrics
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.recipe.schema import BenchmarksSection, Jmed
from igakulm.tasks.load import load_split
from igakulm.text.lists import list_items

FREE_TOKENS = 128
HELD: tuple[Literal["document", "json", "free"], ...] = ("document", "json", "free")
TASKS = ("nrner", "mrner_medicine", "mrner_disease")
Found = tuple[list[tuple[str, ...] | None], int, int, int]
"""Answers, their tokens, how many were cut, strings that the document does not hold."""


def held(model: Model, frames: Sequence[Framed], how: Asking) -> Found:
    found = extract_all(model, frames, how)
    cut, unplaced = sum(one.cut for one in found), sum(len(one.unplaced) for one in found)
    return [one.named for one in found], sum(one.completion_tokens for one in found), cut, unplaced


def free(model: Model, frames: Sequence[Framed]) -> Found:
    prompts = [model.prompt([{"role": "user", "content": one.message(one.text)}]).ids for one in frames]
    made = model.engine.generate(prompts, FREE_TOKENS, model.encoder.stops)
    named = [list_items(model.encoder.decode(ids)) for ids in made]
    strange = sum(item not in one.text for one, items in zip(frames, named, strict=True) for item in items or ())
    return named, sum(map(len, made)), sum(len(ids) >= FREE_TOKENS for ids in made), strange


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", action="append", choices=TASKS)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = open_model(options.model, "transformers", precision=options.precision, device="cpu")
    jmed = Jmed(path=str(options.data), tasks=tuple(options.task or TASKS))
    tests = load_split(BenchmarksSection(jmed=jmed), "document-disjoint").test
    print("| task | n | held to | overlap F1 | exact F1 | cut | not in the document | tokens | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for task, items in tests.items():
        items = items[: options.items]
        frames = [frame for item in items if (frame := frame_of(model, item, Manner("chat")))]
        for name in HELD:
            start = time.process_time()
            named, tokens, cut, strange = (
                free(model, frames) if name == "free" else held(model, frames, Asking(hold=name))
            )
            seconds = time.process_time() - start
            resampler, scores = Resampler(items, 2000, 0), []
            for metric in entity_metrics(items, named):
                if metric.name in ("overlap_f1", "exact_f1"):
                    low, high = resampler.interval(metric.statistics, metric.combine)
                    scores.append(f"{metric.value:.3f} [{low:.3f}, {high:.3f}]")
            row = (task, len(items), name, *scores, cut, strange, tokens, f"{seconds:.1f}")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
