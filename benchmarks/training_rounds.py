"""Runs of training_sides.py in fresh processes and alternating rounds, and what comes of them.

Results are written after every run, so that a run which is cut off loses nothing and the same command goes on.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from training_sides import Setting

SCRIPT = Path(__file__).with_name("training_sides.py")
SOURCES = Path(__file__).resolve().parents[1] / "src"


class Rounds:
    """Runs of named settings.

    Args:
        out: JSON file of all results so far.
        timeout: seconds of one run.
        budget: seconds after which no run is begun (one that is begun ends, or times out).
        pythons: interpreter of a side where it is not this one.
        threads: of a CPU run.
    """

    def __init__(
        self, out: Path, timeout: float, budget: float, pythons: Mapping[str, str] | None = None, threads: int = 1
    ) -> None:
        self.out, self.timeout, self.budget = out, timeout, budget
        self.pythons, self.threads, self.begin = pythons or {}, threads, time.monotonic()
        self.results: dict[str, list[dict[str, Any]]] = json.loads(out.read_text()) if out.is_file() else {}

    def alternate(self, settings: Mapping[str, Setting], rounds: int) -> None:
        """Every setting once a round, forwards and backwards in turn; failures are named and not tried again."""
        for number in range(rounds):
            for name in list(settings) if number % 2 == 0 else reversed(settings):
                done = self.results.setdefault(name, [])
                if len(done) > number or any("tokens_per_second" not in result for result in done):
                    continue
                left = self.budget - (time.monotonic() - self.begin)
                if left <= 0:
                    print(f"no time left for {name}; the same command goes on", flush=True)
                    return
                result = self._run_smaller(settings[name])
                done.append(result)
                self.out.write_text(json.dumps(self.results, indent=1))
                rate = result.get("tokens_per_second")
                said = f"{rate:,.0f} tokens/s" if rate else f"skipped: {why(result)}"
                print(f"round {number + 1}  {name:34s} {said}", flush=True)

    def _run_smaller(self, setting: Setting) -> dict[str, Any]:
        """Halve the micro-batch, at the same global batch, until it fits the memory."""
        while (result := self._run(setting)).get("out_of_memory") and setting.micro_batch > 1:
            setting = replace(setting, micro_batch=setting.micro_batch // 2, accumulate=setting.accumulate * 2)
        return result

    def _run(self, setting: Setting) -> dict[str, Any]:
        python = self.pythons.get(setting.side, sys.executable)
        paths = [str(SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": str(self.threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "PYTORCH_ALLOC_CONF": "expandable_segments:True",
            "ACCELERATE_USE_CPU": "true" if setting.device == "cpu" else "false",
        }
        command = [python, str(SCRIPT), json.dumps(asdict(setting))]
        begin = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=self.timeout, env=environment)
        except subprocess.TimeoutExpired:
            return {"failed": f"no end after {self.timeout:.0f} s"}
        except OSError as error:
            return {"failed": str(error)}
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not lines:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            return {"failed": last[:300], "log": done.stderr[-3000:]}
        result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
        return {**result, "wall_seconds": round(time.monotonic() - begin, 1)}


def why(result: Mapping[str, Any]) -> str:
    """Why a run has no rate."""
    if "missing" in result:
        return f"a package is missing ({result['missing']})"
    return "out of memory at one row" if result.get("out_of_memory") else str(result.get("failed"))


def summary(results: Mapping[str, Sequence[Mapping[str, Any]]], peak_flops: float | None) -> dict[str, dict[str, Any]]:
    """Medians over the rounds of every setting that ran."""
    found = {}
    for name, runs in results.items():
        good = [run for run in runs if "tokens_per_second" in run]
        if not good:
            continue
        rates = [run["tokens_per_second"] for run in good]
        rate, flops = statistics.median(rates), good[0]["flops_per_token"]
        found[name] = {
            "tokens_per_second": rate,
            "tokens_per_cpu_second": statistics.median(run["tokens_per_cpu_second"] for run in good),
            "lowest": min(rates),
            "highest": max(rates),
            "mfu": rate * flops / peak_flops if peak_flops else None,
            "peak_gib": statistics.median(run["peak_gib"] for run in good),
            "first_step_seconds": statistics.median(run["first_step_seconds"] for run in good),
            "loss_first": good[0]["losses"][0],
            "loss_last": good[0]["losses"][-1],
            "micro_batch": good[0]["setting"]["micro_batch"],
            "runs": len(good),
        }
    return found


def table(found: Mapping[str, Mapping[str, Any]], base: str, *, gpu: bool) -> str:
    """Markdown; ratios are to `base`."""
    head = [
        "what",
        "tokens/s",
        f"ratio to {base}",
        "MFU",
        "peak GiB",
        "rows at once",
        "first step s",
        "first loss",
        "last",
    ]
    lines = []
    for name, row in found.items():
        ratio = row["tokens_per_second"] / found[base]["tokens_per_second"] if base in found else math.nan
        share = f"{row['mfu']:.1%}" if row["mfu"] else ""
        cells = [name, f"{row['tokens_per_second']:,.0f}", f"{ratio:.2f}", share, f"{row['peak_gib']:.2f}"]
        cells += [str(row["micro_batch"]), f"{row['first_step_seconds']:.1f}"]
        lines.append([*cells, f"{row['loss_first']:.5f}", f"{row['loss_last']:.5f}"])
    if not gpu:
        head, lines = head[:3] + head[4:], [line[:3] + line[4:] for line in lines]
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def skipped(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """One line for everything that did not run."""
    bad = {name: run for name, runs in results.items() for run in runs if "tokens_per_second" not in run}
    return [f"{name}: skipped, {why(run)}" for name, run in bad.items()]


def largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Largest relative difference of two loss curves."""
    return max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))
