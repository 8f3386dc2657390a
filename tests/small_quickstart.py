"""The real quickstart recipe at a small size: how the end-to-end and fault tests start it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SMALL = (
    "pretrain.steps=4",
    "pretrain.checkpoint_every=2",
    "finetune.steps=4",
    "finetune.checkpoint_every=2",
    "evaluate.max_items=6",
    "evaluate.max_new_tokens=8",
    "evaluate.bootstrap_samples=200",
)
GUARD = Path(__file__).parent / "endtoend" / "guard"
SOURCES = Path(__file__).resolve().parents[1] / "src"


@dataclass(frozen=True)
class FinishedRun:
    """Where a run stands and what it printed."""

    folder: Path
    output: str
    network_log: Path


def command(recipe: Path, runs_folder: Path, *overrides: str) -> list[str]:
    """The command line of a small run."""
    words = [sys.executable, "-m", "igakulm", "run", str(recipe), "--set", f"runs_folder={runs_folder}"]
    for override in (*SMALL, *overrides):
        words += ["--set", override]
    return words


ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Bytes are the same on the same number of threads: whoever compares runs gives all of them this."""


def offline_prefix() -> list[str]:
    """A network namespace without any interface, where the system allows one."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode == 0:
        return [unshare, "-rn"]
    return []


def run_offline(recipe: Path, folder: Path) -> FinishedRun:
    """All stages at a small size, with every socket refused."""
    log = folder / "network.log"
    log.touch()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(GUARD), str(SOURCES)]),
        "IGAKULM_TEST_NETWORK_LOG": str(log),
        **ONE_THREAD,
    }
    words = [*offline_prefix(), *command(recipe, folder / "runs")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return FinishedRun(folder / "runs" / "quickstart", done.stdout, log)
