"""`igakulm plan` and `igakulm pretrain --slurm` as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path


def igakulm(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "igakulm", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True)


def test_plan_prints_the_figures_at_the_top(project: Path) -> None:
    done = igakulm(project, "plan", "--recipe", "recipes/paper-1b.yaml", "--json")
    assert done.returncode == 0, done.stderr
    estimate = json.loads(done.stdout)
    assert estimate["parameters"] == 1_191_282_688 and estimate["tokens"] == 50_331_648_000
    assert {"flops_per_token", "steps", "memory_gb", "hours"} <= estimate.keys()
    assert 13.8 < estimate["hours"] / 24 < 14.2


def test_plan_takes_other_gpus_and_tokens(project: Path) -> None:
    arguments = ("plan", "--recipe", "recipes/paper-1b.yaml", "--gpu", "H100:8", "--unique-tokens", "50331648000")
    done = igakulm(project, *arguments, "--json")
    estimate = json.loads(done.stdout)
    assert [(row["device"], row["gpus"]) for row in estimate["devices"]] == [("H100", 8)] and estimate["epochs"] == 1
    bad = igakulm(project, "plan", "--gpu", "H1000")
    assert bad.returncode == 2 and "did you mean" in bad.stderr and bad.stdout == ""


def test_a_slurm_script_is_printed_or_written(project: Path, tmp_path: Path) -> None:
    arguments = ("pretrain", "--recipe", "recipes/quickstart.yaml", "--slurm", "--nodes", "2", "--partition", "gpu")
    printed = igakulm(project, *arguments)
    assert printed.returncode == 0 and printed.stdout.startswith("#!/bin/bash\n#SBATCH --job-name=igakulm-quickstart")
    out = tmp_path / "job.sh"
    written = igakulm(project, *arguments, "--out", str(out))
    assert written.returncode == 0 and out.read_text(encoding="utf-8") == printed.stdout
    assert subprocess.run(["bash", "-n", str(out)]).returncode == 0
    bad = igakulm(project, *arguments, "--time", "soon")
    assert bad.returncode == 2 and "time limit" in bad.stderr
