"""Asking: letters and texts by probability, free text, base models in plain text, prompts that do not fit, resuming."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from character_model import CharacterEncoder, RuleEngine, opened
from igakulm.asking.client import ResponseStore
from igakulm.errors import InputError
from igakulm.evaluation.ask_items import Reply, ask
from igakulm.evaluation.ask_tokens import CHUNK
from igakulm.evaluation.kept import KeptAnswers
from igakulm.evaluation.manner import GENERATE, OPTIONS, OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED, Answer, Manner
from igakulm.inference.engine import Continuation, EngineFailed, TextAnswer, TextRequest
from igakulm.tasks.items import Item
from igakulm.tasks.wording import Wording

CHOICE = Item("1", "t", "choice", "どれか。\n「経過は良好」", ("甲", "乙", "丙"), ("A",), document="経過は良好")
LIST = Item("2", "t", "entities", "所見は。\n「咳がある」", (), ("咳",), document="咳がある")
NUMBER = Item("3", "t", "number", "いくつか。", (), ("720",), document="いくつか。")
EXAM = Item("4", "exam", "choice", "二つ選べ。", ("甲", "乙", "丙"), ("A", "B"), document="二つ選べ。", wanted=2)


DEFAULT = Manner(max_new_tokens=50)
SHORT = Wording(entities="列", choice="字")


def nothing(count: int) -> None:
    """Progress that is not looked at."""


def replies(
    engine: RuleEngine,
    items: Sequence[Item],
    manner: Manner = DEFAULT,
    done: Callable[[int], None] = nothing,
    *,
    chat: bool = True,
) -> list[Reply]:
    """The replies of the only mode."""
    (found,) = ask(opened(engine, chat=chat), items, manner, KeptAnswers(), done).values()
    return found


def test_letters_are_scored_and_the_rest_is_written_in_the_order_of_the_items() -> None:
    engine = RuleEngine(rank="CABDE", text="['咳', '熱']")
    counts: list[int] = []
    found = replies(engine, [LIST, CHOICE, EXAM], done=counts.append)
    assert [reply.parsed for reply in found] == [("咳", "熱"), ("C",), ("A", "C")]
    assert [reply.mode for reply in found] == [GENERATE, OPTIONS, OPTIONS]
    assert [reply.text for reply in found] == ["['咳', '熱']", "C", "A,C"]
    assert sum(counts) == 3
    chat = engine.prompts[0]
    assert (chat[0], chat[1], chat[-1]) == (CharacterEncoder.bos, CharacterEncoder.user, CharacterEncoder.assistant)
    assert engine.stops == [(CharacterEncoder.eos,)]


def test_equal_probabilities_give_the_first_letter() -> None:
    class Even(RuleEngine):
        def __init__(self) -> None:
            super().__init__()
            self.rank = type("Same", (str,), {"index": lambda self, letter: 0})("")

    assert replies(Even(), [CHOICE])[0].parsed == ("A",)


def test_the_options_texts_compete_as_they_are_and_per_byte() -> None:
    engine = RuleEngine(rank="XYZAB")
    item = Item("1", "t", "choice", "どれか。", ("YY", "ZZZZ", "", "ZZ"), ("B",))
    found = ask(opened(engine), [item, LIST], Manner(answer="options-text"), KeptAnswers(), nothing)
    # Costs: YY 2, ZZZZ 8, ZZ 4; per byte 1, 2, 2. The option without text has no value.
    assert list(found) == [OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED]
    assert [modes[0].parsed for modes in found.values()] == [("A",), ("A",)]
    longer = Item("1", "t", "choice", "どれか。", ("Z", "YYYY"), ("B",))
    both = ask(opened(engine), [longer], Manner(answer="options-text"), KeptAnswers(), nothing)
    assert [modes[0].parsed for modes in both.values()] == [("A",), ("B",)]
    assert "A. " not in found[OPTIONS_TEXT][0].prompt, "the options are not listed: they compete as answers"


def test_tasks_without_options_are_generated_in_every_mode() -> None:
    found = ask(opened(RuleEngine()), [LIST], Manner(answer="options-text"), KeptAnswers(), nothing)
    assert list(found) == [GENERATE]


def test_free_text_is_parsed_in_both_ways() -> None:
    generate = Manner(answer="generate")
    (reply,) = replies(RuleEngine(text="ANSWER: C"), [CHOICE], generate)
    assert (reply.parsed, reply.upstream, reply.mode) == (("C",), ("A",), GENERATE)
    (reply,) = replies(RuleEngine(text="わからない"), [CHOICE], generate)
    assert reply.parsed is None
    (reply,) = replies(RuleEngine(text="答え：7.20"), [NUMBER])
    assert reply.parsed == ("720",)


@pytest.mark.parametrize("plain", [True, False])
def test_a_model_without_chat_tokens_gets_plain_text_and_stops_at_the_line_s_end(plain: bool) -> None:
    engine = RuleEngine()
    (reply,) = replies(engine, [LIST], Manner(plain=plain), chat=plain)
    assert reply.prompt == "所見は。\n「咳がある」\n答え："
    assert engine.prompts == [[CharacterEncoder.bos, *CharacterEncoder().encode(reply.prompt)]]
    assert engine.stops == [(CharacterEncoder.eos, CharacterEncoder.newline)]


def test_published_examination_prompts_use_small_letters_and_examples() -> None:
    engine = RuleEngine(rank="CABDE")
    shot = Item("s", "shots", "choice", "例題。", ("子", "丑"), ("B",), document="例題。")
    manner = Manner(style="published", shots=(shot,))
    (reply,) = replies(engine, [EXAM], manner)
    assert reply.parsed == ("A", "C")
    assert "問題: 例題。\na: 子\nb: 丑\n" in reply.prompt and "\n\nb\n\n問題: 二つ選べ。\na: 甲" in reply.prompt
    assert manner.prompt_style(EXAM, chat=True) == "published-1-shot"
    assert manner.prompt_style(CHOICE, chat=True) == "published", "only examinations have worked examples"


def test_examples_are_dropped_before_the_question_is_cut() -> None:
    shot = Item("s", "shots", "choice", "例" * 100, ("子", "丑"), ("B",), document="例" * 100)
    engine = RuleEngine(context_length=120)
    (reply,) = replies(engine, [EXAM], Manner(style="published", shots=(shot,)))
    assert reply.truncated and "例例" not in reply.prompt and "問題: 二つ選べ。" in reply.prompt


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("room", [60, 40, 30])
def test_long_prompts_lose_the_front_of_the_document_and_no_more_than_needed(chat: bool, room: int) -> None:
    long = Item("1", "t", "entities", "所見は。\n「" + "古" * 100 + "新」", (), ("咳",), document="古" * 100 + "新")
    engine = RuleEngine(context_length=room + 5)
    (reply,) = replies(engine, [long], Manner("published", max_new_tokens=5, wording=SHORT), chat=chat)
    assert reply.truncated
    assert "所見は。\n「古" in reply.prompt and "新」" in reply.prompt
    assert len(engine.prompts[0]) == room


@pytest.mark.parametrize("chat", [True, False])
def test_long_documents_are_asked_in_pieces_in_our_layout(chat: bool) -> None:
    text = "".join(f"{n}日目は咳がある。" for n in range(20))
    long = Item("1", "t", "entities", f"所見は。\n「{text}」", (), ("咳",), document=text)
    engine = RuleEngine(context_length=80)
    counts: list[int] = []
    (reply, other) = replies(engine, [long, LIST], done=counts.append, chat=chat)
    assert not reply.truncated and reply.parsed == other.parsed == ("咳",) and sum(counts) == 2
    assert len(engine.prompts) > 3 and all(len(prompt) <= 80 - 80 // 3 for prompt in engine.prompts)
    assert reply.prompt.startswith(long.question) and reply.text.count("\n") == len(engine.prompts) - 2


def test_an_item_that_cannot_be_asked_says_why() -> None:
    (reply,) = replies(RuleEngine(context_length=12), [LIST])
    assert reply.parsed is None and "too few for this task" in reply.failure


def test_lists_are_given_back_as_the_document_writes_them() -> None:
    item = Item("2", "t", "entities", "所見は。\n「ＣＲＰ上昇、咳」", (), ("ＣＲＰ上昇",), document="ＣＲＰ上昇、咳")
    model = replace(opened(RuleEngine(text='["CRP上昇", "熱"]')), preparation="cleaned")
    (found,) = ask(model, [item], DEFAULT, KeptAnswers(), nothing).values()
    assert found[0].parsed == found[0].upstream == ("ＣＲＰ上昇", "熱")
    assert found[0].prompt == "所見は。\n「CRP上昇、咳」"


def test_two_answers_are_the_likeliest_set_and_not_the_likeliest_letters() -> None:
    class Pairs(RuleEngine):
        def _value(self, option: Sequence[int]) -> Continuation:
            text = CharacterEncoder().decode(option)
            return Continuation({"A,B": -3.0, "A,C": -1.0, "B,C": -2.0}[text], len(option))

    assert replies(Pairs(), [EXAM])[0].parsed == ("A", "C")


@pytest.mark.parametrize("answer", ["options", "options-text", "generate"])
@pytest.mark.parametrize(
    ("question", "document", "choice"),
    [
        ("前" * 50 + "問い", "別の文", "甲"),
        ("前" * 50 + "問い", "前" * 50 + "問い", "甲"),
        ("問い", "", "甲" * 50),
        ("所見は" * 20 + "\n「咳があるようだがわからない」", "咳があるようだがわからない", "甲"),
    ],
)
def test_a_question_that_does_not_fit_is_not_asked(question: str, document: str, choice: str, answer: Answer) -> None:
    engine, counts = RuleEngine(context_length=40, text="A", rank="CABDEいる甲乙"), list[int]()
    long = Item("1", "t", "choice", question, (choice, "乙"), ("A",), document=document)
    short = Item("2", "t", "choice", "いるか", ("甲", "乙"), ("A",))
    manner = Manner(answer=answer, max_new_tokens=5)
    for replies in ask(opened(engine), [long, short, long], manner, KeptAnswers(), counts.append).values():
        assert [reply.asked for reply in replies] == [False, True, False]
        assert [reply.parsed for reply in replies] == [None, ("A",), None]
        assert "does not fit" in replies[0].failure and question in replies[0].prompt and not replies[0].truncated
    assert len(engine.prompts) == 1 and sum(counts) == 3, "only the short one was asked"


def test_an_answer_at_the_limit_of_length_is_marked() -> None:
    text = Item("5", "t", "text", "要約せよ。", (), ("咳",))
    assert [reply.cut for reply in replies(RuleEngine(text="咳がある"), [text], Manner(max_new_tokens=4))] == [True]
    assert [reply.cut for reply in replies(RuleEngine(text="咳がある"), [text], Manner(max_new_tokens=5))] == [False]
    (found,) = replies(RuleEngine(text='["咳がある'), [LIST], Manner(max_new_tokens=6))
    assert found.cut
    server = Server(TextAnswer("咳が", cut=True), TextAnswer("咳"))
    (found_texts,) = ask(server, [text, text], Manner("published", "generate"), KeptAnswers(), nothing).values()
    assert [reply.cut for reply in found_texts] == [True, False]


class Mortal(RuleEngine):
    """Dies when it is asked for the n-th time, for each n of `deaths`, in the middle of a chunk."""

    def __init__(self, *deaths: int) -> None:
        super().__init__()
        self.deaths, self.asked = deaths, 0

    def score(self, prompts: Sequence[Sequence[int]], options: object, **rest: object) -> list[list[Continuation]]:
        for number in range(len(prompts)):
            self.asked += 1
            if self.asked in self.deaths:
                raise EngineFailed("the process ended")
            super().score(prompts[number : number + 1], options[number : number + 1], **rest)  # type: ignore[index,arg-type]
        return super().score(prompts, options)  # type: ignore[arg-type]


def test_a_process_that_dies_under_an_evaluation_is_asked_again() -> None:
    items = [Item(str(n), "t", "choice", f"問い{n}", ("甲", "乙"), ("A",)) for n in range(6)]
    counts: list[int] = []
    wanted = replies(RuleEngine(), items)
    assert replies(Mortal(3), items, done=counts.append) == wanted
    assert replies(Mortal(3, 5, 9), items) == wanted
    assert sum(counts) == len(items)


def test_a_question_that_kills_the_process_twice_ends_in_one_sentence() -> None:
    items = [Item(str(n), "t", "choice", f"問い{n}", ("甲", "乙"), ("A",)) for n in range(6)]
    with pytest.raises(InputError, match="the process ended, 2 times at one question") as told:
        replies(Mortal(2, 4, 5), items)
    assert told.value.hint and "same command" in told.value.hint


def test_text_of_a_local_model_is_kept_and_asked_again(tmp_path: Path) -> None:
    class Local(Server):
        identity = "weights"

        def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = nothing) -> list[TextAnswer]:
            self.requests += requests
            if len(self.requests) in (2, 5):
                raise EngineFailed("the process ended")
            return [TextAnswer("答えはＢ", {"B": -0.5}, tokens=3, cut=True) for _ in requests]

    items = [replace(CHOICE, id=str(n), question=f"問い{n}") for n in range(3)]
    path, manner, counts = tmp_path / "answers.sqlite", Manner("published", "generate"), list[int]()
    first, second = Local(), Local()
    with closing(ResponseStore(path)) as store:
        (found,) = ask(first, items, manner, KeptAnswers(store), counts.append).values()
        assert ask(second, items, manner, KeptAnswers(store), nothing) == {GENERATE: found}
    assert [reply.parsed for reply in found] == [("B",)] * 3 and found[0].cut
    assert len(first.requests) == 4 and not second.requests and sum(counts) == 3


def test_a_prompt_that_just_fits_is_left_alone() -> None:
    whole = RuleEngine()
    replies(whole, [CHOICE])
    exact = RuleEngine(context_length=len(whole.prompts[0]) + 1)
    (reply,) = replies(exact, [CHOICE])
    assert not reply.truncated and exact.prompts == whole.prompts


def test_what_was_answered_before_a_kill_is_not_asked_again(tmp_path: Path) -> None:
    class Dies(RuleEngine):
        def score(self, prompts: Sequence[Sequence[int]], options: object, **rest: object) -> list[list[object]]:  # type: ignore[override]
            if self.prompts:
                raise KeyboardInterrupt
            return super().score(prompts, options, **rest)  # type: ignore[arg-type,return-value]

    items = [Item(str(n), "t", "choice", f"問い{n}", ("甲", "乙"), ("A",)) for n in range(CHUNK + 3)]
    path = tmp_path / "answers.sqlite"
    with closing(ResponseStore(path)) as store, pytest.raises(KeyboardInterrupt):
        ask(opened(Dies()), items, Manner(), KeptAnswers(store), nothing)
    again, counts = RuleEngine(), list[int]()
    with closing(ResponseStore(path)) as store:
        found = ask(opened(again), items, Manner(), KeptAnswers(store), counts.append)
    assert len(again.prompts) == 3 and sum(counts) == len(items)
    assert found == ask(opened(RuleEngine()), items, Manner(), KeptAnswers(), nothing)


class Server:
    """A model that takes text."""

    name, chat = "server", True

    def __init__(self, *answers: TextAnswer) -> None:
        self.answers, self.requests = answers, list[TextRequest]()

    def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = nothing) -> list[TextAnswer]:
        self.requests += requests
        done(len(requests))
        return list(self.answers)


def test_a_model_that_takes_text_gets_messages_and_its_refusals_are_unread() -> None:
    server = Server(TextAnswer("答えはＢ"), TextAnswer("", failure="too long"))
    (found,) = ask(server, [CHOICE, LIST], Manner("published", "generate"), KeptAnswers(), nothing).values()
    assert [reply.parsed for reply in found] == [("B",), None]
    assert found[1].failure == "too long"
    assert [message["role"] for message in server.requests[0].messages] == ["system", "user"]


def test_letters_of_a_model_that_takes_text() -> None:
    server = Server(TextAnswer("B", {"B": -0.1, "A": -3.0}), TextAnswer("x", {}))
    (found,) = ask(server, [CHOICE, CHOICE], Manner(), KeptAnswers(), nothing).values()
    assert [reply.parsed for reply in found] == [("B",), None]
    assert (server.requests[0].letters, server.requests[0].max_tokens) == (("A", "B", "C"), 1)


def test_texts_of_options_need_a_local_model() -> None:
    with pytest.raises(InputError, match="model in this process"):
        ask(Server(), [CHOICE], Manner(answer="options-text"), KeptAnswers(), nothing)


def test_no_items() -> None:
    assert replies(RuleEngine(), []) == []
