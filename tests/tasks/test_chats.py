"""Conversation files: what is read, and that every mistake is named with its file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import Chats
from igakulm.tasks.chats import document_hash, read_chats
from igakulm.tasks.items import Item
from igakulm.tasks.training_rows import chat_row

TURNS = [{"role": "user", "content": "咳が出る。"}, {"role": "assistant", "content": "休んでください。"}]


def write(path: Path, *lines: Any) -> Chats:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return Chats(path=str(path))


def test_conversations_in_order_with_their_names(tmp_path: Path) -> None:
    system = {"role": "system", "content": "短く答える。"}
    one = write(tmp_path / "a.jsonl", {"messages": [system, *TURNS, *TURNS], "id": "x"}, {"messages": TURNS, "more": 1})
    two = write(tmp_path / "b.jsonl", {"messages": TURNS, "id": 7}).model_copy(update={"repeats": 3})
    found = read_chats([one, two])
    assert [chat.name for chat in found] == ["a.jsonl/x", "a.jsonl/line 2", "b.jsonl/7"]
    assert [len(chat.messages) for chat in found] == [5, 2, 2]
    assert [chat.repeats for chat in found] == [1, 1, 3]
    assert found[0].documents == {document_hash("咳が出る。")} == found[2].documents


def test_rows_of_the_benchmarks_keep_their_document(tmp_path: Path) -> None:
    item = Item("1", "t", "choice", "発熱はあるか。", ("ある", "ない"), ("A",), document="３８℃の発熱。")
    (chat,) = read_chats([write(tmp_path / "rows.jsonl", chat_row(item))])
    assert chat.documents == {document_hash("38℃の発熱")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"text": "a"}, "no messages"),
        ({"messages": []}, "no messages"),
        ({"messages": TURNS[:1]}, "no answer to learn"),
        ({"messages": [TURNS[0], {"role": "assistant", "content": " "}]}, "no answer to learn"),
        ({"messages": [{"role": "tool", "content": "a"}, TURNS[1]]}, "unknown role 'tool'"),
        ({"messages": [TURNS[0], {"role": "assistant"}]}, "without text"),
        ({"messages": ["a"]}, "unknown role"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(tmp_path: Path, line: Any, said: str) -> None:
    source = write(tmp_path / "bad.jsonl", {"messages": TURNS}, line)
    with pytest.raises(InputError, match=said) as caught:
        read_chats([source])
    assert caught.value.where and "bad.jsonl, line 2" in caught.value.where


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no conversation"):
        read_chats([write(tmp_path / "empty.jsonl")])
    with pytest.raises(InputError, match="no file"):
        read_chats([Chats(path=str(tmp_path / "absent.jsonl"))])
