"""Training on one GPU: ours, eager to compiled with exact document masks, beside HF Trainer and a hand-compiled loop.

    python benchmarks/train_gpu.py --check                   # are the GPU's kernels right? about a minute
    python benchmarks/train_gpu.py --part 1 --budget 540     # two calls of at most ten minutes, no network
    python benchmarks/train_gpu.py --part 2 --budget 540     # goes on in the same --out
    python benchmarks/train_gpu.py --shape toy --device cpu --steps 2 --warmup 1    # a smoke test

The model is the paper's (1.19 B, rows of 2048, bf16 autocast over fp32 weights, AdamW). Every variant is a fresh
process; one that runs out of memory is tried again with half the micro-batch at the same global batch. MFU counts 6
FLOPs a weight and token and attention over whole rows (PaLM's convention) over the GPU's dense bf16 peak. All variants
see the same rows and initial weights, so losses agree but where documents or dropout change the task.

Needs a checkout, torch, transformers and numpy. "ours, the loop" and the check of resume need igakulm's requirements
and are skipped without. Results are in --out after every run; a repeated command leaves out what is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from training_rounds import SOURCES, Rounds, skipped, summary, table
from training_sides import SHAPES, Setting

BEST = "ours, compiled, documents"
PARTS: dict[int, dict[str, dict[str, Any]]] = {
    1: {
        BEST: {"side": "ours-step", "compile": True, "documents": 600},
        "HF, compiled by hand": {"side": "hand", "compile": True},
        "ours, compiled": {"side": "ours-step", "compile": True},
        "HF Trainer": {"side": "trainer"},
        "ours, eager": {"side": "ours-step"},
        "ours, the loop": {"side": "ours", "compile": True, "documents": 600},
    },
    2: {
        "HF Trainer, compiled": {"side": "trainer", "compile": True},
        "ours, compiled, whole logits": {"side": "ours-step", "compile": True, "whole_logits": True},
        "ours, compiled, documents, dropout": {
            "side": "ours-step",
            "compile": True,
            "documents": 600,
            "dropout": 0.1,
        },
        "ours, eager, documents": {"side": "ours-step", "documents": 600},
        "HF, by hand": {"side": "hand"},
        "HF, compiled by hand, documents": {"side": "hand", "compile": True, "documents": 600},
        BEST: {"side": "ours-step", "compile": True, "documents": 600},
    },
}


def settings(options: argparse.Namespace) -> dict[str, Setting]:
    keys = ("shape", "micro_batch", "accumulate", "steps", "warmup", "device")
    size = {key: getattr(options, key) for key in keys}
    chosen = {name: keys for part in options.part for name, keys in PARTS[part].items()}
    if options.only:
        chosen = {name: keys for name, keys in chosen.items() if name in options.only}
    found = {}
    for name, keys in chosen.items():
        mean = min(keys.get("documents", 0), SHAPES[options.shape].sequence // 4)
        found[name] = Setting(**size, precision="bf16", **{**keys, "documents": mean})
    return found


def peak_flops(device: str, given: float | None) -> float | None:
    if given:
        return given * 1e12
    sys.path.insert(0, str(SOURCES))
    from igakulm.training.devices import peak_flops as known

    return known(torch.cuda.get_device_name()) if device.startswith("cuda") else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="check the kernels against exact ones and stop")
    parser.add_argument("--part", type=int, nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--only", nargs="+", help="names of variants")
    parser.add_argument("--shape", choices=SHAPES, default="paper-1b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8, help="timed steps")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--micro-batch", type=int, default=8, help="rows at once")
    parser.add_argument("--accumulate", type=int, default=4, help="micro-batches of a step")
    parser.add_argument("--timeout", type=float, default=240.0, help="seconds of one run")
    parser.add_argument("--budget", type=float, default=540.0, help="seconds after which no run is begun")
    parser.add_argument("--peak", type=float, default=None, help="dense bf16 TFLOP/s of the GPU, if it is not known")
    parser.add_argument("--out", type=Path, default=Path("train_gpu.json"), help="results; the table goes beside it")
    options = parser.parse_args()
    if options.check:
        from training_check import check

        sys.path.insert(0, str(SOURCES))
        sys.exit(0 if check(torch.device(options.device)) else 1)
    rounds = Rounds(options.out, options.timeout, options.budget, threads=8)
    rounds.alternate(settings(options), options.rounds)
    found = summary(rounds.results, peak_flops(options.device, options.peak))
    good = [run for runs in rounds.results.values() for run in runs if "device" in run]
    text = table(found, BEST, gpu=True) + "\n" + "".join(f"\n- {line}" for line in skipped(rounds.results))
    if good:
        one = good[0]
        text += f"\n\n{one['device']}, torch {one['torch']}; {one['parameters'] / 1e9:.3f} B parameters, "
        text += f"{one['flops_per_token'] / 1e9:.2f} GFLOP a token; rows of {SHAPES[options.shape].sequence} tokens, "
        text += f"{one['setting']['micro_batch'] * one['setting']['accumulate']} a step."
    options.out.with_suffix(".md").write_text(text + "\n")
    print("\n" + text + "\n" + json.dumps(found))


if __name__ == "__main__":
    main()
