"""Lists of strings in answers: tolerant, and nothing is evaluated."""

import pytest

from igakulm.answering.lists import LIST_SCHEMA, ask_for_list
from igakulm.errors import InputError
from igakulm.text.lists import goes_round, list_items
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('["発熱", "咳"]', ("発熱", "咳")),
        ("['発熱', '咳']", ("発熱", "咳")),
        ('  ```json\n["発熱"]\n```', ("発熱",)),
        ("はい。['発熱'] です。", ("発熱",)),
        ('["発熱", "咳', ("発熱",)),
        ('["発熱", "咳",', ("発熱", "咳")),
        ('["発熱", ["咳"]]', None),
        ('[" 発熱 ", "", "発熱"]', ("発熱",)),
        ('["\\u767a\\u71b1"]', ("発熱",)),
        ('["\\ud83d"]', ("\ufffd",)),
        ("[]", ()),
        ("[5]", ("5",)),
        ("発熱、咳", None),
        ("", None),
        ("[", None),
        ("__import__('os').system('true')", None),
        ("[__import__('os')]", None),
        ("[" * 5000, None),
    ],
)
def test_reading(text: str, items: tuple[str, ...] | None) -> None:
    assert list_items(text) == items


def test_a_circle_is_seen_and_a_long_list_is_none() -> None:
    assert not goes_round("[" + ", ".join(f'"所見{n}"' for n in range(100)))
    assert goes_round('["咳", "熱"' + ', "咳", "熱"' * 4)
    assert not goes_round('["咳", "熱"' + ', "咳", "熱"' * 3)


def test_an_entry_without_end_is_seen_and_a_long_one_is_none() -> None:
    assert goes_round('["' + "２ＬＴＬ" * 20)
    assert not goes_round('["' + "２ＬＴＬ" * 20 + "である")
    assert not goes_round('["' + "".join(map(str, range(100))))


def test_an_answer_in_circles_is_ended_and_says_so() -> None:
    said = "[" + '"咳", ' * 200
    engine = ScriptedEngine(TINY, said, context_length=4000)
    answer = ask_for_list(engine, TINY, [TINY.bos], 3000)
    assert answer.items == ("咳",) and answer.cut and answer.tokens < 200 < len(engine.tokens)
    assert engine.closed == 1


def test_the_schema_is_asked_for_and_given_up_where_an_engine_has_none() -> None:
    engine = ScriptedEngine(TINY, '["咳"]')
    assert ask_for_list(engine, TINY, [TINY.bos], 50).items == ("咳",)
    assert engine.samplings[0].schema == LIST_SCHEMA
    engine = ScriptedEngine(TINY, '["咳"]')
    engine.schemas = False
    assert ask_for_list(engine, TINY, [TINY.bos], 50).items == ("咳",)
    assert [sampling.schema for sampling in engine.samplings] == [None]
    ask_for_list(engine, TINY, [TINY.bos], 50, constrained=False)
    assert engine.samplings[-1].schema is None and engine.samplings[-1].temperature == 0


def test_a_prompt_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="the model reads 10"):
        ask_for_list(ScriptedEngine(TINY, "[]", context_length=10), TINY, [TINY.bos] * 11, 5)


def test_the_limit_of_length_cuts() -> None:
    answer = ask_for_list(ScriptedEngine(TINY, '["発熱", "咳嗽"]'), TINY, [TINY.bos], 4)
    assert answer.cut and answer.tokens == 4
