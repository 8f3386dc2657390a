from dataclasses import replace

import pytest

from igakulm.synth.exams import ExamItem
from igakulm.synth.verify import agrees, parse_verdict, verify_prompt

ITEM = ExamItem(
    "正しいのはどれか。2つ選べ。", ("甲薬", "乙薬", "丙薬", "丁薬", "戊薬"), ("B", "D"), "乙薬と丁薬が正しい。"
)


def test_the_key_is_not_shown() -> None:
    prompt = verify_prompt(ITEM, 0)
    text = "\n".join(message["content"] for message in prompt.messages)
    assert ITEM.explanation not in text and "乙薬と" not in text
    assert "正しいのはどれか。2つ選べ。\na. 甲薬\nb. 乙薬\nc. 丙薬\nd. 丁薬\ne. 戊薬" in text
    # Nothing but the item itself may tell how many or which are right.
    other = ExamItem(ITEM.question, ITEM.options, ("A",), "別の解説。")
    assert verify_prompt(other, 0) == prompt


@pytest.mark.parametrize(
    ("question", "least", "most"),
    [("どれか。", 1, 1), ("どれか。２つ選べ。", 2, 2), ("3つ選べ。", 3, 3), ("正しいものをすべて選べ。", 1, 5)],
)
def test_the_schema_wants_what_the_question_says(question: str, least: int, most: int) -> None:
    # The key is not asked: it has two letters in every case.
    schema = verify_prompt(replace(ITEM, question=question), 0).schema
    assert schema is not None
    answer = schema["properties"]["answer"]
    assert (answer["minItems"], answer["maxItems"], answer["items"]["enum"]) == (least, most, list("abcde"))


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ('{"reason": "理由", "answer": ["b", "d"]}', ("B", "D")),
        ('<think>{"answer": ["a"]}</think>{"reason": "", "answer": ["ｄ", "Ｂ"]}', ("B", "D")),
        ('```json\n{"answer": "b,d"}\n```', ("B", "D")),
        ('最初は {"answer": ["a"]} と思ったが {"answer": ["c"]}', ("C",)),
        ("考え方：甲薬は古い。\n正解：ｂ、ｄ", ("B", "D")),
        ("正解は b と d です。", ("B", "D")),
        ("b", ("B",)),
        ("②", ("B",)),
        ("2", ("B",)),
        ("", None),
        ("わかりません。", None),
        ("正解：f", None),
        ('{"answer": []}', None),
        ('{"answer": ["x"]}', None),
        ('{"answer": {"b": true}}', None),
        ("a も b も正しいように思われる。", None),
    ],
)
def test_a_verdict_is_read_or_it_is_none(text: str, letters: tuple[str, ...] | None) -> None:
    assert parse_verdict(text) == letters


@pytest.mark.parametrize(
    ("letters", "same"),
    [(("B", "D"), True), (("D", "B"), True), (("B",), False), (("B", "D", "E"), False), (None, False)],
)
def test_agreement_is_exact(letters: tuple[str, ...] | None, same: bool) -> None:
    assert agrees(ITEM, letters) is same
