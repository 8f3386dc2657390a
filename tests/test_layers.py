"""Imports point from a later layer to an earlier one, and light modules stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LAYERS = [
    {"errors"},
    {"progress"},
    {"files"},
    {"stored"},
    {"manifest"},
    {"recipe"},
    {"text"},
    {"asking"},
    {"tasks"},
    {"corpus", "synth"},
    {"tokenizer"},
    {"model"},
    {"training"},
    {"inference"},
    {"answering"},
    {"evaluation"},
    {"report"},
    {"bundle"},
    {"serving"},
    {"pipeline"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FORBIDDEN = {"utils", "common", "helpers", "manager", "misc"}


def imported_rooms(path: Path) -> set[str]:
    """Top-level rooms of igakulm that a file imports, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "igakulm":
                names = [f"igakulm.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("igakulm.")}
    return rooms - {"__version__"}


def source_files(project: Path) -> list[Path]:
    return sorted((project / "src" / "igakulm").rglob("*.py"))


def test_imports_point_backwards(project: Path) -> None:
    wrong = []
    for path in source_files(project):
        room = path.relative_to(project / "src" / "igakulm").parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for other in imported_rooms(path):
            same_room = other == room
            if not same_room and LEVEL[other] >= LEVEL[room]:
                wrong.append(f"{path.relative_to(project)} imports {other}")
    assert wrong == []


def test_the_check_sees_a_wrong_import(tmp_path: Path) -> None:
    path = tmp_path / "early.py"
    path.write_text("from igakulm.pipeline.run import Runner\nimport igakulm.cli.app\n")
    assert imported_rooms(path) == {"pipeline", "cli"}


def test_no_catch_all_rooms(project: Path) -> None:
    names = {part.removesuffix(".py") for path in source_files(project) for part in path.parts}
    assert names & FORBIDDEN == set()


def test_modules_stay_small(project: Path) -> None:
    long = {str(path): n for path in source_files(project) if (n := len(path.read_text().splitlines())) > 500}
    assert long == {}


@pytest.mark.parametrize("module", ["igakulm.cli.app", "igakulm.pipeline.run", "igakulm.recipe", "igakulm.files"])
def test_light_modules_import_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "transformers", "numpy", "pyarrow", "sklearn", "fugashi", "sentencepiece", "starlette", "httpx"}
    assert heavy & set(loaded) == set()
