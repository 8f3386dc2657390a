import asyncio
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply, completion_reply, letters_reply, unused_url
from igakulm.asking.client import EndpointError, ResponseStore, Retry
from igakulm.errors import InputError
from igakulm.inference.endpoint import FAILURES_IN_A_ROW, SILENT_LETTERS, Endpoint
from igakulm.inference.engine import TextModel, TextRequest
from igakulm.inference.letters import letter_logprobs
from igakulm.tokenizer.folder_text import merge_system

SYSTEM = {"role": "system", "content": "一文字で答える。"}


def question(text: object, **fields: Any) -> TextRequest:
    return TextRequest(({"role": "user", "content": f"{text}"},), **fields)


def echo(request: Request, times: int) -> Reply:
    return chat_reply(f"答え{request.question}")


def at_once(clock: Clock | None = None, **changes: Any) -> Retry:
    clock = clock or Clock()
    return Retry(**{"attempts": 3, "sleep": clock.sleep, "clock": clock, "now": clock, **changes})


def endpoint(url: str, store: ResponseStore | None = None, **options: Any) -> Endpoint:
    return Endpoint(url, "small", store, **{"retry": at_once(), **options})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with closing(ResponseStore(tmp_path / "answers.sqlite")) as opened:
        yield opened


def test_an_endpoint_is_a_text_model() -> None:
    model: TextModel = endpoint("http://127.0.0.1:1/v1/")
    assert model.name == "small"


def test_answers_keep_the_order_of_the_requests_and_progress_counts_each() -> None:
    def plan(request: Request, times: int) -> Reply:
        time.sleep(0.02 * (5 - int(request.question) % 5))
        return echo(request, times)

    finished: list[int] = []
    with ChatServer(plan) as server:
        answers = endpoint(server.url).answer([question(n) for n in range(20)], done=finished.append)
    assert [answer.text for answer in answers] == [f"答え{n}" for n in range(20)]
    assert finished == [1] * 20
    assert answers[0].tokens == 50


def test_the_first_request_goes_alone_and_then_so_many_at_once_as_wanted() -> None:
    everybody = threading.Barrier(6)
    open_at_first: list[int] = []

    def plan(request: Request, times: int) -> Reply:
        if request.question == "0":
            time.sleep(0.05)
            open_at_first.append(server.open_now)
        else:
            everybody.wait(timeout=60)  # breaks unless six requests are open together
        return echo(request, times)

    with ChatServer(plan) as server:
        answers = endpoint(server.url, concurrency=6).answer([question(n) for n in range(13)])
    assert not any(answer.failure for answer in answers)
    assert open_at_first == [1]
    assert server.most_open == 6


def test_requests_are_greedy_and_seeded() -> None:
    with ChatServer(echo) as server:
        endpoint(server.url).answer([question("血圧", max_tokens=7, stop=("\n", "。"))])
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].body == {
        "model": "small",
        "messages": [{"role": "user", "content": "血圧"}],
        "temperature": 0.0,
        "seed": 0,
        "max_tokens": 7,
        "stop": ["\n", "。"],
    }


def test_the_completions_route_sends_plain_text() -> None:
    with ChatServer(lambda request, times: completion_reply("C\n")) as server:
        conversation = TextRequest((SYSTEM, {"role": "user", "content": "血圧"}))
        model = endpoint(server.url, route="completions", concurrency=1, tokens_parameter="max_completion_tokens")
        answers = model.answer([TextRequest(prompt="脈拍\n答え："), conversation])
    assert [request.path for request in server.requests] == ["/v1/completions"] * 2
    assert [request.body["prompt"] for request in server.requests] == ["脈拍\n答え：", "一文字で答える。\n\n血圧\n\n"]
    assert server.requests[0].body["max_tokens"] == 128
    assert (answers[0].text, answers[0].tokens) == ("C\n", 3), "nothing is stripped"


def test_a_plain_prompt_is_a_user_message_of_the_chat_route() -> None:
    with ChatServer(echo) as server:
        assert endpoint(server.url).answer([TextRequest(prompt="脈拍")])[0].text == "答え脈拍"


def test_the_limit_goes_by_the_name_that_the_server_wants() -> None:
    def plan(request: Request, times: int) -> Reply:
        if "max_tokens" in request.body:
            return Reply(400, b"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return echo(request, times)

    with ChatServer(plan) as server:
        with pytest.raises(InputError, match="--tokens-parameter max_completion_tokens"):
            endpoint(server.url).answer([question(n) for n in range(50)])
        assert len(server.requests) == 1
        model = endpoint(server.url, tokens_parameter="max_completion_tokens")
        assert model.answer([question(1, max_tokens=9)])[0].text == "答え1"
    assert server.requests[1].body["max_completion_tokens"] == 9


def test_system_text_moves_into_the_user_message_where_the_template_has_no_system_role() -> None:
    def plan(request: Request, times: int) -> Reply:
        if request.body["messages"][0]["role"] == "system":
            return Reply(400, b'{"message": "System role not supported"}')
        return echo(request, times)

    asked = [TextRequest((SYSTEM, {"role": "user", "content": f"{n}"})) for n in range(30)]
    with ChatServer(plan) as server:
        with pytest.raises(InputError, match="--no-system-role") as caught:
            endpoint(server.url).answer(asked)
        assert "System role not supported" in str(caught.value)
        assert len(server.requests) == 1
        answers = endpoint(server.url, system_role=False).answer(asked)
    assert answers[7].text == "答え一文字で答える。\n\n7"


def test_a_late_refusal_is_about_its_request_alone_whatever_it_quotes() -> None:
    def plan(request: Request, times: int) -> Reply:
        refusal = Reply(400, b"too long: 'the system message, max_tokens not supported, ...'")
        return refusal if request.question == "3" else echo(request, times)

    with ChatServer(plan) as server:
        answers = endpoint(server.url).answer([TextRequest((SYSTEM, *question(n).messages)) for n in range(6)])
    assert [n for n, answer in enumerate(answers) if answer.failure] == [3]


def test_merging_keeps_every_text_and_the_turns() -> None:
    turns = [SYSTEM, SYSTEM, {"role": "user", "content": "甲"}, {"role": "assistant", "content": "A"}, SYSTEM]
    assert merge_system(turns) == [
        {"role": "user", "content": "一文字で答える。\n\n一文字で答える。\n\n甲"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "一文字で答える。"},
    ]


def test_letters_are_read_from_the_first_token_of_a_chat() -> None:
    candidates = {"B": -1.0, " A": -2.0, "A": -2.0, "\nA": None, "▁B": -3.0, "AB": -0.1, "c": -0.1, "D": -math.inf}
    with ChatServer(lambda request, times: letters_reply(candidates)) as server:
        answer = endpoint(server.url).answer([question("血圧", letters=("A", "B", "C", "D"), max_tokens=99)])[0]
    assert server.requests[0].body["logprobs"] is True
    assert server.requests[0].body["top_logprobs"] == 20
    assert server.requests[0].body["max_tokens"] == 1
    assert answer.text == "B"
    assert answer.letters == pytest.approx({"A": -2.0 + math.log(2), "B": math.log(math.exp(-1) + math.exp(-3))})


@pytest.mark.parametrize(
    "logprobs",
    [
        {"tokens": [" A"], "token_logprobs": [-0.5], "top_logprobs": [{" A": -0.5, "B": -1.5}]},
        {"content": [{"token": " A", "logprob": -0.5, "top_logprobs": [{"token": "B", "logprob": -1.5}]}]},
    ],
    ids=["completions form", "chat form, chosen token not in the list"],
)
def test_letters_are_read_from_the_first_token_of_a_completion(logprobs: object) -> None:
    with ChatServer(lambda request, times: completion_reply(" A", "length", logprobs)) as server:
        answer = endpoint(server.url, route="completions").answer([TextRequest(prompt="答え：", letters=("A", "B"))])[0]
    assert server.requests[0].body["logprobs"] == 20
    assert answer.letters == {"A": -0.5, "B": -1.5}


def test_far_apart_spellings_of_a_letter_do_not_overflow() -> None:
    assert letter_logprobs([("A", -9999.0), (" A", -0.5), ("A ", -9999.0)], ("A",)) == {"A": -0.5}


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_a_server_without_logprobs_is_told_at_once(route: Any, store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        return chat_reply("A") if route == "chat" else completion_reply("A")

    with ChatServer(plan) as server, pytest.raises(InputError, match="--answer generate"):
        endpoint(server.url, store, route=route).answer([question(n, letters=("A", "B")) for n in range(50)])
    assert len(server.requests) == 1
    assert stored_rows(store) == 0, "a later server with log-probabilities is asked anew"


def test_a_server_that_refuses_logprobs_is_told_at_once_even_after_good_answers() -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(400, b"logprobs: only false is supported") if "logprobs" in request.body else echo(request, times)

    with ChatServer(plan) as server, pytest.raises(InputError, match="--answer generate"):
        model = endpoint(server.url)
        model.answer([question(1)])
        model.answer([question(n, letters=("A", "B")) for n in range(50)])
    assert len(server.requests) <= 2 + 8


@pytest.mark.parametrize("text", ["\ufffd", "", None])
def test_one_first_token_without_logprobs_has_no_letters_and_ends_nothing(text: str | None) -> None:
    def plan(request: Request, times: int) -> Reply:
        return chat_reply(text, "length") if int(request.question) in (0, 3) else letters_reply({"A": -0.1})

    with ChatServer(plan) as server:
        answers = endpoint(server.url).answer([question(n, letters=("A", "B")) for n in range(6)])
    assert [dict(answer.letters) for answer in answers] == [{} if n in (0, 3) else {"A": -0.1} for n in range(6)]
    assert [answer.text for answer in answers if not answer.letters] == [text or ""] * 2
    assert not any(answer.failure for answer in answers)


@pytest.mark.parametrize("number", [2, 100])
def test_nothing_but_first_tokens_without_logprobs_is_a_server_without_logprobs(number: int) -> None:
    with (
        ChatServer(lambda request, times: chat_reply(None)) as server,
        pytest.raises(InputError, match="--answer generate"),
    ):
        endpoint(server.url).answer([question(n, letters=("A", "B")) for n in range(number)])
    assert len(server.requests) == min(number, SILENT_LETTERS)


@pytest.mark.parametrize("value", [math.nan, "far"])
def test_malformed_logprobs_are_asked_for_again(value: Any) -> None:
    def plan(request: Request, times: int) -> Reply:
        return letters_reply({"A": value if times == 1 else -0.25})

    with ChatServer(plan) as server:
        answers = endpoint(server.url).answer([question("血圧", letters=("A",))])
    assert answers[0].letters == {"A": -0.25}
    assert len(server.requests) == 2


def rows_in(path: Path) -> int:
    """Answers kept by another process, at this moment."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM responses").fetchone()[0])
        except sqlite3.OperationalError:  # in the middle of a commit
            return 0


def stored_rows(store: ResponseStore) -> int:
    return int(store._database.execute("SELECT count(*) FROM responses").fetchone()[0])


def test_stored_answers_are_not_asked_again_and_need_no_server(store: ResponseStore) -> None:
    asked = [question(n) for n in range(5)] + [question("文字", letters=("A",))]

    def plan(request: Request, times: int) -> Reply:
        return letters_reply({"A": -0.5}) if "logprobs" in request.body else echo(request, times)

    with ChatServer(plan) as server:
        first = endpoint(server.url, store).answer(asked)
    model = endpoint(unused_url(), store)
    assert model.answer(asked) == first
    assert model.counts["stored"] == 6
    assert model.counts["attempts"] == 0


def test_after_the_server_died_only_the_rest_is_asked(store: ResponseStore) -> None:
    with ChatServer(echo) as server:

        def dies(request: Request, times: int) -> Reply:
            if int(request.question) < 7:
                return echo(request, times)
            server.server.socket.close()  # nobody can connect any more, and who is connected gets no answer
            return Reply(200, b"{", cut=True)

        server.plan = dies
        with pytest.raises(EndpointError, match="finished answers are kept"):
            endpoint(server.url, store, concurrency=3).answer([question(n) for n in range(40)])
    kept = stored_rows(store)
    assert kept == 7
    with ChatServer(echo) as server:
        model = endpoint(server.url, store, concurrency=3)
        answers = model.answer([question(n) for n in range(40)])
    assert [answer.text for answer in answers] == [f"答え{n}" for n in range(40)]
    assert len(server.requests) == 40 - kept
    assert (model.counts["stored"], model.counts["answered"]) == (kept, 40 - kept)


def test_a_server_that_comes_back_in_time_is_waited_for() -> None:
    def plan(request: Request, times: int) -> Reply:
        return echo(request, times) if request.question == "0" or times > 2 else Reply(200, b"{", cut=True)

    clock = Clock()
    with ChatServer(plan) as server:
        model = endpoint(server.url, retry=at_once(clock))
        answers = model.answer([question(n) for n in range(5)])
    assert not any(answer.failure for answer in answers)
    assert (model.counts["attempts"], model.counts["failures"]) == (1 + 3 * 4, 2 * 4)
    assert len(clock.slept) == 8


KILLED = """
import sys
from pathlib import Path
from igakulm.inference.endpoint import Endpoint
from igakulm.inference.engine import TextRequest
from igakulm.asking.client import ResponseStore
requests = [TextRequest(({"role": "user", "content": str(n)},)) for n in range(30)]
Endpoint(sys.argv[1], "small", ResponseStore(Path(sys.argv[2])), concurrency=2).answer(requests)
"""


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path, halted, killed = tmp_path / "answers.sqlite", threading.Event(), threading.Event()

    def plan(request: Request, times: int) -> Reply:
        if int(request.question) >= 9:
            halted.set()
            killed.wait(60)
        return echo(request, times)

    with ChatServer(plan) as server:
        child = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(path)])
        assert halted.wait(timeout=60)
        end = time.monotonic() + 60
        while rows_in(path) < 9 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(timeout=60)
        killed.set()
    with ChatServer(echo) as server, closing(ResponseStore(path)) as store:
        assert stored_rows(store) == 9, "all that was answered"
        answers = endpoint(server.url, store).answer([question(n) for n in range(30)])
    assert [answer.text for answer in answers] == [f"答え{n}" for n in range(30)]
    assert len(server.requests) == 21


def test_a_refused_request_fails_alone_and_is_asked_again_by_the_next_run(store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(400, b"exceeds the context size") if request.question in ("0", "4") else echo(request, times)

    with ChatServer(plan) as server:
        for _ in range(2):
            model = endpoint(server.url, store)
            answers = model.answer([question(n) for n in range(8)])
            assert [n for n, answer in enumerate(answers) if answer.failure] == [0, 4]
            assert "exceeds the context size" in answers[4].failure
            assert answers[4].text == ""
            assert model.counts["refused"] == 2
    assert len(server.requests) == 8 + 2


@pytest.mark.parametrize(("status", "reason"), [(400, "request_refused"), (500, "no_answer")])
def test_failures_in_a_row_end_the_work(status: int, reason: str, store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        return echo(request, times) if int(request.question) < 5 else Reply(status, b"broken")

    with ChatServer(plan) as server, pytest.raises(EndpointError, match="in a row") as caught:
        # One at a time: of two on the wire, a late success may stand between two failures.
        endpoint(server.url, store, concurrency=1, retry=at_once(attempts=1)).answer([question(n) for n in range(99)])
    assert "broken" in str(caught.value) and "finished answers are kept" in str(caught.value)
    assert len(server.requests) == 5 + FAILURES_IN_A_ROW[reason]
    assert stored_rows(store) == 5


def test_scattered_refusals_end_nothing() -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(413) if int(request.question) % 2 else echo(request, times)

    with ChatServer(plan) as server:
        answers = endpoint(server.url, concurrency=1).answer([question(n) for n in range(80)])
    assert sum(bool(answer.failure) for answer in answers) == 40


def test_no_answer_at_all_is_an_error_of_the_endpoint() -> None:
    with ChatServer(lambda request, times: Reply(400, b"strange")) as server, pytest.raises(EndpointError) as caught:
        endpoint(server.url).answer([question(1), question(2)])
    assert "strange" in str(caught.value)


def test_a_wrong_address_is_named_soon_and_before_anything_else_is_asked() -> None:
    clock, url = Clock(), unused_url()
    model = endpoint(url, retry=at_once(clock, attempts=8))
    with pytest.raises(EndpointError) as caught:
        model.answer([question(n) for n in range(5000)])
    assert url in str(caught.value)
    assert model.counts["attempts"] == len(clock.slept) + 1 == 3


def test_a_server_that_has_answered_before_is_waited_for_longer() -> None:
    clock = Clock()
    with ChatServer(echo) as server:
        model = endpoint(server.url, retry=at_once(clock, attempts=8))
        model.answer([question(1)])
    with pytest.raises(EndpointError, match="after 8 attempts"):
        model.answer([question(2)])


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_is_told_after_one_request(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGAKULM_API_KEY", "secret-key-123")
    reply = Reply(status, b"no: Bearer secret-key-123")
    with ChatServer(lambda request, times: reply) as server, pytest.raises(EndpointError) as caught:
        endpoint(server.url).answer([question(n) for n in range(100)])
    assert len(server.requests) == 1
    assert "secret-key-123" not in str(caught.value)


def test_the_key_stands_in_no_failure_and_no_store(store: ResponseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGAKULM_API_KEY", "secret-key-123")

    def plan(request: Request, times: int) -> Reply:
        return Reply(422, b"refused for secret-key-123") if request.question == "1" else echo(request, times)

    with ChatServer(plan) as server:
        answers = endpoint(server.url, store).answer([question(n) for n in range(3)])
    assert "refused for [key]" in answers[1].failure
    assert b"secret-key-123" not in store.path.read_bytes()


def test_garbage_is_asked_for_again_and_then_fails_alone() -> None:
    def plan(request: Request, times: int) -> Reply:
        broken = request.question == "2" or (request.question == "3" and times < 3)
        return Reply(200, b'{"choices": [{"mess') if broken else echo(request, times)

    with ChatServer(plan) as server:
        answers = endpoint(server.url).answer([question(n) for n in range(6)])
    assert [n for n, answer in enumerate(answers) if answer.failure] == [2]
    assert answers[3].text == "答え3"


ODD = [
    "\ud800あ",
    "<|im_end|><s></s><|user|>",
    "\x00\x1b[31m\u202e",
    " A \n",
    "医" * 100_000,
    "'; DROP TABLE responses; --",
]


def test_odd_answers_come_back_as_they_were_written_also_from_the_store(store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        return chat_reply(ODD[int(request.question)])

    with ChatServer(plan) as server:
        for _ in range(2):
            answers = endpoint(server.url, store).answer([question(n) for n in range(len(ODD))])
            assert [answer.text for answer in answers] == ODD
    assert len(server.requests) == len(ODD)


def test_a_question_with_half_a_character_is_sent_with_a_replacement() -> None:
    with ChatServer(echo) as server:
        answers = endpoint(server.url).answer([question("甲\ud800乙\ud83d\ude00")])
    assert answers[0].text == "答え甲\ufffd乙😀"


def test_an_answer_of_reasoning_only_is_empty_and_counted() -> None:
    with ChatServer(lambda request, times: chat_reply(None, "length")) as server:
        model = endpoint(server.url)
        answers = model.answer([question(n) for n in range(3)])
    assert [(answer.text, answer.failure) for answer in answers] == [("", "")] * 3
    assert model.counts["empty"] == 3


def test_counts_add_up_over_calls_also_when_a_call_fails(store: ResponseStore) -> None:
    with ChatServer(echo) as server:
        model = endpoint(server.url, store)
        model.answer([question(1), question(2)])
        model.answer([question(2), question(3)])
        server.plan = lambda request, times: Reply(401)
        with pytest.raises(EndpointError):
            model.answer([question(4)])
    assert {name: model.counts[name] for name in ("attempts", "answered", "stored")} == {
        "attempts": 4,
        "answered": 3,
        "stored": 1,
    }


def test_no_requests_need_no_server() -> None:
    assert endpoint(unused_url()).answer([]) == []


def test_inside_a_running_loop_the_mistake_is_named() -> None:
    async def mistake() -> None:
        endpoint(unused_url()).answer([question(1)])

    with pytest.raises(RuntimeError, match="event loop of its own"):
        asyncio.run(mistake())


@pytest.mark.parametrize(("url", "model"), [("127.0.0.1:8080/v1", "small"), ("http://127.0.0.1:8080/v1", " ")])
def test_a_bad_address_or_no_name_is_refused_before_any_work(url: str, model: str) -> None:
    with pytest.raises(InputError):
        Endpoint(url, model)


def test_many_answers_are_stored_in_one_transaction_or_not_at_all(store: ResponseStore) -> None:
    store.put("a", {}, {"text": "first"})
    store.put_many((key, {"n": key}, {"text": key}) for key in "abc")
    assert [store.get(key) for key in "abc"] == [{"text": "first"}, {"text": "b"}, {"text": "c"}]
    broken: Any = [("d", {}, {"text": "d"}), (["no key"], {}, {})]
    with pytest.raises(InputError):
        store.put_many(broken)
    assert store.get("d") is None
    store.put("d", {}, {"text": "still open"})
    assert store.get("d") == {"text": "still open"}
