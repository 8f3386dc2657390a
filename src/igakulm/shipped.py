"""The recipes and samples that come with the program: in its wheel, or beside its sources in the repository.

Does: find them. Does not: write them anywhere (pipeline/new_project.py), or copy them within the repository.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError

PACKAGE = Path(__file__).parent
"""The folder of the package that runs; wheels are installed as files, never run from a ZIP file."""
SHIPPED = "shipped_files"
"""Where a wheel has them within the package, as pyproject.toml says."""
FOLDERS = ("recipes", "samples")


def shipped_files() -> dict[str, Path]:
    """Name, such as "recipes/quickstart.yaml" -> file, in the order of names.

    Raises:
        InputError: they are neither in the package nor beside it.

    >>> "recipes/quickstart.yaml" in shipped_files() and "samples/tasks/exam.test.jsonl" in shipped_files()
    True
    """
    root = next((place for place in (PACKAGE / SHIPPED, PACKAGE.parents[1]) if _holds(place)), None)
    if root is None:
        raise InputError("recipes and samples did not come with this installation", hint="install igakulm again")
    files = [path for name in FOLDERS for path in (root / name).rglob("*") if path.is_file()]
    kept = [path for path in files if not any(_is_hidden(part) for part in path.relative_to(root).parts)]
    return {path.relative_to(root).as_posix(): path for path in sorted(kept)}


def _holds(place: Path) -> bool:
    return all((place / name).is_dir() for name in FOLDERS)


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"
