"""Imports point from a later layer to an earlier one and never in a circle; light modules stay light."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence, Set
from pathlib import Path

import pytest

LAYERS = [
    {"errors", "version"},
    {"progress"},
    {"files", "machine", "shipped"},
    {"stored", "hashes"},
    {"manifest", "pretrained"},
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
    {"api"},
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


def imported_files(path: Path, names: Container[str]) -> set[str]:
    """Modules among `names` that a file imports, anywhere in it: functions and type checks too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {part if part in names else node.module for part in parts}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in names}


def import_graph(root: Path) -> dict[str, set[str]]:
    """Module -> the modules below `root` that it imports."""
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in root.rglob("*.py")
    }
    return {name: imported_files(path, files.keys()) - {name} for name, path in sorted(files.items())}


def circle(graph: Mapping[str, Set[str]]) -> Sequence[str]:
    """A circle of modules, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_circle_of_files(project: Path) -> None:
    """A function-level import hides a circle from Python, not from whoever reads."""
    graph = import_graph(project / "src")
    assert len(graph) > 200 and any(graph.values())
    assert circle(graph) == []


def test_the_check_sees_a_hidden_circle(tmp_path: Path) -> None:
    (tmp_path / "igakulm" / "room").mkdir(parents=True)
    first, second = tmp_path / "igakulm" / "room" / "first.py", tmp_path / "igakulm" / "room" / "second.py"
    first.write_text("from igakulm.room import second\n")
    second.write_text("import json\n")
    assert circle(import_graph(tmp_path)) == []
    second.write_text("def late() -> None:\n    from igakulm.room.first import thing\n")
    assert set(circle(import_graph(tmp_path))) == {"igakulm.room.first", "igakulm.room.second"}


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
