"""The tasks that a bundle carries: the layouts of the rows that its model was tuned on.

Does: find them in the folder of the finetune stage, or in the prompts that an evaluation kept.
Does not: read benchmark files, or write the bundle.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import read_jsonl
from igakulm.tasks.find_layouts import items_of_prompts, layouts_of
from igakulm.tasks.layouts import Task
from igakulm.tasks.of_model import find_tasks, folders_of_tasks

KEPT_ITEMS = "items"


def tasks_of(finetune_dir: Path | None, evaluation_dir: Path | None = None) -> list[Task]:
    """The tasks of a tuned model.

    Args:
        finetune_dir: folder of the finetune stage, or its `model/`; its `tasks.json` is what the model was tuned on.
        evaluation_dir: folder of the evaluate stage: where the other has no tasks, the prompts of the model that was
            asked in the chat format, which are those of the tuning rows.

    Returns:
        Nothing where nothing is known.

    Raises:
        InputError: a malformed tasks.json.
    """
    folders = (*folders_of_tasks(finetune_dir), finetune_dir / "model") if finetune_dir else ()
    return find_tasks(folders) or (_of_evaluation(evaluation_dir) if evaluation_dir else [])


def _of_evaluation(folder: Path) -> list[Task]:
    """Layouts of the first model whose kept prompts show any; prompts in a leaderboard's layout show none."""
    for model in sorted((folder / KEPT_ITEMS).glob("*/"), key=lambda path: (path.name != "tuned", path.name)):
        tasks: dict[str, Task] = {}
        for path in sorted(model.glob("*.jsonl")):
            for task in _of_file(path):
                tasks.setdefault(task.name, task)
        if tasks:
            return list(tasks.values())
    return []


def _of_file(path: Path) -> list[Task]:
    try:
        return layouts_of(items_of_prompts(read_jsonl(path)))
    except InputError:
        return []  # the evaluation is not the bundle's matter; its own commands say what is wrong with it
