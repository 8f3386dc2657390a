"""Tuning an open base on a CPU: ours beside its own stock path, a plain loop, HF Trainer, and TRL with peft.

    python benchmarks/tuning_cpu.py --base gemma.gguf --data JMED_DIR            # all sides, three rounds
    python benchmarks/tuning_cpu.py --base gemma.gguf --data JMED_DIR --sides ours,loop --steps 2 --threads 1

Every side tunes the same rows (JMED-LLM training rows, drawn as the recipe draws them) in bf16 with AdamW, in a fresh
process; rounds go forwards and backwards in turn, so that another load meets all sides alike. Ratios are to `stock`,
the way of before: autocast over the model's own layers, gradients of embedding and head in every micro-batch. Each line
names tokens a second of wall clock and of CPU time, the peak of memory, and the losses, which must agree for the sides
that train the same weights. A side whose package is missing is named and skipped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIDES = ("stock", "ours", "ours-frozen", "ours-lora", "loop", "trainer", "trl-lora")
RATE = 1e-5
BUDGET = 2048
"""Tokens of a micro-batch."""


def prepared(base: Path, data: Path, folder: Path, rows: int, steps: int) -> None:
    """The base in our form and the rows of every step, once for all sides."""
    from igakulm.model.folder import write_folder
    from igakulm.progress import SilentProgress
    from igakulm.recipe.schema import BenchmarksSection, Jmed, LexiconSection, ModelSection, TokenizerSection
    from igakulm.synth.lexicon import build_lexicon
    from igakulm.tasks.load import load_split
    from igakulm.tokenizer.build_tokenizer import build_tokenizer
    from igakulm.tokenizer.open import load_encoder
    from igakulm.training.finetune import tuning_model
    from igakulm.training.order import rows_of_step
    from igakulm.training.pretrain import starting_model
    from igakulm.training.tuning_rows import render_rows

    quiet = SilentProgress()
    for name in ("lexicon", "tokenizer", "base"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    build_lexicon(LexiconSection(), folder / "lexicon", quiet)
    section = TokenizerSection(from_folder=str(base))
    build_tokenizer(section, None, folder / "lexicon", folder / "tokenizer", quiet)
    encoder = load_encoder(folder / "tokenizer")
    start, scale = starting_model(ModelSection(from_folder=str(base)), encoder, 1, 0, quiet)
    write_folder(start, scale, encoder, folder / "tokenizer", folder / "base" / "model", chat=False)
    items = load_split(BenchmarksSection(jmed=Jmed(path=str(data))), "published").train
    found, _ = render_rows(items, encoder, 1536, quiet, form="raw")
    grown, scale = tuning_model(ModelSection(from_folder=str(base)), folder / "base" / "model", encoder, 1536, 0)
    write_folder(grown, scale, encoder, folder / "tokenizer", folder / "model", chat=True)
    drawn = [[found[n] for n in rows_of_step(0, step, len(found), rows)] for step in range(steps)]
    kept = [[[row.ids.tolist(), row.targets.tolist()] for row in step] for step in drawn]
    (folder / "rows.json").write_text(json.dumps(kept))


def our_side(folder: Path, form: str) -> Callable[[list[Any]], float]:
    from igakulm.model.adapters import add_adapters, freeze_ends
    from igakulm.model.batch import Row, collate
    from igakulm.model.objective import Objective
    from igakulm.model.presets import load_folder
    from igakulm.recipe.schema import FinetuneSection
    from igakulm.training.micro_batches import micro_batches
    from igakulm.training.optimizer import build_optimizer

    model = load_folder(folder / "model")
    if form == "ours-lora":
        add_adapters(model, rank=16, alpha=32.0, dropout=0.0, seed=0)
    if form == "ours-frozen":
        freeze_ends(model)
    objective = Objective(model, bf16=True).train()
    if form != "stock":
        objective.use_fast_layers(ends=True)
    optimizer = build_optimizer(model, FinetuneSection(learning_rate=RATE))
    trained = [weight for weight in model.parameters() if weight.requires_grad]

    def step(rows: list[Any]) -> float:
        made = [Row(np.asarray(ids), np.asarray(targets), (len(ids),)) for ids, targets in rows]
        amount, total = sum(row.learnt for row in made), 0.0
        for group in micro_batches(made, BUDGET):
            loss: torch.Tensor = objective(collate(group)) / amount
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        objective.finish_step()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        objective.weights_changed()
        return total

    return step


def padded(rows: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Ids, labels (a position before ours: the stock loss shifts) and mask, padded on the right."""
    width = max(len(ids) for ids, _ in rows)
    ids, labels, mask = (torch.full((len(rows), width), fill) for fill in (0, -100, 0))
    for number, (tokens, targets) in enumerate(rows):
        ids[number, : len(tokens)] = torch.tensor(tokens)
        labels[number, 1 : len(tokens)] = torch.tensor(targets[:-1])
        mask[number, : len(tokens)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def stock_model(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="sdpa").train()


def loop_side(folder: Path) -> Callable[[list[Any]], float]:
    """What one writes by hand: autocast, micro-batches sorted by length, the head where a target is."""
    model = stock_model(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.01, fused=True)

    def step(rows: list[Any]) -> float:
        ordered, groups = sorted(rows, key=lambda row: len(row[0])), [[]]  # type: list[Any], list[list[Any]]
        for row in ordered:
            if groups[-1] and (len(groups[-1]) + 1) * len(row[0]) > BUDGET:
                groups.append([])
            groups[-1].append(row)
        amount = sum(target >= 0 for _, targets in rows for target in targets)
        total = 0.0
        for group in groups:
            batch = padded(group)
            labels = batch.pop("labels")
            with torch.autocast("cpu", torch.bfloat16):
                states = model.model(**batch, use_cache=False).last_hidden_state
                chosen = labels[:, 1:] >= 0
                logits = model.lm_head(states[:, :-1][chosen])
            loss = torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][chosen], reduction="sum") / amount
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return step


def trainer_rates(folder: Path, steps: list[list[Any]], adapted: bool) -> dict[str, Any]:
    """HF Trainer, or TRL's SFTTrainer with peft; padded micro-batches of four rows."""
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainerCallback, TrainingArguments

    model, rows = stock_model(folder), [row for step in steps for row in step]
    if adapted:
        import trl  # noqa: F401 - the side is named for it
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
    ends, losses = [time.perf_counter()], list[float]()

    class Watch(TrainerCallback):
        def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
            if "loss" in logs:
                losses.append(logs["loss"])

        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=len(steps[0]) // 4,
        max_steps=len(steps),
        learning_rate=RATE,
        lr_scheduler_type="constant",
        bf16=True,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    InOrder(model=model, args=arguments, train_dataset=rows, data_collator=padded, callbacks=[Watch()]).train()  # type: ignore[arg-type]
    seconds = [after - before for before, after in itertools.pairwise(ends)]
    return {"seconds": seconds, "busy": seconds, "losses": losses}


def run(side: str, folder: Path) -> dict[str, Any]:
    """One side in this process."""
    steps = json.loads((folder / "rows.json").read_text())
    if side in ("trainer", "trl-lora"):
        found = trainer_rates(folder, steps, side == "trl-lora")
    else:
        step = loop_side(folder) if side == "loop" else our_side(folder, side)
        found = {"seconds": [], "busy": [], "losses": []}
        for rows in steps:
            begin, busy = time.perf_counter(), time.process_time()
            found["losses"].append(round(step(rows), 4))
            found["seconds"].append(time.perf_counter() - begin)
            found["busy"].append(time.process_time() - busy)
    tokens = [sum(len(ids) for ids, _ in rows) for rows in steps]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {**found, "tokens": tokens, "peak_gib": round(peak, 2)}


def rate(runs: Sequence[dict[str, Any]], clock: str) -> float:
    """Tokens a second, the median over all steps but each run's first."""
    pairs = [pair for one in runs for pair in list(zip(one["tokens"], one[clock], strict=True))[1:]]
    return statistics.median(tokens / seconds for tokens, seconds in pairs)


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    base = {clock: rate(results["stock"], clock) for clock in ("seconds", "busy")} if results.get("stock") else {}
    lines = ["| side | tokens/s | ratio | tokens/CPU s | ratio | peak GiB | losses |", "|---|---|---|---|---|---|---|"]
    for side, runs in results.items():
        if not runs:
            continue
        wall, busy = rate(runs, "seconds"), rate(runs, "busy")
        ratios = [f"{value / base[clock]:.2f}" if base else "" for clock, value in (("seconds", wall), ("busy", busy))]
        losses = ", ".join(f"{loss:.3f}" for loss in runs[0]["losses"][:4])
        peak = max(one["peak_gib"] for one in runs)
        lines.append(f"| {side} | {wall:.0f} | {ratios[0]} | {busy:.0f} | {ratios[1]} | {peak} | {losses} |")
    return "\n".join(lines)


def products() -> float:
    """GFLOP/s of bf16 products of 2,048 on this machine's threads, now."""
    one = torch.randn(2048, 2048, dtype=torch.bfloat16)
    begin, number = time.perf_counter(), 0
    while time.perf_counter() - begin < 2:
        one @ one
        number += 1
    return number * 2 * 2048**3 / (time.perf_counter() - begin) / 1e9


def alternated(options: argparse.Namespace, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every side once a round, forwards and backwards in turn."""
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in options.sides.split(",")}
    limits = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16", "GOMP_SPINCOUNT": "1000", "HF_HUB_OFFLINE": "1"}
    environment = {**os.environ, **limits, "OMP_NUM_THREADS": str(options.threads)}
    for number in range(options.rounds):
        for side in list(results) if number % 2 == 0 else reversed(results):
            command = [sys.executable, __file__, "--run", side, str(folder)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=options.timeout)
            except subprocess.TimeoutExpired:
                print(f"round {number + 1}  {side}: no end after {options.timeout:.0f} s", flush=True)
                continue
            lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
            if not lines:
                said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
                print(f"round {number + 1}  {side}: skipped, {said[:200]}", flush=True)
                continue
            results[side].append(json.loads(lines[-1].removeprefix("RESULT ")))
            options.out.write_text(json.dumps(results, indent=1))
            print(f"round {number + 1}  {side}: {rate(results[side][-1:], 'seconds'):.0f} tokens/s", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=False)
    parser.add_argument("--data", type=Path, help="JMED-LLM")
    parser.add_argument("--sides", default=",".join(SIDES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="of a run; the first is not counted")
    parser.add_argument("--rows", type=int, default=32, help="rows of a step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds of one run")
    parser.add_argument("--out", type=Path, default=Path("tuning_cpu.json"))
    parser.add_argument("--work", type=Path, default=None, help="folder of the prepared base; kept")
    parser.add_argument("--run", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        print("RESULT " + json.dumps(run(options.run[0], Path(options.run[1]))))
        return
    folder = options.work or Path(tempfile.mkdtemp())
    torch.set_num_threads(options.threads)
    from igakulm.machine import arithmetic

    print(f"{arithmetic()}; bf16 products now: {products():,.0f} GFLOP/s; load {os.getloadavg()[0]:.1f}", flush=True)
    if not (folder / "rows.json").is_file():
        prepared(options.base, options.data, folder, options.rows, options.steps)
    print("\n" + table(alternated(options, folder)))


if __name__ == "__main__":
    main()
