"""Atomic writes, document shards, errors in people's words."""

import errno
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.files import (
    Doc,
    atomic_path,
    explain_os_error,
    files_below,
    read_documents,
    read_json,
    read_jsonl,
    write_documents,
    write_json,
    write_jsonl,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(target) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_documents_survive_shards_in_order(tmp_path: Path) -> None:
    documents = [Doc(f"d{i}", "本文" * i, "s", "CC0-1.0", '{"i": 1}') for i in range(50)]
    assert write_documents(tmp_path, documents, shard_bytes=2000) == 50
    assert len(list(tmp_path.glob("*.parquet"))) > 1
    assert list(read_documents(tmp_path)) == documents


def test_the_same_documents_give_the_same_bytes(tmp_path: Path) -> None:
    documents = [Doc(str(i), "本文", "s", "l") for i in range(10)]
    for name in ("a", "b"):
        write_documents(tmp_path / name, documents)
    assert (tmp_path / "a/00000.parquet").read_bytes() == (tmp_path / "b/00000.parquet").read_bytes()


def test_no_documents_is_an_empty_shard(tmp_path: Path) -> None:
    assert write_documents(tmp_path, []) == 0
    assert list(read_documents(tmp_path)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"a": 1}\n{"a": \n', "line 2"), (b"[1]\n", "line 1"), (b'{"a": "\xff"}\n', "line 1")],
)
def test_bad_json_lines_name_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_jsonl(path))


def test_jsonl_round_trip(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"a": "改行\nと\u2028"}, {"a": None}]
    assert write_jsonl(tmp_path / "x.jsonl", rows) == 2
    assert list(read_jsonl(tmp_path / "x.jsonl")) == rows


def test_broken_json_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{\n"a": }')
    with pytest.raises(InputError, match="line 2"):
        read_json(tmp_path / "x.json")


def test_leftovers_and_manifests_are_no_content(tmp_path: Path) -> None:
    for name in ("b.txt", "manifest.json", ".c.tmp", "sub/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [path.name for path in files_below(tmp_path)] == ["b.txt", "a.txt"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "cannot be written"), (errno.ENOENT, "no such file")],
)
def test_refusals_of_the_system_in_one_line(tmp_path: Path, code: int, words: str) -> None:
    error = explain_os_error(OSError(code, "x", str(tmp_path / "f")), tmp_path)
    assert words in error.what
    assert "\n" not in error.what
