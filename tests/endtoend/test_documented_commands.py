"""Every command that README and docs show runs, against the bundle of a small quickstart, or says here why it does not.

The words that stand for something of the reader's (my.yaml, ward-1, JMED_DIR …) are files of that name in the folder.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from chat_server import ChatServer, chat_reply
from documented import documented_commands
from igakulm.pipeline.new_project import init_project
from small_evaluation import jmed_answers, write_igakuqa, write_jmed
from small_quickstart import ONE_THREAD, SMALL, SOURCES, FinishedRun

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]

NOT_HERE = {
    r"^make ": "what CI runs (.ci/run)",
    r"^(python3 -m venv|env/bin|\.\./env/bin|cd ward)": "in an empty environment: tests/endtoend/test_wheel.py",
    r"igakulm serve ": "does not end by itself: tests/serving/test_server.py, tests/endtoend",
    r"recipes/real-cpu\.yaml$": "an hour, and data that are not shipped: docs/real-data.md",
    r"torchrun|sbatch": "several GPUs, a Slurm cluster: tests/training",
    r"--set pretrain\.steps=300": "the whole quickstart with twice the steps",
    r"manbyo\.xlsx": "a list that is not shipped: tests/corpus",
    r"corpus crawl": "a web site: tests/corpus/test_crawl.py",
    r"corpus explain SOURCE:ID": "shown as a form: tests/corpus/test_explain.py",
    r"unshare|dump\.jsonl\.zst": "tests/endtoend/test_air_gap.py; a dump of the reader's",
    r"yakugakuqa|evaluate judge|--system gpt4": "data of others: tests/evaluation",
    r"task (train|evaluate|apply|review|agreement)": "minutes of tuning: tests/cli/test_task.py, tests/pipeline",
    r"audit-memory": "a model tuned on chats.jsonl: tests/evaluation/test_memory.py",
    r"base\.gguf": "an open base: tests/interop/test_gguf_base.py",
    r"--beside|--llamacpp|--tokenizer DIR": "tokenizers of the reader's: tests/tokenizer",
    r"--digest 445b": "the digest of another bundle: tests/bundle/test_verify.py",
    r"evaluate exam .*--predictions": "another file of that name: tests/evaluation/test_predictions.py",
}


def left_out(command: str) -> bool:
    """Whether there is a reason not to run it here."""
    return any(re.search(pattern, command) for pattern in NOT_HERE)


@pytest.fixture(scope="module")
def folder(small_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as after `igakulm init` and a quickstart, with files of the names that the documents use."""
    work = tmp_path_factory.mktemp("documented")
    init_project(work)
    for name in ("quickstart", "my"):
        shutil.copytree(small_run.folder, work / "runs" / name, symlinks=True)
    recipe = yaml.safe_load((work / "recipes" / "quickstart.yaml").read_text(encoding="utf-8"))
    for assignment in SMALL:
        key, value = assignment.split("=")
        section, name = key.split(".")
        recipe[section][name] = int(value)
    text = yaml.safe_dump(recipe, allow_unicode=True).replace("../samples", "samples")
    for name in ("my.yaml", "RECIPE"):
        (work / name).write_text(text.replace("name: quickstart", "name: my", 1), encoding="utf-8")
    _write_inputs(work)
    return work


def _write_inputs(work: Path) -> None:
    notes = [
        {"id": "1", "text": "発熱と咳嗽があり、アセトアミノフェンを内服した。"},
        {"id": "2", "text": "倦怠感を訴える。"},
    ]
    with (work / "notes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text"])
        writer.writeheader()
        writer.writerows(notes)
    shutil.copyfile(work / "samples" / "own-task" / "notes.xlsx", work / "notes.xlsx")
    for name in ("notes.txt", "lines.txt"):
        (work / name).write_text("患者：佐藤花子（９３歳）　主訴は咳\n", encoding="utf-8")
    shutil.copyfile(work / "samples" / "tasks" / "exam.test.jsonl", work / "my-exam.jsonl")
    shutil.copyfile(work / "samples" / "tasks" / "posts.test.jsonl", work / "my-rows.jsonl")
    shutil.copyfile(work / "samples" / "chats" / "questions.jsonl", work / "my-training-set.jsonl")
    write_jmed(work / "JMED_DIR")
    jmed_answers(work / "answers.jsonl")
    write_igakuqa(work / "IGAKUQA_DIR")
    for name in ("my-model", "model-a", "model-b"):
        (work / name).symlink_to(work / "runs" / "quickstart" / "latest" / "finetune" / "model")
    (work / "secure").mkdir()


def run(command: str, work: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """The command by a shell, with this source tree's `igakulm`."""
    tools = work / "bin"
    tools.mkdir(exist_ok=True)
    script = f'#!/bin/sh\nexec {sys.executable} -m igakulm "$@"\n'
    (tools / "igakulm").write_text(script)
    (tools / "igakulm").chmod(0o755)
    line = command.replace(".venv/bin/", "").replace("http://127.0.0.1:8080/v1", endpoint)
    line = line.replace("/secure/", f"{work}/secure/")
    environment: Mapping[str, str] = {
        **os.environ,
        **ONE_THREAD,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCES),
    }
    return subprocess.run(["sh", "-c", line], cwd=work, env=environment, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with ChatServer(lambda request, times: chat_reply("a")) as server:
        yield server.url


CHOSEN = [command for command in documented_commands(PROJECT) if not left_out(command)]


@pytest.mark.parametrize("command", CHOSEN)
def test_documented_commands_run(command: str, folder: Path, endpoint: str) -> None:
    """In the order of the documents: what one writes the next one reads."""
    done = run(command, folder, endpoint)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-600:]


def test_every_reason_is_still_of_a_command(project: Path) -> None:
    shown = documented_commands(project)
    unused = [pattern for pattern, why in NOT_HERE.items() if not any(re.search(pattern, c) for c in shown)]
    assert unused == []
