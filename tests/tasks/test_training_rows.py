"""Rows for other trainers: what a row holds, what the summary counts, and that a folder is written once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.manifest import read_manifest
from igakulm.recipe.schema import BenchmarksSection, Jmed, RowTask
from igakulm.tasks.items import Item
from igakulm.tasks.training_rows import chat_row, write_training_rows


def own_task(folder: Path) -> BenchmarksSection:
    rows = [{"id": str(n), "question": f"問{n // 2}", "choices": ["甲", "乙"], "answer": ["b"]} for n in range(8)]
    paths = {"test": folder / "test.jsonl", "train": folder / "train.jsonl"}
    for side, part in (("test", rows[:3]), ("train", rows[3:])):
        paths[side].write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    return BenchmarksSection(
        rows=(RowTask(name="own", kind="exam", test=str(paths["test"]), train=str(paths["train"])),)
    )


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_same_document_has_the_same_hash() -> None:
    wide = Item("1", "t", "entities", "q", (), ("咳",), document="体温３８℃。")
    narrow = Item("2", "t", "entities", "q", (), ("咳",), document="体温38°C")
    assert chat_row(wide)["document_sha256"] == chat_row(narrow)["document_sha256"] != ""
    assert chat_row(Item("3", "t", "entities", "q", (), ("咳",)))["document_sha256"] == ""


def test_files_summary_and_manifest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = write_training_rows(own_task(tmp_path), "document-disjoint", out)
    assert json.loads((out / "summary.json").read_text()) == summary
    assert summary == {
        "split": "document-disjoint",
        "train_rows": 4,
        "test_rows": 3,
        "tasks": {
            "own": {
                "licence": "not stated",
                "test": 3,
                "train": 4,
                "train_published": 5,
                "left_out": 1,
                "test_shared": 0,
                "train_shared": 0,
            }
        },
    }
    assert [row["id"] for row in read(out / "train" / "own.jsonl")] == ["4", "5", "6", "7"]
    assert read(out / "test" / "own.jsonl")[0]["messages"] == [
        {"role": "user", "content": "問0\nA. 甲\nB. 乙"},
        {"role": "assistant", "content": "B"},
    ]
    manifest = read_manifest(out)
    assert manifest is not None and set(manifest.files) == {"summary.json", "test/own.jsonl", "train/own.jsonl"}


def test_the_published_split_shares_and_folds_lose_nothing(tmp_path: Path) -> None:
    config = own_task(tmp_path)
    own = write_training_rows(config, "published", tmp_path / "published")["tasks"]["own"]
    assert (own["test_shared"], own["train_shared"], own["left_out"]) == (1, 1, 0)
    own = write_training_rows(config, "fold-1-of-2", tmp_path / "fold")["tasks"]["own"]
    assert (own["test"], own["train"], own["left_out"], own["test_shared"]) == (4, 4, 0, 0)


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    config = own_task(tmp_path)
    for name in "ab":
        write_training_rows(config, "fold-1-of-2", tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 4
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_a_used_folder_is_refused_and_bad_input_writes_nothing(tmp_path: Path) -> None:
    config = own_task(tmp_path)
    with pytest.raises(InputError, match="not empty"):
        write_training_rows(config, "published", tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        write_training_rows(config, "published", tmp_path / "file")
    with pytest.raises(InputError, match="no fold 3 of 2"):
        write_training_rows(config, "fold-3-of-2", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_real_rows(real_data: Path, tmp_path: Path) -> None:
    config = BenchmarksSection(jmed=Jmed(path=str(real_data / "jmed-llm"), tasks=("crade", "nrner")))
    summary = write_training_rows(config, "document-disjoint", tmp_path / "out")
    assert summary["tasks"]["crade"]["left_out"] == 605
    assert summary["tasks"]["nrner"]["licence"] == "CC BY-NC-SA 4.0"
    assert len(read(tmp_path / "out" / "train" / "crade.jsonl")) == 1530 - 605
