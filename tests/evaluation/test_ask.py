"""Asking: letters by probability, free text, base models in plain text, and prompts that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from character_model import CharacterEncoder, RuleEngine
from igakulm.benchmarks.items import Item
from igakulm.evaluation.ask import GENERATE, OPTIONS, Asker, ask

CHOICE = Item("1", "t", "choice", "どれか。\n「経過は良好」", ("甲", "乙", "丙"), ("A",), document="経過は良好")
LIST = Item("2", "t", "entities", "所見は。\n「咳がある」", (), ("咳",), document="咳がある")
NUMBER = Item("3", "t", "number", "いくつか。", (), ("720",), document="いくつか。")


def asker(engine: RuleEngine, *, chat: bool = True, answer: str = "options", tokens: int = 50) -> Asker:
    return Asker(engine, CharacterEncoder.load(Path()), chat, answer, tokens)


def nothing(count: int) -> None:
    """Progress that is not looked at."""


def test_letters_are_scored_and_the_rest_is_written_in_the_order_of_the_items() -> None:
    engine = RuleEngine(rank="CABDE", text="['咳', '熱']")
    two = Item("4", "t", "choice", "二つ選べ。", ("甲", "乙", "丙"), ("A", "B"), wanted=2)
    counts: list[int] = []
    replies = ask(asker(engine), [LIST, CHOICE, two], counts.append)
    assert [reply.parsed for reply in replies] == [("咳", "熱"), ("C",), ("A", "C")]
    assert [reply.mode for reply in replies] == [GENERATE, OPTIONS, OPTIONS]
    assert [reply.text for reply in replies] == ["['咳', '熱']", "C", "A,C"]
    assert sum(counts) == 3
    chat = engine.prompts[0]
    assert (chat[0], chat[1], chat[-1]) == (CharacterEncoder.bos, CharacterEncoder.user, CharacterEncoder.assistant)
    assert engine.stops == [(CharacterEncoder.eos,)]


def test_equal_probabilities_give_the_first_letter() -> None:
    class Even(RuleEngine):
        rank = "x"

        def __init__(self) -> None:
            super().__init__()
            self.rank = type("Same", (str,), {"index": lambda self, letter: 0})("")

    assert ask(asker(Even()), [CHOICE], nothing)[0].parsed == ("A",)


def test_free_text_is_parsed_in_both_ways() -> None:
    (reply,) = ask(asker(RuleEngine(text="ANSWER: C"), answer="generate"), [CHOICE], nothing)
    assert (reply.parsed, reply.upstream, reply.mode) == (("C",), ("A",), GENERATE)
    (reply,) = ask(asker(RuleEngine(text="わからない"), answer="generate"), [CHOICE], nothing)
    assert reply.parsed is None
    (reply,) = ask(asker(RuleEngine(text="答え：7.20")), [NUMBER], nothing)
    assert reply.parsed == ("720",)


def test_a_base_model_gets_plain_text_and_stops_at_the_line_s_end() -> None:
    engine = RuleEngine()
    (reply,) = ask(asker(engine, chat=False), [LIST], nothing)
    assert reply.prompt == "所見は。\n「咳がある」\n答え："
    assert engine.prompts == [[CharacterEncoder.bos, *CharacterEncoder().encode(reply.prompt)]]
    assert engine.stops == [(CharacterEncoder.eos, CharacterEncoder.newline)]


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("room", [60, 40, 30])
def test_long_prompts_lose_the_front_of_the_document_and_no_more_than_needed(chat: bool, room: int) -> None:
    long = Item("1", "t", "entities", "所見は。\n「" + "古" * 100 + "新」", (), ("咳",), document="古" * 100 + "新")
    engine = RuleEngine(context_length=room + 5)
    (reply,) = ask(asker(engine, chat=chat, tokens=5), [long], nothing)
    assert reply.truncated
    assert reply.prompt.startswith("所見は。\n「古") and "新」" in reply.prompt
    assert len(engine.prompts[0]) == room


def test_a_prompt_without_a_document_in_it_loses_the_front_of_the_question() -> None:
    engine = RuleEngine(context_length=21)
    item = Item("1", "t", "choice", "前" * 50 + "問い", ("甲", "乙"), ("A",), document="別の文")
    (reply,) = ask(asker(engine), [item], nothing)
    assert reply.truncated and "問い" in reply.prompt and len(engine.prompts[0]) == 20


def test_even_options_that_do_not_fit_are_no_error() -> None:
    engine = RuleEngine(context_length=8)
    item = Item("1", "t", "choice", "問い", ("甲" * 50, "乙" * 50), ("A",))
    (reply,) = ask(asker(engine), [item], nothing)
    assert reply.truncated and len(engine.prompts[0]) == 7


def test_a_prompt_that_just_fits_is_left_alone() -> None:
    whole = RuleEngine()
    ask(asker(whole), [CHOICE], nothing)
    exact = RuleEngine(context_length=len(whole.prompts[0]) + 1)
    (reply,) = ask(asker(exact), [CHOICE], nothing)
    assert not reply.truncated and exact.prompts == whole.prompts


def test_no_items() -> None:
    assert ask(asker(RuleEngine()), [], nothing) == []
