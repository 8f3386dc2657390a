"""Files of ours that are damaged or hostile: one message for people, no traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.manifest import read_manifest
from igakulm.tasks.layouts import TASKS_FILE, read_tasks

MANIFEST = {
    "stage": "pack",
    "version": 1,
    "fingerprint": "f",
    "ingredients": {},
    "digest": "d",
    "files": {"a": {"bytes": 1, "sha256": "0"}},
    "summary": {},
}


@pytest.mark.parametrize(
    "change",
    [
        {"files": []},
        {"files": {"a": []}},
        {"files": {"a": {"bytes": "1", "sha256": "0"}}},
        {"files": {"a": {"bytes": -1, "sha256": "0"}}},
        {"files": {"a": {"sha256": "0"}}},
        {"files": None},
        {"ingredients": 1},
        {"seconds": "long"},
        {"more": 1},
    ],
)
def test_manifests(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(MANIFEST))
    assert read_manifest(tmp_path) is not None
    path.write_text(json.dumps({**MANIFEST, **change}))
    with pytest.raises(InputError, match="not one of ours"):
        read_manifest(tmp_path)
    path.write_text("[]")
    with pytest.raises(InputError, match="not one of ours"):
        read_manifest(tmp_path)


def _read_tasks(path: Path) -> object:
    return read_tasks(path.parent / TASKS_FILE)


def _read_manifest(path: Path) -> object:
    return read_manifest(path.parent)


@pytest.mark.parametrize("read", [read_json, _read_tasks, _read_manifest])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    for name in (TASKS_FILE, "manifest.json"):
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="too deeply"):
        read(tmp_path / "manifest.json")
