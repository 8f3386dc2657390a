"""Figures of the source itself: `python benchmarks/source_figures.py CHECKOUT [CHECKOUT ...]`, one column each.

Does: count files, lines, rooms, arrows between rooms, loose types in signatures, `isinstance`, names used twice.
Does not: judge them (docs/results).
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LOOSE = ("Any", "dict[str, Any]", "Mapping[str, Any]")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def room_of(path: Path) -> str:
    """The folder or file directly below the package."""
    return path.parts[0].removesuffix(".py")


def imported(node: ast.AST) -> Iterator[str]:
    """Rooms that an import statement names."""
    names: list[str] = []
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        whole = node.module == "igakulm"
        names = [f"igakulm.{alias.name}" for alias in node.names] if whole else [node.module]
    elif isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    yield from (name.split(".")[1] for name in names if name.startswith("igakulm."))


def annotations(tree: ast.AST) -> Iterator[str]:
    """Every annotation of a parameter or result."""
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS):
            given = node.args
            parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            notes = [parameter.annotation for parameter in parameters if parameter] + [node.returns]
            yield from (ast.unparse(note) for note in notes if note)


def figures(checkout: Path) -> dict[str, int]:
    """All counts of one checkout."""
    root = checkout / "src" / "igakulm"
    texts = {path.relative_to(root): path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    rooms = {room_of(path) for path in texts} - {"__init__", "__main__", "version"}
    arrows = {
        (room_of(path), other) for path, tree in trees.items() for node in ast.walk(tree) for other in imported(node)
    }
    notes = [note for tree in trees.values() for note in annotations(tree)]
    calls = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = Counter(path.name for path in texts)
    classes = Counter(node.name for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef))
    other = [path for ending in ("js", "css", "html", "toml", "j2") for path in root.rglob(f"*.{ending}")]
    lengths = [text.count("\n") for text in texts.values()]
    found = {
        "Python files": len(texts),
        "Python lines": sum(lengths),
        "lines of templates, words, page": sum(path.read_text(encoding="utf-8").count("\n") for path in other),
        "longest module": max(lengths),
        "rooms": len(rooms),
        "arrows between rooms": len({(a, b) for a, b in arrows if a != b and a in rooms and b in rooms}),
        "isinstance": sum(isinstance(call.func, ast.Name) and call.func.id == "isinstance" for call in calls),
        "el(...) calls": sum(isinstance(call.func, ast.Name) and call.func.id == "el" for call in calls),
    }
    found |= {
        f"{loose} in signatures": sum(len(re.findall(rf"\b{re.escape(loose)}", n)) for n in notes) for loose in LOOSE
    }
    found |= {f"modules named {name}": names[name] for name in ("build.py", "ask.py")}
    return found | {"classes named Task": classes["Task"]}


def main() -> None:
    """Print a table."""
    columns = [figures(Path(one)) for one in sys.argv[1:]]
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{column[name]:,}" for column in columns) + " |")


if __name__ == "__main__":
    main()
