"""docs/own-task: its commands exist, with their options, and those that need no training do what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from small_evaluation import igakulm

QUICK = ("init", "check", "agreement", "export", "import")


def commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("name", ["own-task.md", "own-task.ja.md"])
def test_the_way_of_the_ward(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.copy(project / "samples" / "own-task" / "notes.xlsx", tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = {}
    for line in commands(project / "docs" / name):
        assert line[:2] == ["igakulm", "task"]
        if line[2] in QUICK:
            done = igakulm(*line[1:])
            assert done.code == 0, (line, done.err)
            shown[line[2]] = done.out
        else:
            told = igakulm("task", line[2], "--help")
            assert told.code == 0 and all(word in told.out for word in line if word.startswith("--")), line
    assert {"init", "check", "agreement"} <= shown.keys()
    assert (tmp_path / "task.yaml").is_file() and (tmp_path / "doccano" / "items.jsonl").is_file()
    assert "50 not taken" in shown["import"] and "250 decisions taken" in shown["import"]
    found = igakulm("task", "check", "task.yaml").out
    assert "299 usable, 75 patients" in found and "row 171" in found and "a duplicate of row 69" in found


def test_both_languages_give_the_same_commands(project: Path) -> None:
    assert commands(project / "docs" / "own-task.md") == commands(project / "docs" / "own-task.ja.md")
