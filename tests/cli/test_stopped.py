"""Ctrl-C: every command that can take long says what is kept and how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from igakulm.cli.app import app, main
from igakulm.cli.stopped import KEPT, QUICK
from igakulm.errors import InputError
from igakulm.pipeline.run import Runner
from igakulm.progress import SilentProgress
from igakulm.recipe import load_recipe


def test_every_command_is_told_of() -> None:
    commands: Any = get_command(app)
    names = set(commands.commands)
    told = {name.split()[0] for name in KEPT} | QUICK
    assert names - told == set(), "say in cli/stopped.py what is kept, or that the command is quick"
    for words in KEPT:
        command = commands
        for word in words.split():
            assert word in command.commands, words
            command = command.commands[word]


def test_ctrl_c_says_what_is_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stopped(self: Runner, target: str = "report", *, wait: bool = False) -> dict[str, Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "run", stopped)
    recipe = str(project / "recipes" / "quickstart.yaml")
    monkeypatch.setattr("sys.argv", ["igakulm", "run", recipe, "--set", f"runs_folder={tmp_path}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code not in (0, None)
    assert f"igakulm: stopped; {KEPT['run']}" in capfd.readouterr().err


def test_all_missing_files_are_named_at_once(project: Path, tmp_path: Path) -> None:
    text = (project / "recipes" / "quickstart.yaml").read_text(encoding="utf-8")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "quickstart.yaml").write_text(text, encoding="utf-8")  # without the samples beside it
    recipe = load_recipe(tmp_path / "recipes" / "quickstart.yaml", [f"runs_folder={tmp_path}"])
    with pytest.raises(InputError, match=r"\d+ files are missing") as refused:
        Runner(recipe, SilentProgress()).run()
    for name in ("diseases.tsv", "everyday.jsonl", "questions.jsonl", "similarity.test.jsonl"):
        assert name in str(refused.value.where)
    with pytest.raises(InputError) as refused:
        Runner(recipe, SilentProgress()).run("lexicon")
    assert "drugs.tsv" in str(refused.value.where) and "exam" not in str(refused.value.where)
