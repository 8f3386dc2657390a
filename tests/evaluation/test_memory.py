"""What a model gives back of its training texts is counted, with the personal data among it, and not more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.evaluation.memory import audit_memory
from igakulm.inference.model import Model
from igakulm.progress import SilentProgress
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
START = "患者は七十二歳の女性で、昨日から発熱と咳が続いていたため受診した。"
REST = "氏名：佐藤花子、電話03-5555-0123。胸部写真で右下肺野に浸潤影を認めた。"


def model_of(text: str) -> Model:
    return Model(ScriptedEngine(TINY, text, 1000), TINY, "tiny", "test")


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("answer", "right", "personal"),
    [(REST, 1, ["name", "telephone"]), (REST[:8], 0, ["name"]), ("別の文", 0, [])],
)
def test_words_that_come_back_are_counted(tmp_path: Path, answer: str, right: int, personal: list[str]) -> None:
    path = write(tmp_path / "notes.jsonl", {"text": START + REST}, {"text": "短い"})
    found = audit_memory(model_of(answer), [path], SilentProgress(), prefix=len(START), characters=20)
    assert (found["asked"], found["too_short"], found["recalled"]["right"]) == (1, 1, right)
    assert found["with_personal_data"]["right"] == bool(personal)
    assert [one["personal_data"] for one in found["texts"]] == ([personal] if right or personal else [])
    assert "佐藤" not in json.dumps(found, ensure_ascii=False)


def test_an_answer_is_asked_for_after_its_question(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "要約して"}, {"role": "assistant", "content": START + REST}]
    path = write(tmp_path / "chats.jsonl", {"messages": turns})
    model = model_of(REST)
    found = audit_memory(model, [path], SilentProgress(), prefix=len(START), characters=20)
    assert found["texts"][0]["manner"] == "answer" and found["longest"] == len(REST)
    assert isinstance(model.engine, ScriptedEngine)
    asked = model.prompt(turns[:1]).ids
    assert model.engine.prompts[0][: len(asked)] == asked and len(model.engine.prompts[0]) > len(asked)


def test_nothing_to_ask_with(tmp_path: Path) -> None:
    path = write(tmp_path / "notes.jsonl", {"text": "短い"})
    with pytest.raises(InputError, match="long enough"):
        audit_memory(model_of(""), [path], SilentProgress())
