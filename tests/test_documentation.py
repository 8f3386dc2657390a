"""What the README promises is what CI runs, and every command it names exists."""

import doctest
import re
from pathlib import Path

import pytest

import igakulm


def code_lines(path: Path) -> list[str]:
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.split("#")[0].strip()]


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_two_commands_are_what_ci_runs(project: Path, name: str) -> None:
    promised = [line for line in code_lines(project / name) if line.startswith("make ")]
    assert promised[:2] == ["make quickstart", "make test"]
    ci = (project / ".ci" / "run").read_text()
    for command in promised[:2]:
        assert re.search(rf"^{command}\b", ci, re.MULTILINE), command
    makefile = (project / "Makefile").read_text()
    assert re.search(r"^quickstart:.*\n\t\S*igakulm run recipes/quickstart.yaml", makefile, re.MULTILINE)


@pytest.mark.parametrize("name", ["README.md", "README.ja.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_somewhere(project: Path, name: str) -> None:
    text = (project / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (project / target).exists(), target


def test_the_examples_of_the_python_api_give_what_they_say(project: Path) -> None:
    text = (project / "docs" / "python-api.md").read_text(encoding="utf-8")
    examples = doctest.DocTestParser().get_doctest(text.replace("```", ""), {"igakulm": igakulm}, "api", None, 0)
    assert len(examples.examples) >= 3
    told: list[str] = []
    assert doctest.DocTestRunner().run(examples, out=told.append).failed == 0, "".join(told)
