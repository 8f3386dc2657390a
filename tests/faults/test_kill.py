"""kill -9 at any moment, then the same command: the same bytes as a run that nobody touched."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from igakulm.manifest import read_manifest
from igakulm.pipeline.stages import STAGES
from small_quickstart import ONE_THREAD, FinishedRun, command


def digests(folder: Path) -> dict[str, str]:
    """Content digest of every stage but the report, which tells the times of this very run."""
    found = {}
    for stage in STAGES:
        manifest = read_manifest(folder / "latest" / stage.name)
        assert manifest is not None, stage.name
        if stage.name != "report":
            found[stage.name] = manifest.digest
    return found


def run_with_kills(words: list[str], moments: list[float]) -> None:
    """Start the command, kill its whole process group after each moment (seconds), then let it finish."""
    environment = {**os.environ, **ONE_THREAD}
    for moment in moments:
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment
        )
        try:
            process.wait(timeout=moment)
            return  # finished before the last kill
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.2)
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def check(small_run: FinishedRun, project: Path, folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    moments = [chance.uniform(1.0, 14.0) for _ in range(kills)]
    run_with_kills(command(project / "recipes/quickstart.yaml", folder), moments)
    assert digests(folder / "quickstart") == digests(small_run.folder)


def test_killed_three_times(small_run: FinishedRun, project: Path, tmp_path: Path) -> None:
    check(small_run, project, tmp_path, kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_killed_twenty_times(small_run: FinishedRun, project: Path, tmp_path: Path, seed: int) -> None:
    check(small_run, project, tmp_path, kills=20, seed=seed)
