"""Training on a CPU: our loop beside HF Trainer, an Accelerate loop and litgpt; same model, rows and initial weights.

    python benchmarks/train_cpu.py                                            # a smoke test, about a minute
    python benchmarks/train_cpu.py --shape 20m --rounds 5 --steps 8 --threads 1 --peer-python /path/to/python

Every run is a fresh process and rounds go forwards and backwards in turn; figures are medians, ratios are ours over the
fastest peer at the same precision. Rows are whole documents, which all sides can train on; "ours, documents" masks
documents of 128 tokens exactly, which its peers cannot without a dense mask. litgpt's model is its own (same sizes,
parameters and FLOPs); its interpreter is `--peer-python`, as it may want other versions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from training_rounds import Rounds, largest_difference, skipped, summary, table
from training_sides import SHAPES, Setting

PEERS = {"HF Trainer": "trainer", "Accelerate": "accelerate", "litgpt": "litgpt"}
MODES: dict[str, dict[str, Any]] = {
    "fp32": {"precision": "fp32"},
    "bf16": {"precision": "bf16"},
    "bf16 compiled": {"precision": "bf16", "compile": True},
}


def settings(options: argparse.Namespace) -> dict[str, Setting]:
    size = {key: getattr(options, key) for key in ("shape", "micro_batch", "accumulate", "steps", "warmup")}
    found = {}
    for mode in options.modes:
        for name, side in {"ours": "ours", **PEERS}.items():
            found[f"{name}, {mode}"] = Setting(side=side, **size, **MODES[mode])
    masked = {"side": "ours", "documents": min(128, SHAPES[options.shape].sequence // 4)}
    return {**found, "ours, bf16, documents": Setting(**masked, **size, **MODES["bf16"])}


def report(results: dict[str, list[dict[str, Any]]], modes: list[str]) -> dict[str, Any]:
    """Ratios at each precision, and how far the loss curves of the stock model's sides are apart."""
    found = summary(results, None)
    ratios, apart = {}, {}
    for mode in modes:
        ours, peers = f"ours, {mode}", [f"{name}, {mode}" for name in PEERS if f"{name}, {mode}" in found]
        if ours not in found or not peers:
            continue
        fastest = max(peers, key=lambda name: found[name]["tokens_per_second"])
        ratio = found[ours]["tokens_per_second"] / found[fastest]["tokens_per_second"]
        ratios[mode] = {"fastest_peer": fastest, "ours_over_it": round(ratio, 3)}
        for peer in peers:
            if "litgpt" not in peer:  # its weights are drawn for its own matrices
                curves = results[ours][0]["losses"], results[peer][0]["losses"]
                apart[f"{ours} / {peer}"] = largest_difference(*curves)
    gains = {}
    if "fp32" in modes and "ours, fp32" in found:
        base = found["ours, fp32"]["tokens_per_second"]
        gains = {mode: round(found[f"ours, {mode}"]["tokens_per_second"] / base, 2) for mode in modes[1:]}
    return {"figures": found, "ratios": ratios, "gain_over_fp32": gains, "losses_apart": apart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="toy")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES)[:2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=3, help="timed steps")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--micro-batch", type=int, default=4, help="rows at once")
    parser.add_argument("--accumulate", type=int, default=2, help="micro-batches of a step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds of one run")
    parser.add_argument("--budget", type=float, default=7200.0, help="seconds after which no run is begun")
    parser.add_argument("--peer-python", default=None, help="interpreter that has litgpt")
    parser.add_argument("--out", type=Path, default=Path("train_cpu.json"))
    parser.add_argument("--fresh", action="store_true", help="forget the results that are in --out")
    options = parser.parse_args()
    if options.fresh:
        options.out.unlink(missing_ok=True)
    pythons = {"litgpt": options.peer_python} if options.peer_python else {}
    rounds = Rounds(options.out, options.timeout, options.budget, pythons, options.threads)
    rounds.alternate(settings(options), options.rounds)
    found = report(rounds.results, options.modes)
    print("\n" + table(found.pop("figures"), "ours, fp32", gpu=False))
    print("\n".join(["", *skipped(rounds.results), json.dumps(found, indent=1)]))


if __name__ == "__main__":
    main()
