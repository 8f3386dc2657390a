"""The script with which a Slurm cluster works on the parts of the sources.

Does: write an array job whose tasks call `igakulm corpus part`, and submit it where `sbatch` is there. Does not: work
on parts; or pickle anything: a task reads plan.json from the shared folder.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import write_text
from igakulm.recipe.schema import Slurm

ARRAY_TASKS = 1000
"""Slurm's default limit of an array is 1001; with more parts a task works on several."""


def script_of(folder: Path, parts: int, settings: Slurm) -> str:
    """The array job for `parts` parts whose plan is in `folder`, which all nodes must see under this path."""
    tasks = min(parts, ARRAY_TASKS)
    options = {
        "job-name": "igakulm-corpus",
        "array": f"0-{tasks - 1}%{settings.tasks_at_once}",
        "ntasks": "1",
        "cpus-per-task": "1",
        "mem": settings.memory,
        "time": settings.time,
        "output": str(folder / "slurm" / "%A_%a.log"),
        "partition": settings.partition,
        "account": settings.account,
    }
    for name, value in options.items():
        if value is not None and ("\n" in value or "\r" in value):
            raise InputError(f"a line break in the option {name} of the Slurm script", where="corpus.slurm")
    directives = [f"#SBATCH --{name}={value}" for name, value in options.items() if value]
    work = [sys.executable, "-m", "igakulm", "corpus", "part", str(folder)]
    lines = [
        "#!/bin/bash",
        *directives,
        "set -euo pipefail",
        *([settings.setup] if settings.setup else []),
        "export OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1",
        f'exec {shlex.join(work)} --task "$SLURM_ARRAY_TASK_ID" --tasks {tasks}',
    ]
    return "\n".join(lines) + "\n"


def run_slurm(folder: Path, parts: int, settings: Slurm) -> None:
    """Write the script, submit it and wait for its end.

    Raises:
        InputError: no `sbatch` here (the message says how to go on by hand), or it failed.
    """
    folder = folder.resolve()  # it may be submitted from elsewhere
    path = folder / "corpus.sbatch"
    write_text(path, script_of(folder, parts, settings))
    (folder / "slurm").mkdir(exist_ok=True)
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise InputError(
            "there is no sbatch on this machine",
            where=str(path),
            hint=f"submit it where Slurm is (sbatch --wait {shlex.quote(str(path))}), then run the same command again",
        )
    done = subprocess.run([sbatch, "--wait", str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(
            f"sbatch ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}",
            where=str(folder / "slurm"),
            hint="look at the logs there, then run the same command again: finished parts are kept",
        )
