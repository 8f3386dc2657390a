"""Single questions: where they come from, what is printed, what does not fit."""

import io
import json
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.inference.engine import Sampling
from igakulm.inference.model import Model
from igakulm.progress import SilentProgress
from igakulm.serving import questions as asking
from igakulm.serving.questions import Question, answer, ask, read_questions
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_model

TINY = encoder()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    engine = ScriptedEngine(TINY, "糖尿病です。", context_length=120)
    monkeypatch.setattr(asking, "open_model", lambda folder, name: Model(engine, TINY, "tiny", "scripted", folder))
    return engine


def lines(questions: list[Question], **options: object) -> list[str]:
    said: list[str] = []
    ask(Path("bundle"), questions, SilentProgress(), say=said.append, **options)  # type: ignore[arg-type]
    return said


def test_one_question_gives_the_answer_alone(engine: ScriptedEngine) -> None:
    assert lines([Question("1", "病名は？")]) == ["糖尿病です。"]
    assert lines([Question("1", "病名は？")], max_tokens=2, sampling=Sampling(0.5, seed=3)) != ["糖尿病です。"]
    assert engine.options[1] == (2, 0.5, 3) and engine.options[0][1:] == (0.0, 0)


def test_many_questions_with_one_that_does_not_fit(engine: ScriptedEngine) -> None:
    asked = [Question("a", "病名は？"), Question("b", "長" * 200), Question("c", "薬は？")]
    rows = [json.loads(line) for line in lines(asked, as_json=True)]
    assert [(row["id"], row["finish_reason"]) for row in rows] == [("a", "stop"), ("b", "error"), ("c", "stop")]
    assert rows[0]["answer"] == "糖尿病です。" and "the model reads 119" in rows[1]["answer"]
    assert rows[0]["prompt_tokens"] == len(engine.prompts[0]) and rows[0]["completion_tokens"] == len(engine.tokens)
    text = lines(asked)
    assert text[0] == "問 a: 病名は？\n答: 糖尿病です。\n" and text[1].startswith("問 b: ")


def test_each_question_is_asked_by_itself(engine: ScriptedEngine) -> None:
    lines([Question("1", "甲"), Question("2", "乙")])
    opened = Model(engine, TINY, "tiny", "scripted")
    answer(opened, Question("2", "乙"), 8)
    assert engine.prompts[1] == engine.prompts[2]


def test_refusals(engine: ScriptedEngine) -> None:
    with pytest.raises(InputError, match="no question"):
        lines([])
    with pytest.raises(InputError, match="at least one token"):
        lines([Question("1", "甲")], max_tokens=0)
    with pytest.raises(InputError, match="the model reads 119"):
        lines([Question("1", "長" * 200)])


def test_an_engine_that_dies_costs_one_answer(engine: ScriptedEngine) -> None:
    engine.dies_after = 1
    with pytest.raises(InputError, match="the model's process failed"):
        lines([Question("1", "患者の名前")])
    rows = [json.loads(line) for line in lines([Question("1", "甲"), Question("2", "乙")], as_json=True)]
    assert [row["finish_reason"] for row in rows] == ["error", "error"]


def test_answers_go_to_a_file(engine: ScriptedEngine, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    assert lines([Question("1", "甲"), Question("2", "乙")], as_json=True, out=out) == []
    assert [json.loads(line)["question"] for line in out.read_text(encoding="utf-8").splitlines()] == ["甲", "乙"]


def test_where_questions_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(read_questions("甲\n乙", None)) == [Question("1", "甲\n乙")]
    assert list(read_questions(" ", None)) == []
    path = tmp_path / "q.txt"
    path.write_bytes("\ufeff甲\r\n\r\n 乙 \n".encode())
    assert list(read_questions(None, path)) == [Question("1", "甲"), Question("3", "乙")]
    rows = tmp_path / "q.jsonl"
    rows.write_text('{"question": "甲", "id": "x"}\n{"question": "乙"}\n', encoding="utf-8")
    assert list(read_questions(None, rows)) == [Question("x", "甲"), Question("2", "乙")]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("甲\n".encode())))
    assert list(read_questions(None, None)) == [Question("1", "甲")]


def test_broken_files_of_questions(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_bytes("甲\n".encode() + b"\xff\n")
    (tmp_path / "q.jsonl").write_text('{"question": 3}\n', encoding="utf-8")
    for name, message in (("q.txt", "line 2"), ("q.jsonl", "line 1"), ("no.txt", "no such file")):
        with pytest.raises(InputError, match=message):
            list(read_questions(None, tmp_path / name))
    with pytest.raises(InputError, match="not both"):
        list(read_questions("甲", tmp_path / "q.txt"))


def test_a_real_model_answers_the_same_each_time(tmp_path: Path) -> None:
    bundle = write_model(tmp_path / "model")
    said: list[str] = []
    for _ in range(2):
        options = {"engine": "transformers", "max_tokens": 8, "as_json": True}
        ask(bundle, [Question("1", "病名は？")], SilentProgress(), say=said.append, **options)  # type: ignore[arg-type]
    assert said[0] == said[1] and json.loads(said[0])["completion_tokens"] <= 8
