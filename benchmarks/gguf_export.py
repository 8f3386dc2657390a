"""GGUF export: time, megabytes a second and peak memory of writing and of checking a file, each in its own process.

    python benchmarks/gguf_export.py --model DIR [--kinds f32,q8_0,q4_k_m] [--rounds 3] [--out DIR] [--no-check]
    python benchmarks/gguf_export.py --random 4 --width 256      # a model is made: so many layers, this width

The peer is the same writer with the NumPy encoder of package `gguf` in the place of llama.cpp's library, where it knows
all types of a file (`numpy` in the table: Q8_0; llama.cpp's own converter does no more). Rounds alternate; medians are
printed. Peak memory is that of the process, beside the largest tensor as float32, below which no converter that works
tensor by tensor can stay; checking maps the whole file, whose pages count too. The bytes of both are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NUMPY_KNOWS = {"q8_0"}
ONE = """
import json, sys, time
from pathlib import Path
from igakulm.bundle import quantise
from igakulm.bundle.gguf import write_gguf
from igakulm.bundle.gguf_check import check_gguf
task, source, target, kind = sys.argv[1:]
if task == "numpy":
    quantise._library = lambda: None
def peak():
    # getrusage would count what the parent held when it forked.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
start, cpu = time.perf_counter(), time.process_time()
if task == "check":
    check_gguf(Path(target), Path(source), kind)
else:
    write_gguf(Path(source), Path(target), kind, "benchmark")
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "cpu": time.process_time() - cpu,
    "peak": peak(),
    "imports": before,
}))
"""


def random_model(folder: Path, layers: int, width: int) -> Path:
    """A random model of our form with random weights and a tokenizer of single characters."""
    import torch
    from transformers import ArceeConfig, ArceeForCausalLM

    pieces = ["<unk>", "<s>", "</s>", *(chr(0x3041 + number) for number in range(1021))]
    scored = [[piece, -1.0 - number] for number, piece in enumerate(pieces)]
    tokenizer = {"model": {"type": "Unigram", "unk_id": 0, "vocab": scored}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    torch.manual_seed(0)
    config = ArceeConfig(
        vocab_size=len(pieces),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        num_key_value_heads=1,
        head_dim=64,
        hidden_act="silu",
        bos_token_id=1,
        eos_token_id=2,
    )
    model: Any = ArceeForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def one(task: str, source: Path, target: Path, kind: str) -> dict[str, float]:
    """Run one task in a fresh process."""
    words = [sys.executable, "-c", ONE, task, str(source), str(target), kind]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measure(source: Path, kind: str, out: Path, rounds: int, check: bool) -> dict[str, Any]:
    """Medians of all sides for one kind."""
    sides = ["ours", *(["numpy"] if kind in NUMPY_KNOWS else [])]
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    digests, size = {}, 0
    for _ in range(rounds):
        for side in sides:
            path = out / f"{side}.gguf"
            runs[side].append(one(side, source, path, kind))
            digests[side], size = digest(path), path.stat().st_size
    result: dict[str, Any] = {side: _medians(found) for side, found in runs.items()}
    if check:
        result["check"] = _medians([one("check", source, out / "ours.gguf", kind)])
    result["bytes"] = size
    if len(sides) > 1:
        result["ratio"] = result["numpy"]["seconds"] / result["ours"]["seconds"]
        result["same_bytes"] = len(set(digests.values())) == 1
    for side in sides:
        (out / f"{side}.gguf").unlink()
    return result


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def largest_tensor(source: Path) -> int:
    from igakulm.bundle.weights import Weights

    weights, largest = Weights(source), 0
    for name in weights:
        size = 4
        for length in weights.shape(name):
            size *= length
        largest = max(largest, size)
    return largest


def _line(side: str, row: dict[str, float], size: int, tensor: int) -> str:
    above = (row["peak"] - row["imports"]) / tensor
    return (
        f"  {side:6} {row['seconds']:8.2f} s  {row['cpu']:8.2f} s CPU  {size / 1e6 / row['seconds']:8.1f} MB/s  "
        f"peak {row['peak'] / 1e6:,.0f} MB (imports {row['imports'] / 1e6:,.0f} MB, then {above:.2f} tensors)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, help="stock Hugging Face folder with tokenizer")
    parser.add_argument("--random", type=int, default=2, help="layers of a random model, without --model")
    parser.add_argument("--width", type=int, default=256, help="its width")
    parser.add_argument("--kinds", default="f32,q8_0,q4_k_m")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the files (default: a temporary one)")
    parser.add_argument("--no-check", action="store_true", help="do not read the files back")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.out) as name:
        folder = Path(name)
        source = given.model or random_model(folder, given.random, given.width)
        tensor = largest_tensor(source)
        print(f"largest tensor as float32: {tensor / 1e6:,.1f} MB")
        for kind in given.kinds.split(","):
            found = measure(source, kind, folder, given.rounds, not given.no_check)
            print(f"{kind}: {found['bytes'] / 1e6:,.1f} MB")
            for side in ("ours", "numpy", "check"):
                if side in found:
                    row = found[side]
                    print(_line(side, row, found["bytes"], tensor))
            if "ratio" in found:
                print(f"  numpy / ours {found['ratio']:.2f}; same bytes: {found['same_bytes']}")


if __name__ == "__main__":
    main()
