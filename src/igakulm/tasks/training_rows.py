"""Training and test rows as conversations in JSON Lines, for any trainer that reads "messages".

Does: write one split of all tasks in our chat format, with counts, leakage and licences. Does not: train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, sha256_json, write_json, write_jsonl
from igakulm.manifest import Manifest, content_digest, describe_files, write_manifest
from igakulm.recipe.schema import BenchmarksSection
from igakulm.tasks.benchmarks.benchmark import NOT_STATED
from igakulm.tasks.benchmarks.registry import licence_of
from igakulm.tasks.items import Item, normalised_document
from igakulm.tasks.load import Split, load_split
from igakulm.tasks.prompts import chat_answer, chat_prompt
from igakulm.tasks.splits import leakage


def write_training_rows(config: BenchmarksSection, split: str, out_dir: Path) -> dict[str, Any]:
    """Write `train/TASK.jsonl`, `test/TASK.jsonl`, `summary.json` and, last of all, `manifest.json`.

    Each row is {"id", "task", "document_sha256", "messages": [user, assistant]}; `document_sha256` is the hex SHA-256
    of the normalised document ("" without one).

    Returns:
        What `summary.json` holds: {"split", "tasks": {task: {"licence", "test", "train", "train_published",
        "left_out", "test_shared", "train_shared"}}, "train_rows", "test_rows"}. `left_out` counts training rows of the
        published split that are neither training nor test rows here; `…_shared` are as in `splits.leakage`.

    Raises:
        InputError: a folder that is not empty, and what `load_split` raises.
    """
    chosen = load_split(config, split)
    published = chosen if split == "published" else load_split(config, "published")
    summary = _summary(chosen, published, {row.name for row in config.rows})
    _make_folder(out_dir)
    for side, tasks in (("train", chosen.train), ("test", chosen.test)):
        for task, items in tasks.items():
            write_jsonl(out_dir / side / f"{task}.jsonl", map(chat_row, items))
    write_json(out_dir / "summary.json", summary)
    files = describe_files(out_dir)
    digest = content_digest(files)
    ingredients = {"split": split, "content": digest}
    write_manifest(out_dir, Manifest("rows", 1, sha256_json(ingredients), ingredients, digest, files, summary))
    return summary


def chat_row(item: Item) -> dict[str, object]:
    """One item as a conversation of a question and its answer.

    >>> row = chat_row(Item("1", "t", "choice", "どれか。", ("甲", "乙"), ("B",)))
    >>> [message["content"] for message in row["messages"]]
    ['どれか。\\nA. 甲\\nB. 乙', 'B']
    """
    document = normalised_document(item.document)
    return {
        "id": item.id,
        "task": item.task,
        "document_sha256": hashlib.sha256(document.encode()).hexdigest() if document else "",
        "messages": [
            {"role": "user", "content": chat_prompt(item)},
            {"role": "assistant", "content": chat_answer(item)},
        ],
    }


def _summary(chosen: Split, published: Split, own: Collection[str]) -> dict[str, Any]:
    shared = {str(row["task"]): row for row in leakage(chosen.train, chosen.test)}
    tasks: dict[str, dict[str, Any]] = {}
    for task, items in chosen.test.items():
        train, before = chosen.train.get(task, ()), published.train.get(task, ())
        tasks[task] = {
            "licence": NOT_STATED if task in own else licence_of(task),
            "test": len(items),
            "train": len(train),
            "train_published": len(before),
            "left_out": len(published.test[task]) + len(before) - len(items) - len(train),
            "test_shared": shared[task]["test_shared"],
            "train_shared": shared[task]["train_shared"],
        }
    rows: dict[str, Any] = {f"{side}_rows": sum(row[side] for row in tasks.values()) for side in ("train", "test")}
    if chosen.screen.rows or chosen.screen.missing:
        rows["unreadable"] = chosen.screen.lines()
    return {"split": chosen.name, **rows, "tasks": tasks}


def _make_folder(folder: Path) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            raise InputError("the folder is not empty", where=str(folder), hint="name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, folder) from error
