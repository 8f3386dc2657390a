"""The tasks that a model was tuned on, found beside its weights: `tasks.json`.

Does: look into the folders in which older and newer versions keep the file. Does not: make tasks out of rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from igakulm.tasks.layouts import TASKS_FILE, Task, read_tasks


def find_tasks(folders: Iterable[Path]) -> list[Task]:
    """The tasks of the first of these folders that has the file; none where no folder has, or the file is empty.

    Raises:
        InputError: a malformed tasks.json.
    """
    for folder in folders:
        if (folder / TASKS_FILE).is_file():
            return read_tasks(folder / TASKS_FILE)
    return []


def folders_of_tasks(model: Path) -> tuple[Path, ...]:
    """Where `tasks.json` of a model's folder can lie: in it, or (older versions) beside it, in the folder of the
    finetune stage.
    """
    return (model, model.parent) if model.name == "model" else (model,)
