import json
from collections import Counter
from pathlib import Path

import pytest

from igakulm.files import write_jsonl
from igakulm.recipe.schema import Chats
from igakulm.synth.exam_item import has_fixed_order
from igakulm.synth.exams import (
    FORMS,
    STYLES,
    TOPICS,
    ExamItem,
    exam_prompt,
    exam_row,
    parse_exam,
    render_exam,
    shuffle_options,
)
from igakulm.tasks.chats import read_chats
from igakulm.tasks.exams import read_exam

OPTIONS = ("血糖値の測定", "脳波検査", "胸部エックス線撮影", "聴力検査", "視野検査")
ITEM = ExamItem(
    "糖尿病の診断に用いる検査はどれか。",
    OPTIONS,
    ("A",),
    "糖尿病は慢性の高血糖を示す病気であり、血糖値の測定によって診断する。ほかの検査は血糖の状態を示さない。",
)


def written(**changes: object) -> str:
    fields = {
        "question": ITEM.question,
        "options": list(OPTIONS),
        "explanation": ITEM.explanation,
        "answer": ["a"],
        **changes,
    }
    return json.dumps(fields, ensure_ascii=False)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", ["disease", "drug"])
def test_each_style_asks_for_every_topic_and_form(style: str, kind: str) -> None:
    prompts = [exam_prompt("アスピリン", kind, style, seed) for seed in range(400)]
    forms = Counter(prompt.name.rpartition("/")[2] for prompt in prompts)
    assert set(forms) == set(FORMS)
    assert forms["case"] + forms["case-two"] > 80, "a third of the questions are cases"
    text = "\n".join(prompt.messages[-1]["content"] for prompt in prompts)
    assert all(topic in text for topic in TOPICS[style][kind])
    assert "「アスピリン」" in text
    assert not any("{term}" in message["content"] for prompt in prompts for message in prompt.messages)
    assert not any("{right}" in message["content"] for prompt in prompts for message in prompt.messages)
    assert prompts == [exam_prompt("アスピリン", kind, style, seed) for seed in range(400)]


def test_the_schema_wants_as_many_answers_as_the_question() -> None:
    for seed in range(60):
        prompt = exam_prompt("糖尿病", "disease", "physician", seed)
        assert prompt.schema is not None
        answer = prompt.schema["properties"]["answer"]
        two = prompt.name.endswith("two")
        assert (answer["minItems"], answer["maxItems"]) == ((2, 2) if two else (1, 1))
        assert all(("2つ選べ" in message["content"]) == two for message in prompt.messages[1:])
        assert ("二つ入れる" in prompt.messages[-1]["content"]) == two
        assert prompt.schema["properties"]["options"]["maxItems"] == 5
        json.dumps(prompt.schema)


@pytest.mark.parametrize(
    "text",
    [
        written(),
        "<think>考える</think>\n```json\n" + written() + "\n```",
        "次の問題を作りました。\n" + written() + "\n以上です。",
        written(answer="ａ"),
        written(answer="正解：ａ"),
        written(answer=["１"]),
        written(answer=1),
        written(answer="①"),
        written(answer=["A. 血糖値の測定"]),
        written(answer="血糖値の測定"),
        written(options=dict(zip("abcde", OPTIONS, strict=True))),
        written(options=[f"{letter}．{option}" for letter, option in zip("ａｂｃｄｅ", OPTIONS, strict=True)]),
        written(options=[f"{circle}{option}" for circle, option in zip("①②③④⑤", OPTIONS, strict=True)]).replace(
            "①血糖値", "① 血糖値"
        ),
        written(options=[{"label": letter, "text": option} for letter, option in zip("abcde", OPTIONS, strict=True)]),
        written().replace('"question"', '"問題文"').replace('"options"', '"選択肢"').replace('"answer"', '"正解"'),
        written().replace("]", ",]"),
        json.dumps({"item": json.loads(written())}, ensure_ascii=False),
        "問題：糖尿病の診断に用いる検査はどれか。\na. 血糖値の測定\nb. 脳波検査\nc. 胸部エックス線撮影\nd. 聴力検査\n"
        f"e. 視野検査\n正解：ａ\n解説：{ITEM.explanation}",
        "【問題】\n糖尿病の診断に用いる検査はどれか。\n【選択肢】\n１．血糖値の測定\n２．脳波検査\n３．胸部エックス線撮影\n"
        f"４．聴力検査\n５．視野検査\n【正答】１\n【解説】\n{ITEM.explanation}",
    ],
)
def test_every_way_of_writing_an_item_is_read(text: str) -> None:
    assert parse_exam(text) == ITEM


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed_item"),
        ("申し訳ありませんが、お答えできません。", "malformed_item"),
        (written()[:-40], "malformed_item"),
        (written(question=""), "malformed_item"),
        (written(question=None), "malformed_item"),
        (written(explanation=""), "malformed_item"),
        (written(options=["甲", "", "丙", "丁", "戊"]), "malformed_item"),
        (written(options=[["甲"], "乙", "丙", "丁", "戊"]), "malformed_item"),
        (written(options=list(OPTIONS[:4])), "options_count"),
        (written(options=[*OPTIONS, "血圧測定"]), "options_count"),
        (written(answer=[]), "answer_missing"),
        (written(answer=None), "answer_missing"),
        (written(answer="f"), "answer_not_among_options"),
        (written(answer=0), "answer_not_among_options"),
        (written(answer=6), "answer_not_among_options"),
        (written(answer=True), "answer_not_among_options"),
        (written(answer="わからない"), "answer_not_among_options"),
        (written(answer="血圧測定"), "answer_not_among_options"),
        (written(answer=["a", "z"]), "answer_not_among_options"),
        ("[" * 50_000, "malformed_item"),
        ('{"question":' * 3000, "malformed_item"),
    ],
)
def test_what_is_no_item_has_a_reason(text: str, reason: str) -> None:
    assert parse_exam(text) == reason


@pytest.mark.parametrize(
    "answer", ["a,c", "ａ、ｃ", ["c", "a"], "ac", "aとc", "正解は a および c です。", [1, 3], "①、③"]
)
def test_two_answers_are_sorted_letters(answer: object) -> None:
    found = parse_exam(written(answer=answer))
    assert isinstance(found, ExamItem) and found.answer == ("A", "C")


def test_options_that_are_numbers_are_answered_by_their_words() -> None:
    found = parse_exam(written(options=["5", "4", "3", "2", "1"], answer="1"))
    assert isinstance(found, ExamItem) and found.answer == ("E",)


def test_a_letter_that_belongs_to_an_option_stays() -> None:
    options = ["A型肝炎ウイルス", "B型肝炎ウイルス", "C型肝炎ウイルス", "D型肝炎ウイルス", "E型肝炎ウイルス"]
    found = parse_exam(written(options=options))
    assert isinstance(found, ExamItem) and found.options == tuple(options)


def test_shuffling_moves_the_answer_with_its_option_and_makes_places_even() -> None:
    two = ExamItem("問", OPTIONS, ("A", "D"), "")
    places: Counter[str] = Counter()
    for seed in range(500):
        moved = shuffle_options(ITEM, seed)
        assert sorted(moved.options) == sorted(OPTIONS)
        assert moved.options["ABCDE".index(moved.answer[0])] == OPTIONS[0]
        assert moved.written == shuffle_options(moved, seed + 1).written == ("A",), "the first place is remembered"
        places[moved.answer[0]] += 1
        both = shuffle_options(two, seed)
        assert {both.options["ABCDE".index(letter)] for letter in both.answer} == {OPTIONS[0], OPTIONS[3]}
        assert list(both.answer) == sorted(both.answer)
    assert min(places[letter] for letter in "ABCDE") > 70
    assert shuffle_options(ITEM, 3) == shuffle_options(ITEM, 3)


@pytest.mark.parametrize(
    "explanation",
    [
        "選択肢aは正しい。",
        "正解はｂである。",
        "a. 正しい。\nb. 誤り。",
        "（ｃ）は誤りである。",
        "bは誤りで、dも誤り。",
        "3番目が正しい。",
    ],
)
def test_an_item_whose_explanation_speaks_of_letters_keeps_its_order(explanation: str) -> None:
    item = ExamItem("問", OPTIONS, ("A",), explanation)
    assert all(shuffle_options(item, seed) == item for seed in range(5))


@pytest.mark.parametrize("option", ["上記のすべて", "いずれも正しい", "aとb"])
def test_an_item_with_an_option_about_options_keeps_its_order(option: str) -> None:
    assert has_fixed_order(ExamItem("問", (*OPTIONS[:4], option), ("A",), "理由を述べる。"))


@pytest.mark.parametrize(
    "explanation",
    ["ビタミンB1とビタミンDが不足する。", "HbA1cは過去の血糖を示す。", "A型肝炎は経口感染する。", "IgE抗体が関わる。"],
)
def test_letters_in_names_do_not_fix_the_order(explanation: str) -> None:
    assert not has_fixed_order(ExamItem("問", OPTIONS, ("A",), explanation))


def test_a_rendered_item_is_read_back() -> None:
    for item in (ITEM, ExamItem("どれか。2つ選べ。", OPTIONS, ("B", "E"), "理由を述べる。\n続きを述べる。")):
        assert parse_exam(render_exam(item)) == item


def test_rows_are_chats_to_tune_on_and_an_examination(tmp_path: Path) -> None:
    items = [ITEM, ExamItem("誤っているのはどれか。2つ選べ。", OPTIONS, ("B", "E"), "理由を述べる。")]
    path = tmp_path / "exams.jsonl"
    write_jsonl(path, map(exam_row, items))
    read = read_exam(path, "synthetic")
    assert [(item.question, item.choices, item.answer) for item in read] == [
        (item.question, item.options, item.answer) for item in items
    ]
    chats = read_chats([Chats(path=str(path))])
    assert [chat.messages[-1]["content"] for chat in chats] == ["A", "B,E"]
    moved = shuffle_options(items[1], 0)
    assert exam_row(moved)["answer"] == list(moved.answer) != ["B", "E"]
    assert [exam_row(item)["answer_written"] for item in (moved, items[1])] == [["B", "E"]] * 2
    assert chats[0].messages[0]["content"].startswith(f"{ITEM.question}\nA. 血糖値の測定")
    assert chats[0].documents != chats[1].documents
