from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from igakulm.recipe.personal_data import Deidentification, PersonalData
from igakulm.recipe.schema import Chats, RowTask
from igakulm.tasks.chats import read_chats
from igakulm.tasks.left_out import Screen
from igakulm.tasks.personal_data import Deidentifiers, account
from igakulm.tasks.rows import read_rows


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_conversations_lose_personal_data_together(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "氏名：佐藤花子、72歳。#肺炎 で入院。要約してください。"},
        {"role": "assistant", "content": "佐藤さんは肺炎で入院した。連絡先は03-5555-0123。"},
    ]
    path = write(tmp_path / "chats.jsonl", {"messages": turns})
    known: Deidentifiers = {}
    chat = read_chats([Chats(path=str(path), personal_data="replace")], known)[0]
    assert [message["content"] for message in chat.messages] == [
        "氏名：[氏名]、72歳。#肺炎 で入院。要約してください。",
        "[氏名]さんは肺炎で入院した。連絡先は[電話番号]。",
    ]
    done = account(known)["chats.jsonl"]
    assert done["how"] == "replaced" and done["replaced"] == {"name": 2, "telephone": 1} and done["documents"] == 1
    for value in ("kept", None):
        known = {}
        kept = read_chats([Chats(path=str(path), personal_data=value)], known)[0]
        assert kept.messages[0]["content"] == turns[0]["content"] and account(known)["chats.jsonl"] == {"how": "kept"}


@pytest.mark.parametrize("personal_data", ["replace", Deidentification(style="numbered")])
def test_answers_move_with_the_document(tmp_path: Path, personal_data: PersonalData) -> None:
    document = "佐藤花子様（93歳）。昨日より発熱、山本医師に相談。"
    row = {"id": "1", "tag": "d", "document": document, "answer": ["発熱", "花子様（93歳）"]}
    path = write(tmp_path / "rows.jsonl", row)
    screen = Screen(strict=True)
    task = RowTask(name="own", kind="entities", train=str(path), personal_data=personal_data)
    item = read_rows(path, task, screen)[0]
    assert "佐藤" not in item.question and "山本" not in item.document and item.answer[0] == "発熱"
    assert all(answer in item.document for answer in item.answer)
    assert account(screen.personal_data)["own"]["replaced"] == {"age": 2, "name": 3}


def test_ids_and_rows_without_personal_data_stay(tmp_path: Path) -> None:
    row = {"id": "03-5555-0123", "document": "咳と熱。", "choices": ["かぜ", "肺炎"], "answer": ["B"]}
    path = write(tmp_path / "rows.jsonl", row)
    task = RowTask(name="own", kind="classification", train=str(path), personal_data="replace")
    item = read_rows(path, task)[0]
    assert item.id == "03-5555-0123" and item.document == "咳と熱。" and item.answer == ("B",)


def test_the_account_of_conversations_does_not_say_where_they_lie(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "要約してください。"}, {"role": "assistant", "content": "肺炎で入院した。"}]
    (tmp_path / "other").mkdir()
    paths = [write(folder / "chats.jsonl", {"messages": turns}) for folder in (tmp_path, tmp_path / "other")]
    known: Deidentifiers = {}
    read_chats([Chats(path=str(path), personal_data="replace") for path in paths], known)
    assert list(account(known)) == ["chats.jsonl", "chats.jsonl (2)"]
