"""Training rows as the model reads them: answers stand in the prepared message, on all of JMED-LLM too."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igakulm.errors import InputError
from igakulm.recipe.schema import Jmed
from igakulm.tasks.benchmarks import jmed
from igakulm.tasks.conversation import conversation_of_chat, conversation_of_item
from igakulm.tasks.items import Item
from igakulm.text.cleaning import clean_text
from igakulm.text.prepared import Form

FORMS: tuple[Form, ...] = ("cleaned", "width", "raw")
AWKWARD = "ＣＴ１.．,，、。ー-ｶﾞﾊﾟ①㎎5°C…Ⅱ 　「」\n\u200b😀がか\u3099熱"


def entities(document: str, *answer: str) -> Item:
    return Item("7", "finding", "entities", f"所見は？\n「{document}」", (), answer, document)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from(AWKWARD), min_size=1, max_size=30), st.data(), st.sampled_from(FORMS))
def test_every_string_of_an_answer_stands_in_the_message(document: str, data: st.DataObject, form: Form) -> None:
    first = data.draw(st.integers(0, len(document) - 1))
    last = data.draw(st.integers(first + 1, len(document)))
    turns = conversation_of_item(entities(document, document[first:last]), form, "row")
    question, answer = (message["content"] for message in turns.messages)
    strings = json.loads(answer)
    assert len(strings) + len(turns.lost) == 1
    assert all(string in question for string in strings)
    if form == "raw" and document[first:last].strip():
        assert strings == [document[first:last]]


def test_every_answer_of_jmed_stands_in_its_message(real_data: Path) -> None:
    items = [item for rows in jmed.load_train(Jmed(path=str(real_data / "jmed-llm"))).values() for item in rows]
    found = 0
    for item in items:
        if item.kind == "entities":
            turns = conversation_of_item(item, "cleaned", item.id)
            question, answer = (message["content"] for message in turns.messages)
            strings = json.loads(answer)
            assert not turns.lost and all(string in question for string in strings)
            assert {clean_text(string) for string in strings} == {clean_text(string) for string in item.answer}
            found += len(strings)
    assert found > 4000


def test_a_conversation_is_prepared_message_by_message() -> None:
    messages = [
        {"role": "system", "content": "短く．"},
        {"role": "user", "content": "所見は？「ＣＴで肺炎...」"},
        {"role": "assistant", "content": json.dumps(["ＣＴ", "肺炎..."], ensure_ascii=False)},
        {"role": "user", "content": "ＣＲＰは？"},
        {"role": "assistant", "content": "１２㎎／㎗"},
    ]
    made = [message["content"] for message in conversation_of_chat(messages, "cleaned", "line 1").messages]
    assert made == ["短く。", "所見は?「CTで肺炎…」", '["CT", "肺炎…"]', "CRPは?", "12mg/dl"]
    assert [message["content"] for message in conversation_of_chat(messages, "raw", "line 1").messages] == [
        message["content"] for message in messages
    ]


@pytest.mark.parametrize("answer", ['["咳", "熱"]', '["咳"', "[1]", '{"a": 1}', "[" * 5000])
def test_an_answer_that_is_no_list_of_parts_of_the_message_is_text(answer: str) -> None:
    messages = [{"role": "user", "content": "咳"}, {"role": "assistant", "content": answer}]
    assert conversation_of_chat(messages, "cleaned", "line 1").messages[1]["content"] == clean_text(answer)


def test_what_preparing_leaves_nothing_of() -> None:
    turns = conversation_of_item(entities("熱😀", "熱", "😀"), "cleaned", "row")
    assert (turns.messages[1]["content"], turns.lost) == ('["熱"]', ("😀",))
    messages = [{"role": "user", "content": "😀"}, {"role": "assistant", "content": "はい"}]
    with pytest.raises(InputError, match="nothing is left") as caught:
        conversation_of_chat(messages, "cleaned", "line 3")
    assert caught.value.where == "line 3"
