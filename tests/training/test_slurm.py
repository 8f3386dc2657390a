"""The Slurm script: valid shell, one word stays one word, and its lines run here with stubs in place of Slurm."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.training.slurm import SlurmOptions, slurm_script

STUBS = {
    "srun": '#!/bin/bash\nwhile [[ "$1" == --* ]]; do shift; done\nexport SLURM_NODEID=0\nexec "$@"\n',
    "scontrol": '#!/bin/bash\nif [ "$1" = show ]; then echo localhost; else echo "$@" >>"$REQUEUED"; fi\n',
}
WORKER = """
import os, signal, sys, time
folder = sys.argv[-1]
def save(number, frame):
    time.sleep(0.5)
    open(os.path.join(folder, f"saved-{os.environ['RANK']}"), "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
open(os.path.join(folder, f"started-{os.environ['RANK']}"), "w").close()
if "end" in sys.argv:
    sys.exit(0)
if "fail" in sys.argv:
    sys.exit(2)
time.sleep(60)
"""


def script(folder: Path, *overrides: str, **options: object) -> str:
    return slurm_script(
        "pretrain",
        Path("a recipe.yaml"),
        overrides,
        SlurmOptions(**options),  # type: ignore[arg-type]
        name="igakulm-small",
        python=sys.executable,
        folder=folder,
    )


def test_it_is_valid_shell_and_keeps_words_together(tmp_path: Path) -> None:
    text = script(tmp_path, 'description=it\'s "one" $word', nodes=2, partition="gpu", extra=("--qos=long",))
    path = tmp_path / "job.sh"
    path.write_text(text, encoding="utf-8")
    assert subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True).stderr == ""
    inner = text.split("<<'NODE'\n")[1].split("NODE\n")[0]
    assert subprocess.run(["bash", "-n", "-c", inner], capture_output=True, text=True).stderr == ""
    for line in ("--nodes=2", "--partition=gpu", "--qos=long", "--requeue", "--signal=B:USR1@600"):
        assert f"#SBATCH {line}\n" in text
    words = text.split("-m igakulm ")[1].split("\n")[0]
    shown = subprocess.run(["bash", "-c", f"printf '%s\\n' {words}"], capture_output=True, text=True).stdout
    expected = ["pretrain", "--recipe", "a recipe.yaml", "--set", 'description=it\'s "one" $word']
    assert shown.splitlines() == expected


@pytest.mark.parametrize(
    "options",
    [{"nodes": 0}, {"time": "a day"}, {"partition": "a b"}, {"account": "x\ny"}, {"extra": ("-q\nrm",)}],
)
def test_what_sbatch_would_misread_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        script(tmp_path, **options)


def start(tmp_path: Path, word: str) -> subprocess.Popen[str]:
    """The script with a stand-in for the training, two processes on this machine."""
    for name, text in STUBS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER, encoding="utf-8")
    text = script(tmp_path, gpus_per_node=2, time="1:00:00")
    training = text[text.index("-m igakulm") :].split("\n")[0]
    job = tmp_path / "job.sh"
    job.write_text(text.replace(training, f"{worker} {word} {tmp_path}"), encoding="utf-8")
    port = 10_000 + os.getpid() % 20_000
    settings = {"SLURM_JOB_ID": str(port), "SLURM_JOB_NODELIST": "here", "REQUEUED": str(tmp_path / "requeued")}
    where = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        ["bash", str(job)],
        env={**os.environ, **settings, **where},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_before_the_limit_every_process_saves_and_the_job_is_queued_again(tmp_path: Path) -> None:
    job = start(tmp_path, "train")
    started = [tmp_path / f"started-{rank}" for rank in (0, 1)]
    end = time.monotonic() + 60
    while not all(path.exists() for path in started) and time.monotonic() < end:
        time.sleep(0.1)
    job.send_signal(signal.SIGUSR1)
    output, _ = job.communicate(timeout=60)
    assert all((tmp_path / f"saved-{rank}").exists() for rank in (0, 1)), output
    assert (tmp_path / "requeued").read_text().split()[0] == "requeue"
    assert job.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize(("word", "code"), [("end", 0), ("fail", 1)])
def test_a_job_that_ends_by_itself_is_not_queued_again(tmp_path: Path, word: str, code: int) -> None:
    job = start(tmp_path, word)
    output, _ = job.communicate(timeout=60)
    assert job.returncode == code, output
    assert not (tmp_path / "requeued").exists()
