"""Prompts in the published layouts, and sentences read from YAML or from source that is never run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.recipe.schema import Jmed
from igakulm.tasks.benchmarks.jmed import load_test
from igakulm.tasks.items import Item
from igakulm.tasks.wording import (
    Wording,
    conversation,
    is_exam,
    option_letters,
    plain_text,
    read_shots,
    read_wording,
    told,
)

QUESTION = Item("1", "igakuqa", "choice", "どれか。", ("甲", "乙", "丙"), ("A", "C"), document="どれか。", wanted=2)
LEADERBOARD = Item("2", "jmmlu_med", "choice", "どれか。", ("甲", "乙"), ("A",), document="どれか。")
ENTITIES = Item("3", "nrner", "entities", "所見は？\n「咳」", (), ("咳",), document="咳")
SHOT = Item("s", "shots", "choice", "例題。", ("子", "丑"), ("B",), document="例題。")
OWN = Wording()


def test_leaderboard_layout() -> None:
    system, user = conversation(LEADERBOARD, OWN)
    assert system == {"role": "system", "content": OWN.choice}
    assert user["content"] == "質問: どれか。\n選択肢:\nA. 甲\nB. 乙\n"
    assert conversation(ENTITIES, OWN)[1]["content"] == ENTITIES.question
    assert conversation(ENTITIES, OWN)[0]["content"] == OWN.entities
    assert option_letters(LEADERBOARD, published=True) == "AB"


def test_examination_layout_with_worked_examples() -> None:
    messages = conversation(QUESTION, OWN, [SHOT])
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[2]["content"] == "b"
    assert messages[3]["content"].startswith("問題: どれか。\na: 甲\nb: 乙\nc: 丙\n")
    assert "a,b,c" in messages[3]["content"] and "2個" in messages[3]["content"]
    assert messages[3]["content"].endswith("\n答え:")
    assert is_exam(QUESTION) and not is_exam(LEADERBOARD) and not is_exam(ENTITIES)
    assert option_letters(QUESTION, published=True) == "abc"
    assert plain_text(QUESTION, OWN, [SHOT]).startswith("問題: 例題。\na: 子\nb: 丑\n")


def test_numbers_have_no_options() -> None:
    number = Item("4", "igakuqa", "number", "いくつか。", (), ("720",), document="いくつか。")
    assert conversation(number, OWN)[1]["content"] == "問題: いくつか。"


def test_sentences_of_a_yaml_file(tmp_path: Path) -> None:
    path = tmp_path / "wording.yaml"
    path.write_text('choice: 文字だけ。\npick: "{letters}から{}個。"\n', encoding="utf-8")
    wording = read_wording(path)
    assert (wording.choice, wording.entities) == ("文字だけ。", OWN.entities)
    assert "a,b,cから2個。" in conversation(QUESTION, wording)[1]["content"]
    path.write_text("choise: x\n", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean choice"):
        read_wording(path)
    path.write_text("- x\n", encoding="utf-8")
    with pytest.raises(InputError, match="no keys"):
        read_wording(path)


def test_sentences_of_a_benchmark_s_source_which_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "prompts.py"
    path.write_text(
        "import pathlib\n"
        f"pathlib.Path({str(tmp_path / 'was_run')!r}).touch()\n"
        "def messages(row):\n"
        "    if row.choice:\n"
        "        system_prompt = '文字を一つ。'\n"
        "    else:\n"
        "        system_prompt = '一覧を。'\n"
        "    start = [{'role': 'system', 'content': '試験です。'}]\n"
        "    return start, '\\nちょうど{}個。'.format(len(row.answer))\n",
        encoding="utf-8",
    )
    wording = read_wording(path)
    assert wording == Wording("文字を一つ。", "一覧を。", "試験です。", "ちょうど{}個。")
    assert not (tmp_path / "was_run").exists()
    path.write_text("def broken(:\n", encoding="utf-8")
    with pytest.raises(InputError, match="not Python source"):
        read_wording(path)
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="no prompt sentence"):
        read_wording(path)


@pytest.mark.parametrize("form", ["igakuqa", "exam"])
def test_worked_examples_of_a_file(tmp_path: Path, form: str) -> None:
    keys = ("problem_id", "problem_text") if form == "igakuqa" else ("id", "question")
    row = {keys[0]: "100E5", keys[1]: "どれか。", "choices": ["甲", "乙"], "answer": ["b"]}
    path = tmp_path / "shots.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    (shot,) = read_shots(path)
    assert (shot.answer, shot.question) == (("B",), "どれか。")
    path.write_text(json.dumps(row | {"answer": ["z"]}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 1"):
        read_shots(path)


def test_a_source_in_which_several_sentences_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompts.py"
    messages = '{"role": "system", "content": "%s"}'
    for source, said in (
        (f"a = {messages % '試験です。'}\nb = {messages % '問題を解きます。'}\n", "several sentences could be exam"),
        (f"a = {messages % '这是考试。'}\n", "not Japanese"),
        ('"Today is {}. ".format(date)\n', "not Japanese"),
        ('system_prompt = "一つ。"\nsystem_prompt = "二つ。"\nsystem_prompt = "三つ。"\n', "several"),
    ):
        path.write_text(source, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            read_wording(path)
    system = messages % "試験です。"
    path.write_text(f'"date {{}}".format(x)\n"ちょうど{{}}個。".format(n)\na = {system}\n', encoding="utf-8")
    wording = read_wording(path)
    assert told(wording) == ["wording, exam: 試験です。", "wording, pick: ちょうど{}個。"]


def test_the_number_of_answers_is_not_told_where_the_question_does_not() -> None:
    item = Item("1", "exam", "choice", "すべて選べ。", ("甲", "乙"), ("A",), document="すべて選べ。", wanted=0)
    text = conversation(item, Wording())[-1]["content"]
    assert "すべて" in text.split("\n")[-2] and "1" not in text and "ちょうど" not in text


def test_published_prompts_keep_white_space(tmp_path: Path) -> None:
    """As the files have it, byte for byte; our own layout leaves it out."""
    (tmp_path / "smdis.csv").write_text('tag,question,optionA,optionB,answer\nx,"陽性か。 \n「咳」 ", 陽性,陰性 ,A\n')
    (item,) = load_test(Jmed(path=str(tmp_path), tasks=("smdis",)))["smdis"]
    assert conversation(item, Wording())[1]["content"] == "質問: 陽性か。 \n「咳」 \n選択肢:\nA.  陽性\nB. 陰性 \n"
    assert (item.question, item.choices) == ("陽性か。 \n「咳」", ("陽性", "陰性"))
