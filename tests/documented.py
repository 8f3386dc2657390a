"""The commands that README and docs show, as words; and whether the command line would take them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"```(?:bash|sh|console)\n(.*?)```", re.DOTALL)


def documented_commands(project: Path) -> dict[str, list[str]]:
    """Command -> names of the files that show it, in the order in which they are shown; remarks are left out."""
    found: dict[str, list[str]] = {}
    for path in [project / "README.md", project / "README.ja.md", *sorted((project / "docs").glob("*.md"))]:
        for block in BLOCK.findall(path.read_text(encoding="utf-8")):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                command = re.sub(r"\s+", " ", re.sub(r"(^|\s)#.*", "", line)).strip()
                if command:
                    found.setdefault(command, []).append(path.name)
    return found


def own_words(command: str) -> Iterator[list[str]]:
    """The words after `igakulm` of each part of a line that calls it, without what the shell takes."""
    for part in re.split(r"\||&&", command):
        words = shlex.split(re.split(r"\s[<>]\s", part)[0])
        if "-m" in words[:6] and "igakulm" in words:
            yield words[words.index("igakulm") + 1 :]
        elif words and Path(words[0]).name == "igakulm":
            yield words[1:]


def parse(words: list[str]) -> None:
    """Let the command line read the words as it would, without running anything; it raises where it refuses them."""
    from typer.main import get_command

    from igakulm.cli.app import app

    command: Any = get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    command.make_context(str(command.name), list(words))
