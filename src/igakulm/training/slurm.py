"""A Slurm script for a training on one or more nodes, one torchrun a node.

Does: write the script: resources, rendezvous, no network, save and requeue before the time limit.
Does not: submit it, or know a cluster's partitions.

How a job ends at its limit: Slurm sends USR1 to the batch shell SAVE_SECONDS before, the shell passes it to its step,
and on each node a small shell turns it into SIGTERM for the training processes only. torchrun must not get that
SIGTERM: it would kill its processes 30 seconds later, in the middle of a checkpoint. Training finishes its step, saves
and ends; the batch shell puts the job back into the queue, where the same command goes on from the checkpoint.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from igakulm.errors import InputError

SAVE_SECONDS = 600
"""Time to finish a step and write a checkpoint; also the least that a requeued job has to get further."""
_TIME = re.compile(r"(\d+-)?\d+(:\d{1,2}){0,2}")
_NAME = re.compile(r"[\w.,@+-]+")


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """What a script asks for.

    `time`: D-HH:MM:SS, HH:MM:SS or minutes. `cpus_per_gpu`: cores for each training process. `extra`: further sbatch
    options as they stand, such as "--qos=long".
    """

    nodes: int = 1
    gpus_per_node: int = 4
    time: str = "24:00:00"
    partition: str | None = None
    account: str | None = None
    cpus_per_gpu: int = 8
    extra: tuple[str, ...] = ()


def slurm_script(
    command: str, recipe: Path, overrides: Sequence[str], options: SlurmOptions, *, name: str, python: str, folder: Path
) -> str:
    """The text of a script for `sbatch`.

    Args:
        command: of igakulm, "pretrain" or "finetune".
        recipe: its file, as it is to be named in `folder`.
        overrides: "KEY=VALUE" each, as after `--set`.
        options: resources.
        name: of the job.
        python: the interpreter that has igakulm.
        folder: the working folder on the cluster, which every node sees.

    Raises:
        InputError: a count below 1, or an option that sbatch would not take for one word.
    """
    _check(options)
    arguments = ["--recipe", str(recipe), *(part for change in overrides for part in ("--set", change))]
    trained = " ".join(["-m", "igakulm", command, *map(shlex.quote, arguments)])
    launch = (
        f"{shlex.quote(python)} -m torch.distributed.run --nnodes={options.nodes} "
        f"--nproc-per-node={options.gpus_per_node} \\\n"
        '    --node-rank="$SLURM_NODEID" --master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT" \\\n'
        f"    {trained}"
    )
    return "\n".join([*_header(options, name), *_body(command, recipe, folder, launch)]) + "\n"


def _header(options: SlurmOptions, name: str) -> list[str]:
    wanted = [
        f"--job-name={name}",
        f"--nodes={options.nodes}",
        "--ntasks-per-node=1",
        f"--gpus-per-node={options.gpus_per_node}",
        f"--cpus-per-task={options.cpus_per_gpu * options.gpus_per_node}",
        f"--time={options.time}",
        f"--signal=B:USR1@{SAVE_SECONDS}",
        "--requeue",
        "--open-mode=append",
        f"--output={name}-%j.log",
    ]
    if options.partition:
        wanted.append(f"--partition={options.partition}")
    if options.account:
        wanted.append(f"--account={options.account}")
    return ["#!/bin/bash", *(f"#SBATCH {option}" for option in (*wanted, *options.extra))]


def _body(command: str, recipe: Path, folder: Path, launch: str) -> list[str]:
    earlier = "pack" if command == "pretrain" else "pretrain"
    text = f"""
# Before this: igakulm {earlier} --recipe {recipe}
# (what is missing is built here too, by one process, while the GPUs wait).
set -u
cd {shlex.quote(str(folder))} || exit 1
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_DATASETS_OFFLINE=1
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MASTER_ADDR MASTER_PORT
export SRUN_CPUS_PER_TASK="${{SLURM_CPUS_PER_TASK:-1}}"  # srun reads no SLURM_CPUS_PER_TASK since Slurm 22.05

{_on_node(launch)}
limit_is_near=
trap 'limit_is_near=1; kill -USR1 "$step"' USR1
srun --kill-on-bad-exit=0 bash -c "$on_node" &
step=$!
while :; do
  wait "$step"
  code=$?
  kill -0 "$step" 2>/dev/null || break
done
if [ -n "$limit_is_near" ] && [ "$code" -ne 0 ]; then
  echo "saved before the time limit; the job goes back into the queue"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code\""""
    return text.split("\n")


def _on_node(launch: str) -> str:
    """What runs on each node, as a shell variable."""
    return f"""read -r -d '' on_node <<'NODE'
# USR1 to this shell becomes SIGTERM to the training processes, the children of torchrun, which itself ignores it.
trap 'pkill -TERM -P "$agent"' USR1
(
  trap '' USR1
  exec {launch}
) &
agent=$!
while :; do
  wait "$agent"
  code=$?
  kill -0 "$agent" 2>/dev/null || exit "$code"
done
NODE"""


def _check(options: SlurmOptions) -> None:
    for name in ("nodes", "gpus_per_node", "cpus_per_gpu"):
        if getattr(options, name) < 1:
            raise InputError(f"{name} must be 1 or more", where=f"--{name.replace('_', '-')}")
    if not _TIME.fullmatch(options.time):
        raise InputError(
            f"{options.time!r} is no time limit", where="--time", hint="for example 24:00:00 or 3-00:00:00"
        )
    for name in ("partition", "account"):
        value = getattr(options, name)
        if value is not None and not _NAME.fullmatch(value):
            raise InputError(f"{value!r} is no name for sbatch", where=f"--{name}")
    for option in options.extra:
        if not re.fullmatch(r"--?[^\n]+", option):
            raise InputError(
                f"{option!r} is no option of sbatch", where="--sbatch", hint="for example --sbatch=--qos=long"
            )
