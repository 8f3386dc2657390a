"""Asking a model the items of JMED-LLM: ours beside the published loop (one prompt at a time, `generate`).

    python benchmarks/evaluation_speed.py --model FOLDER --data JMED_DIR [--prompts published] [--items 100] [--runs 3]

The same model folder, prompts, precision, threads and limit of new tokens on both sides; the peer is what the
benchmark's authors run: apply_chat_template, generate, decode, prompt after prompt. Runs alternate; medians and ratios
are printed, and how many answers are the same text. "options" compares choosing by the letters' log-probabilities with
the peer's generation on the five choice tasks. Peak memory is each side's own, measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def load_items(options: argparse.Namespace) -> dict[str, Any]:
    """The items whose prompt and longest answer fit the model's context, so that both sides do the same work."""
    from transformers import AutoTokenizer

    from igakulm.evaluation.manner import Manner
    from igakulm.recipe.schema import BenchmarksSection, Jmed
    from igakulm.tasks.load import load_test_items

    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(options.model, local_files_only=True)
    manner = Manner(options.prompts, "generate")
    context = json.loads((options.model / "config.json").read_text())["max_position_embeddings"]
    room = context - options.max_new_tokens

    def length(item: Any) -> int:
        return int(prompt_ids(tokenizer, manner, item).shape[1])

    jmed = Jmed(path=str(options.data), tasks=tuple(options.task or ()))
    tasks = {}
    for task, items in load_test_items(BenchmarksSection(jmed=jmed)).items():
        tasks[task] = [item for item in items if length(item) <= room][: options.items]
    return {task: items for task, items in tasks.items() if items}


def run_peer(options: argparse.Namespace, tasks: dict[str, Any]) -> tuple[dict[str, float], dict[str, list[str]]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from igakulm.evaluation.manner import Manner

    torch.set_num_threads(options.threads)
    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(options.model, local_files_only=True)
    model: Any = AutoModelForCausalLM.from_pretrained(options.model, local_files_only=True, dtype=torch.float32).eval()
    manner = Manner(options.prompts, "generate", options.max_new_tokens)
    seconds, texts = {}, {}
    with torch.inference_mode():
        for task, items in tasks.items():
            start, found = time.perf_counter(), []
            for item in items:
                ids = prompt_ids(tokenizer, manner, item)
                made = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=options.max_new_tokens,
                    do_sample=False,
                )
                found.append(tokenizer.decode(made[0][ids.shape[1] :], skip_special_tokens=True))
            seconds[task], texts[task] = time.perf_counter() - start, found
    return seconds, texts


def prompt_ids(tokenizer: Any, manner: Any, item: Any) -> Any:
    """A conversation where the model has a chat template, else the plain text of a base model."""
    if not tokenizer.chat_template:
        return tokenizer(manner.text(item), return_tensors="pt").input_ids
    return tokenizer.apply_chat_template(
        manner.messages(item), add_generation_prompt=True, return_tensors="pt", return_dict=False
    )


def run_ours(
    options: argparse.Namespace, tasks: dict[str, Any], answer: Any
) -> tuple[dict[str, float], dict[str, list[str]]]:
    import torch

    from igakulm.evaluation.ask_items import ask
    from igakulm.evaluation.kept import KeptAnswers
    from igakulm.evaluation.manner import Manner
    from igakulm.inference.open import open_model

    torch.set_num_threads(options.threads)
    model = open_model(options.model, precision=options.precision, batch_tokens=options.batch_tokens)
    manner = Manner(options.prompts, answer, options.max_new_tokens)
    seconds, texts = {}, {}
    for task, items in tasks.items():
        start = time.perf_counter()
        (replies,) = ask(model, items, manner, KeptAnswers(), lambda _: None).values()
        seconds[task], texts[task] = time.perf_counter() - start, [reply.text for reply in replies]
    return seconds, texts


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One side, in this process: seconds and texts by task, and the peak memory in MiB."""
    tasks = load_items(options)
    if not tasks:
        sys.exit("no prompt leaves room for --max-new-tokens in this model's context")
    if options.side == "peer":
        seconds, texts = run_peer(options, tasks)
    else:
        tasks = {task: items for task, items in tasks.items() if options.side == "ours" or items[0].kind == "choice"}
        seconds, texts = run_ours(options, tasks, "options" if options.side == "options" else "generate")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "texts": texts, "peak": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--task", action="append", help="only this task; may be repeated")
    parser.add_argument("--prompts", choices=["chat", "published"], default="published")
    parser.add_argument("--max-new-tokens", type=int, default=512)
    parser.add_argument("--items", type=int, default=100, help="items of each task")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-tokens", type=int, default=16_384)
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto", help="of our side")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--side", choices=["peer", "ours", "options"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options)))
        return
    found: dict[str, list[dict[str, Any]]] = {"peer": [], "ours": [], "options": []}
    for _ in range(options.runs):
        for side in found:
            command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
    report(found)


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    medians = {
        side: {task: statistics.median(run["seconds"][task] for run in runs) for task in runs[0]["seconds"]}
        for side, runs in found.items()
    }
    print(
        f"{'task':15s} {'n':>4s} {'peer s':>8s} {'ours s':>8s} {'ratio':>6s} {'options s':>9s} {'ratio':>6s}  same text"
    )
    for task, peer in medians["peer"].items():
        ours, options = medians["ours"][task], medians["options"].get(task)
        pairs = zip(found["peer"][0]["texts"][task], found["ours"][0]["texts"][task], strict=True)
        same = sum(a.strip() == b.strip() for a, b in pairs)
        chosen = f"{options:9.2f} {peer / options:6.1f}" if options else " " * 16
        count = len(found["peer"][0]["texts"][task])
        print(f"{task:15s} {count:4d} {peer:8.2f} {ours:8.2f} {peer / ours:6.1f} {chosen}  {same}")
    totals = {side: sum(times.values()) for side, times in medians.items()}
    choices = sum(medians["peer"][task] for task in medians["options"])
    print(
        f"all tasks: {totals['peer']:.1f} s against {totals['ours']:.1f} s, ratio {totals['peer'] / totals['ours']:.1f}"
    )
    if totals["options"]:
        ratio = choices / totals["options"]
        print(f"choosing options: {choices:.1f} s against {totals['options']:.1f} s, ratio {ratio:.1f}")
    peaks = {side: statistics.median(run["peak"] for run in runs) for side, runs in found.items()}
    print("peak memory: " + ", ".join(f"{side} {peak:,.0f} MiB" for side, peak in peaks.items()))


if __name__ == "__main__":
    main()
