"""Every command that README and docs show is one that the command line takes, with each of its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from documented import documented_commands, own_words, parse


def test_the_command_line_takes_every_documented_command(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    commands = [words for command in documented_commands(project) for words in own_words(command)]
    assert len(commands) > 60 and ["status"] in commands
    refused = []
    for words in commands:
        try:
            parse(words)
        except Exception as error:  # what a refusal is depends on the option
            refused.append((words, str(error)))
    assert refused == []


def test_a_wrong_option_is_seen() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["verify", "ward-1", "--digset", "1"])


def test_both_readmes_show_the_same_commands(project: Path) -> None:
    shown = documented_commands(project)
    english, japanese = ([c for c, names in shown.items() if name in names] for name in ("README.md", "README.ja.md"))
    assert english == japanese
