"""Decoding speed of a GGUF file: `LlamaCppEngine.stream` beside llama.cpp itself driven by ids, and the memory's speed.

    python benchmarks/decode_speed.py --gguf FILE [--gguf FILE ...] [--tokens 64] [--prompt 128] [--rounds 3]
        [--threads N] [--context 2048] [--lanes 2] [--llama-bench PROGRAM]

Each side runs in processes of its own, one at a time, in alternating rounds on the same ids: ours (a child process,
messages over a pipe); llama.cpp's server inside xllamacpp, asked by `handle_completions` in its own process and
streaming, with the same settings; and `llama-bench` where a program is given. The bound is bytes per token / measured
read bandwidth: a step reads all weights once, except the input embedding where it is a tensor of its own (one row is
read). Medians over the rounds; time to first token is that of a new prompt. Peak memory is VmHWM of the process that
holds the model. One JSON object is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BUFFER, MOST_ANSWERS = 256 << 20, 200
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"


def bandwidth(threads: int, runs: int = 5) -> float:
    """Bytes a second that `threads` threads read from memory: the best of some passes over more than caches hold."""
    import numpy

    parts = [numpy.ones(BUFFER // 8 // threads, dtype=numpy.int64) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(runs):
            start = time.perf_counter()
            list(pool.map(lambda part: int(numpy.max(part)), parts))
            best = max(best, sum(part.nbytes for part in parts) / (time.perf_counter() - start))
    return best


def bytes_per_token(path: Path) -> int:
    """Bytes of weights that a decoding step reads."""
    from gguf import GGUFReader

    sizes = {tensor.name: int(tensor.n_bytes) for tensor in GGUFReader(path).tensors}
    return sum(sizes.values()) - (sizes.get(EMBEDDING, 0) if OUTPUT in sizes else 0)


def peak(pid: int | str) -> int:
    """Largest resident memory of a process in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def timed(tokens: int, one: Callable[[int], list[float]]) -> dict[str, float]:
    """Time to first token (s, median) and tokens a second behind it, over as many answers as have so many tokens."""
    firsts, steps, seconds = list[float](), 0, 0.0
    for number in range(MOST_ANSWERS):
        start, times = time.perf_counter(), one(number)
        if len(times) > 1:  # a trained model may end an answer to random ids at once
            firsts.append(times[0] - start)
            steps, seconds = steps + len(times) - 1, seconds + times[-1] - times[0]
        if steps >= tokens:
            break
    return {"first_token_s": statistics.median(firsts), "tokens_per_s": steps / seconds}


def prompt_ids(length: int, seed: int) -> list[int]:
    """Ids that differ from round to round, so that no prompt is in a cache."""
    rng = random.Random(seed)
    return [rng.randrange(300, 3000) for _ in range(length)]


def ours(path: Path, args: argparse.Namespace, seed: int) -> dict[str, float]:
    """One round of `LlamaCppEngine.stream`."""
    from igakulm.inference.llamacpp import LlamaCppEngine

    with LlamaCppEngine(path, threads=args.threads, context_length=args.context, lanes=args.lanes) as engine:

        def one(number: int) -> list[float]:
            stream = engine.stream(prompt_ids(args.prompt, seed + number), args.tokens, [])
            return [time.perf_counter() for _ in stream]

        return {**timed(args.tokens, one), "peak_bytes": peak(engine.pid), "parent_peak_bytes": peak("self")}


def bare(path: Path, args: argparse.Namespace, seed: int) -> dict[str, float]:
    """One round of llama.cpp's own server in this process, driven by ids."""
    import xllamacpp

    from igakulm.inference.llamacpp_process import BATCH

    folder = tempfile.mkdtemp(prefix="decode-")
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(path), args.context * args.lanes, args.lanes
    params.n_batch = params.n_ubatch = BATCH
    params.verbosity, params.warmup, params.cache_ram_mib = 0, False, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = args.threads
    params.hostnames, params.ui = [f"{folder}/l.sock"], False
    server = xllamacpp.Server(params)

    def one(number: int) -> list[float]:
        times: list[float] = []
        body = {"prompt": prompt_ids(args.prompt, seed + number), "max_tokens": args.tokens, "temperature": 0.0}

        def take(chunk: dict[str, Any]) -> bool:
            times.append(time.perf_counter())
            return False

        server.handle_completions({**body, "stream": True, "return_tokens": True}, take)
        return times[:-1]  # the last chunk says that it is over

    found = {**timed(args.tokens, one), "peak_bytes": peak("self")}
    shutil.rmtree(folder, ignore_errors=True)
    return found


SIDES: dict[str, Callable[[Path, argparse.Namespace, int], dict[str, float]]] = {"ours": ours, "llama.cpp by ids": bare}


def llama_bench(program: str, path: Path, args: argparse.Namespace) -> dict[str, float]:
    """Decoding rate of llama.cpp's own benchmark program."""
    command = [program, "-m", path, "-p", "0", "-n", args.tokens, "-t", args.threads, "-r", "1", "-o", "json"]
    output = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    return {"tokens_per_s": float(json.loads(output)[0]["avg_ts"])}


def in_a_process(side: str, path: Path, args: argparse.Namespace, seed: int) -> dict[str, float]:
    """Run one side in a fresh interpreter."""
    settings = {**{key: str(value) for key, value in vars(args).items() if key in ("tokens", "prompt", "threads")}}
    options = [part for key, value in settings.items() for part in (f"--{key}", value)]
    options += ["--context", str(args.context), "--lanes", str(args.lanes), "--gguf", str(path)]
    command = [sys.executable, __file__, *options, "--side", side, "--seed", str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(path: Path, args: argparse.Namespace) -> dict[str, Any]:
    """All rounds of one file."""
    rows: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    rates = []
    for number in range(args.rounds):
        rates.append(bandwidth(args.threads))
        for side in SIDES if number % 2 == 0 else reversed(SIDES):
            rows[side].append(in_a_process(side, path, args, 10 * number))
        if args.llama_bench:
            rows.setdefault("llama-bench", []).append(llama_bench(args.llama_bench, path, args))
    sides = {
        side: {key: round(statistics.median(row[key] for row in found), 4) for key in found[0]}
        for side, found in rows.items()
    }
    size, speed = bytes_per_token(path), statistics.median(rates)
    mine = sides["ours"]["tokens_per_s"]
    return {
        "file": path.name,
        "bytes_per_token": size,
        "read_bandwidth_bytes_per_s": round(speed),
        "bound_tokens_per_s": round(speed / size, 2),
        "sides": sides,
        "ours_of_bound": round(mine / (speed / size), 3),
        "ours_of_llamacpp": round(mine / sides["llama.cpp by ids"]["tokens_per_s"], 3),
        "peak_gigabytes": round(sides["ours"]["peak_bytes"] / 1e9, 3),
    }


def main() -> None:
    """Read the options, run all files or, in a child, one side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, action="append", required=True)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--llama-bench", default=shutil.which("llama-bench"))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        print(json.dumps(SIDES[args.side](args.gguf[0], args, args.seed)))
        sys.stdout.flush()
        os._exit(0)  # the server inside would outlive the interpreter's own shutdown
    if not args.llama_bench:
        print("llama-bench: not found, left out (give --llama-bench)", file=sys.stderr)
    print(json.dumps([compare(path, args) for path in args.gguf], indent=1))


if __name__ == "__main__":
    main()
