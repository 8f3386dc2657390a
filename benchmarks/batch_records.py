"""A batch of records with one and with several under way: records an hour, memory, and whether the answers are equal.

    python benchmarks/batch_records.py --bundle BUNDLE --records FILE [--column text] [--limit 200] [--rounds 3]

Every round runs `igakulm extract` with each number of records at once, in turn, on the same records and all tasks of
the bundle that extract; medians and ratios. The peak is that of the command with its child. Other work on the machine
slows both sides; "load" says how much there was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import torch
from served import memory

from igakulm.machine import arithmetic


def peak_of(process: subprocess.Popen[bytes]) -> float:
    """Megabytes of a process and its children at their highest, looked at five times a second."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(memory(process.pid).values()))
        time.sleep(0.2)
    return peak


def extract(options: argparse.Namespace, at_once: int, out: Path) -> tuple[float, float]:
    """Seconds from the first record on, as the command counts them with its start, and peak megabytes."""
    command = [sys.executable, "-m", "igakulm", "extract", str(options.records), "--bundle", str(options.bundle)]
    command += ["--out", str(out), "--format", "jsonl", "--limit", str(options.limit), "--at-once", str(at_once)]
    command += ["--column", options.column, "--engine", options.engine]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks: list[float] = []
    looking = threading.Thread(target=lambda: peaks.append(peak_of(process)))
    looking.start()
    if process.wait():
        raise SystemExit(f"exit code {process.returncode}: {' '.join(command)}")
    looking.join()
    return time.monotonic() - start, peaks[0]


def different(first: Path, second: Path) -> tuple[int, int]:
    """Records whose answers differ, and records."""
    lines = [path.read_text(encoding="utf-8").splitlines() for path in (first, second)]
    pairs = list(zip(*lines, strict=True))
    return sum(json.loads(one)["results"] != json.loads(other)["results"] for one, other in pairs), len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--column", default="text")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--engine", default="llamacpp")
    options = parser.parse_args()
    seconds: dict[int, list[float]] = {number: [] for number in options.at_once}
    peaks: dict[int, float] = dict.fromkeys(options.at_once, 0.0)
    unequal: dict[int, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for number in options.at_once:
                taken, peak = extract(options, number, Path(folder) / f"{number}.jsonl")
                seconds[number].append(taken)
                peaks[number] = max(peaks[number], peak)
                unequal[number] = different(
                    Path(folder) / f"{options.at_once[0]}.jsonl", Path(folder) / f"{number}.jsonl"
                )
    used = arithmetic()
    machine = used.instructions if used else "unknown instructions"
    load = os.getloadavg()[1]
    print(f"{machine}, {os.cpu_count()} cores, load {load:.1f}; {options.rounds} rounds, {torch.__version__}")
    print("| records at once | s | records an hour | ratio | records with other answers | peak MB |")
    print("|---|---|---|---|---|---|")
    first = median(seconds[options.at_once[0]])
    for number in options.at_once:
        taken, (other, of) = median(seconds[number]), unequal[number]
        row = (number, f"{taken:.1f}", f"{of / taken * 3600:,.0f}", f"{first / taken:.2f}", f"{other} of {of}")
        print("|", " | ".join(map(str, (*row, f"{peaks[number]:,.0f}"))), "|")


if __name__ == "__main__":
    main()
