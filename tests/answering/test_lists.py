"""Lists of strings in answers: tolerant, and nothing is evaluated."""

import math
from pathlib import Path

import pytest

from igakulm.answering.lists import Hold, ListAnswer, ListQuestion, ask_for_lists
from igakulm.errors import InputError
from igakulm.inference.constraint import ListOf
from igakulm.inference.transformers import load_engine
from igakulm.text.lists import goes_round, list_items
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_model

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


def ask(engine: ScriptedEngine, longest: int = 50, hold: Hold = "document") -> ListAnswer:
    (answer,) = ask_for_lists(engine, TINY, [ListQuestion([TINY.bos], longest, "咳と熱")], hold=hold)
    return answer


def test_every_answer_is_held() -> None:
    engine = ScriptedEngine(TINY, '["咳"]')
    assert ask(engine).items == ("咳",) and ask(engine, hold="json").items == ("咳",)
    assert [sampling.constraint for sampling in engine.samplings] == [ListOf("咳と熱"), ListOf()]
    assert {sampling.temperature for sampling in engine.samplings} == {0}


def test_an_answer_s_probability_is_that_of_all_its_tokens() -> None:
    (answer,) = ask_for_lists(
        ScriptedEngine(TINY, '["咳"]'), TINY, [ListQuestion([TINY.bos], 50, "咳と熱")], weighed=True
    )
    assert answer.items == ("咳",) and answer.probability == pytest.approx(math.exp(-0.5 * answer.tokens))
    assert ask(ScriptedEngine(TINY, '["咳"]')).probability is None


def test_an_answer_that_ends_in_the_middle_says_so() -> None:
    answer = ask(ScriptedEngine(TINY, '["咳", "熱", "咳'))
    assert answer.items == ("咳", "熱") and answer.cut
    assert not ask(ScriptedEngine(TINY, "咳です")).cut


def test_a_prompt_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="the model reads 10"):
        ask_for_lists(ScriptedEngine(TINY, "[]", context_length=10), TINY, [ListQuestion([TINY.bos] * 11, 5, "")])


def test_the_limit_of_length_cuts() -> None:
    answer = ask(ScriptedEngine(TINY, '["発熱", "咳嗽"]'), 4)
    assert answer.cut and answer.tokens == 4


def test_a_real_model_s_probability_is_what_it_scores_for_the_answer(tmp_path: Path) -> None:
    write_model(tmp_path)
    engine = load_engine(tmp_path, precision="fp32", device="cpu")
    questions = [ListQuestion([TINY.bos, *TINY.encode(text)], 12, text) for text in ("咳と熱", "頭が痛い")]
    plain = ask_for_lists(engine, TINY, questions)
    weighed = ask_for_lists(engine, TINY, questions, weighed=True)
    assert [one.text for one in weighed] == [one.text for one in plain]
    for question, one in zip(questions, weighed, strict=True):
        (made,) = engine.generate([question.prompt], 12, TINY.stops, constraints=[ListOf(question.document)])
        ((scored,),) = engine.score([question.prompt], [[made]])
        assert one.probability == pytest.approx(math.exp(scored.log_probability), rel=1e-4)
