"""The change of a converted model's answers: on the evaluation's own items, with its own rules."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from igakulm.answering.reading import Prediction
from igakulm.answering.tasks import exam, extract
from igakulm.bundle.answer_change import Answers, answer, answer_change
from igakulm.bundle.proof_questions import Questions, read_questions
from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.item_files import Answered, file_name, write_items
from igakulm.inference.bundle_file import AnswerChange
from igakulm.inference.model import Model
from igakulm.inference.transformers import load_engine
from igakulm.tasks.items import Item
from igakulm.tasks.layouts import Task
from igakulm.tasks.prompts import chat_prompt
from igakulm.tokenizer.open import load_encoder
from tiny_bundle import write_model

CHOICES = ("咳", "発熱", "貧血")
FINDINGS = Task("findings", "extract", "", "", "所見は。\n「", suffix="」", kind_of_item="d")


def exams(task: str, count: int, wanted: int = 1) -> list[Item]:
    question = "体温が37.{}℃のとき、正しいのはどれか。"
    return [
        Item(f"{task}-{n}", task, "choice", question.format(n), CHOICES, ("A", "C")[:wanted], wanted=wanted)
        for n in range(count)
    ]


def lists(count: int) -> list[Item]:
    texts = [f"糖尿病の患者は{n}か月ごとに血圧を測る。ＣＲＰ上昇。" for n in range(count)]
    return [
        Item(f"l{n}", "findings", "entities", f"所見は。\n「{text}」", (), ("糖尿病",), document=text, tag="d")
        for n, text in enumerate(texts)
    ]


def evaluated(folder: Path, asked: Sequence[Item], model: str = "tuned", mode: str = "options-letter") -> None:
    said: list[Prediction] = [("A",)] * len(asked)
    replies = [Reply(chat_prompt(item), False, "A", mode, ("A",), ("A",)) for item in asked]
    answered = Answered(model, "model", mode, "chat", said, said, replies)
    write_items(folder / file_name(model, asked[0].task, "published", mode), asked, answered, ())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = write_model(tmp_path_factory.mktemp("model"))
    engine = load_engine(folder, device="cpu")
    return Model(engine, load_encoder(folder), "m", "test", preparation="cleaned", tasks=(FINDINGS,))


def test_questions_are_those_of_the_evaluation(model: Model, tmp_path: Path) -> None:
    asked, listed = exams("exam", 5), lists(2)
    evaluated(tmp_path, asked)
    evaluated(tmp_path, exams("posts", 3), mode="generate")
    evaluated(tmp_path, listed, mode="generate")
    evaluated(tmp_path, exams("other", 3), model="base")
    found = read_questions(tmp_path, model)
    assert [one.item.id for one in found.choices] == [item.id for item in asked]
    assert [one.message for one in found.choices] == [chat_prompt(item) for item in asked]
    assert [one.framed(model).text for one in found.lists] == [item.document for item in listed]
    assert {one.item.id for one in found.texts} == {item.id for item in [*asked, *listed]}


def test_large_evaluations_are_thinned_and_long_items_left_out(model: Model, tmp_path: Path) -> None:
    evaluated(tmp_path, exams("exam", 9))
    length = len(model.prompt([{"role": "user", "content": chat_prompt(exams("exam", 1)[0])}]).ids)
    assert len(read_questions(tmp_path, model, most_tokens=4 * length + 2).choices) == 4
    long = Item("x", "long", "choice", "長" * 2000, CHOICES, ("A",))
    evaluated(tmp_path, [long])
    assert "x" not in {one.item.id for one in read_questions(tmp_path, model).choices}


def test_folders_without_usable_items(model: Model, tmp_path: Path) -> None:
    assert len(read_questions(tmp_path, model)) == len(read_questions(None, model)) == 0
    evaluated(tmp_path, exams("exam", 2), model="a")
    assert len(read_questions(tmp_path, model).choices) == 2
    evaluated(tmp_path, exams("exam", 2), model="b")
    assert len(read_questions(tmp_path, model)) == 0
    old = tmp_path / "items" / "tuned" / "exam.jsonl"
    old.parent.mkdir()
    old.write_text(json.dumps({"id": "1", "answer_mode": "options-letter", "prompt": "x", "gold": ["A"]}) + "\n")
    assert len(read_questions(tmp_path, model)) == 0


def test_the_proof_asks_as_the_page_does(model: Model, tmp_path: Path) -> None:
    pairs, listed = exams("two", 3, wanted=2), lists(3)
    evaluated(tmp_path, pairs)
    evaluated(tmp_path, listed, mode="generate")
    said = answer(model, read_questions(tmp_path, model))
    page = [exam(model, item.question, item.choices, 2).answer.split(",") for item in pairs]
    assert [list(letters or ()) for letters in said.choices] == page
    assert list(said.lists) == [extract(model, FINDINGS, item.document).named for item in listed]
    assert len(said.texts) == 6


def test_the_change_is_counted_item_by_item(model: Model, tmp_path: Path) -> None:
    evaluated(tmp_path, exams("exam", 3))
    evaluated(tmp_path, exams("posts", 1))
    evaluated(tmp_path, lists(2), mode="generate")
    questions = read_questions(tmp_path, model)
    nothing: list[list[int]] = [[1]] * len(questions.texts)
    before = Answers([("A",), ("A",), ("B",), ("C",)], [("糖尿病",), ("血圧",)], nothing)
    after = Answers([("A",), ("B",), ("B",), None], [("糖尿病",), None], [[2], *nothing[1:]])
    found = answer_change(questions, before, after)
    assert found.options is not None and found.lists is not None and found.text is not None
    assert (found.options.n, found.options.changed, found.options.original, found.options.quantised) == (
        4,
        2,
        0.5,
        0.25,
    )
    assert (found.lists.changed, found.lists.original, found.lists.quantised) == (1, 0.5, 0.5)
    assert (found.text.n, found.text.changed, found.text.original) == (6, 1, None)
    assert found.tasks["exam"].model_dump() == {
        "metric": "accuracy", "n": 3, "changed": 1, "original": 0.6667, "quantised": 0.3333
    }  # fmt: skip
    assert found.tasks["findings"].metric == "overlap_f1"
    assert AnswerChange(**json.loads(found.model_dump_json())) == found


def test_nothing_asked_is_nothing_told() -> None:
    assert answer_change(Questions(), Answers([], [], []), Answers([], [], [])) == AnswerChange()
