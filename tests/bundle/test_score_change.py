"""The change in score of a converted model: on the evaluation's own items, with its own rules."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from igakulm.answering.reading import Prediction
from igakulm.bundle.score_change import choose, read_questions, score_change
from igakulm.evaluation.ask import Reply
from igakulm.evaluation.item_files import Answered, file_name, write_items
from igakulm.inference.transformers import load_engine
from igakulm.tasks.items import Item
from igakulm.tasks.prompts import chat_prompt
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import load_encoder
from tiny_bundle import write_model

CONTEXT = 256


def items(task: str, count: int, wanted: int = 1) -> list[Item]:
    return [
        Item(
            id=f"{task}-{number}",
            task=task,
            kind="choice",
            question=f"体温が37.{number}℃のとき、正しいのはどれか。",
            choices=("咳", "発熱", "貧血"),
            answer=("A", "C")[:wanted],
            wanted=wanted,
        )
        for number in range(count)
    ]


def evaluated(folder: Path, asked: Sequence[Item], model: str = "tuned", mode: str = "options-letter") -> None:
    said: list[Prediction] = [("A",)] * len(asked)
    replies = [Reply(chat_prompt(item), False, "A", mode, ("A",), ("A",)) for item in asked]
    answered = Answered(model, "model", mode, "chat", said, said, replies)
    write_items(folder / file_name(model, asked[0].task, "published", mode), asked, answered, ())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


def test_questions_are_those_of_the_evaluation(model: Path, tmp_path: Path) -> None:
    encoder, asked = load_encoder(model), items("exam", 5)
    evaluated(tmp_path, asked)
    evaluated(tmp_path, items("posts", 3), mode="generate")
    evaluated(tmp_path, items("other", 3), model="base")
    found = read_questions(tmp_path, encoder, CONTEXT)
    assert [question.item.id for question in found] == [item.id for item in asked]
    assert found[2].prompt == render_chat(encoder, [{"role": "user", "content": chat_prompt(asked[2])}], True)[0]
    assert found[2].options == [encoder.continuation_ids(letter) for letter in "ABC"]


def test_large_evaluations_are_thinned_and_long_items_left_out(model: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, items("exam", 9))
    encoder = load_encoder(model)
    ids = [question.item.id for question in read_questions(tmp_path, encoder, CONTEXT, most_items=3)]
    assert ids == ["exam-0", "exam-3", "exam-6"]
    length = len(read_questions(tmp_path, encoder, CONTEXT)[0].prompt)
    assert len(read_questions(tmp_path, encoder, CONTEXT, most_tokens=4 * length + 2)) == 4
    assert read_questions(tmp_path, encoder, length) == []


def test_folders_without_usable_items(model: Path, tmp_path: Path) -> None:
    encoder = load_encoder(model)
    assert read_questions(tmp_path, encoder, CONTEXT) == []
    evaluated(tmp_path, items("exam", 2), model="a")
    assert len(read_questions(tmp_path, encoder, CONTEXT)) == 2
    evaluated(tmp_path, items("exam", 2), model="b")
    assert read_questions(tmp_path, encoder, CONTEXT) == []
    old = tmp_path / "items" / "tuned" / "exam.jsonl"
    old.parent.mkdir()
    old.write_text(json.dumps({"id": "1", "answer_mode": "options-letter", "prompt": "x", "gold": ["A"]}) + "\n")
    assert read_questions(tmp_path, encoder, CONTEXT) == []


def test_choices_follow_the_models_probabilities(model: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, items("two", 4, wanted=2))
    questions = read_questions(tmp_path, load_encoder(model), CONTEXT)
    engine = load_engine(model, device="cpu")
    chosen = choose(engine, questions)
    for question, letters in zip(questions, chosen, strict=True):
        table = engine.next_log_probabilities(question.prompt)
        ranked = sorted(range(3), key=lambda place: -table[question.options[place][0]])
        assert letters == tuple(sorted("ABC"[place] for place in ranked[:2]))


def test_the_change_is_counted_item_by_item(model: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, items("exam", 3))
    evaluated(tmp_path, items("posts", 1))
    questions = read_questions(tmp_path, load_encoder(model), CONTEXT)
    result = score_change(questions, [("A",), ("A",), ("B",), ("C",)], [("A",), ("B",), ("B",), None])
    assert result == {
        "n": 4,
        "original": 0.5,
        "quantised": 0.25,
        "difference": -0.25,
        "changed": 2,
        "tasks": {
            "exam": {"n": 3, "original": 0.6667, "quantised": 0.3333},
            "posts": {"n": 1, "original": 0.0, "quantised": 0.0},
        },
    }
