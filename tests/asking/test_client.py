import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from chat_server import ChatServer, Clock, Plan, Reply, Request, chat_reply, unused_url
from igakulm.asking.client import (
    Client,
    EndpointError,
    RequestError,
    ResponseStore,
    Retry,
    endpoint_url,
    parse_retry_after,
)
from igakulm.errors import InputError

T = TypeVar("T")
QUESTION = [{"role": "user", "content": "血圧とは何ですか。"}]


def patience(clock: Clock, **changes: Any) -> Retry:
    settings: dict[str, Any] = {
        "attempts": 3,
        "sleep": clock.sleep,
        "clock": clock,
        "now": clock,
        "jitter": lambda: 0.0,
    }
    return Retry(**{**settings, **changes})


def use(url: str, work: Callable[[Client], Awaitable[T]], store: ResponseStore | None = None, **options: Any) -> T:
    async def run() -> T:
        async with Client(url, store, **options) as client:
            return await work(client)

    return asyncio.run(run())


def ask(url: str, store: ResponseStore | None = None, clock: Clock | None = None, **changes: Any) -> str:
    async def work(client: Client) -> str:
        return (await client.chat("writer", QUESTION, {"seed": 1})).text

    return use(url, work, store, retry=patience(clock or Clock(), **changes))


def then_answer(*first: Reply) -> Plan:
    replies = [*first, chat_reply("血圧は血管の圧力である。")]
    return lambda request, times: replies[min(times, len(replies)) - 1]


def test_a_question_reaches_the_named_path_with_its_parameters() -> None:
    with ChatServer(then_answer()) as server:
        assert ask(server.url + "/") == "血圧は血管の圧力である。"
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].body == {"model": "writer", "messages": QUESTION, "seed": 1}


def test_a_stored_answer_is_never_asked_for_again(tmp_path: Path) -> None:
    with ChatServer(then_answer()) as server:
        for _ in range(2):
            with closing(ResponseStore(tmp_path / "logs" / "answers.sqlite")) as store:
                assert ask(server.url, store) == "血圧は血管の圧力である。"
    assert len(server.requests) == 1
    with closing(ResponseStore(tmp_path / "logs" / "answers.sqlite")) as store:
        assert ask(unused_url(), store) == "血圧は血管の圧力である。", "the address is no part of the key"


@pytest.mark.parametrize(
    ("model", "content", "parameters"),
    [("other", "甲", {"seed": 1}), ("writer", "乙", {"seed": 1}), ("writer", "甲", {"seed": 2}), ("writer", "甲", {})],
)
def test_whatever_shapes_the_answer_is_part_of_the_key(
    tmp_path: Path, model: str, content: str, parameters: dict[str, Any]
) -> None:
    async def work(client: Client) -> None:
        await client.chat("writer", [{"role": "user", "content": "甲"}], {"seed": 1})
        await client.chat(model, [{"role": "user", "content": content}], parameters)

    with ChatServer(then_answer()) as server, closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        use(server.url, work, store)
    assert len(server.requests) == 2


def test_equal_questions_at_one_time_are_asked_once(tmp_path: Path) -> None:
    async def work(client: Client) -> list[Any]:
        return await asyncio.gather(*(client.chat("writer", QUESTION) for _ in range(8)))

    with ChatServer(then_answer()) as server, closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        answers = use(server.url, work, store)
    assert len(server.requests) == 1
    assert [answer.stored for answer in answers] == [False] + [True] * 7


def test_concurrency_is_reached_and_not_exceeded() -> None:
    def plan(request: Request, times: int) -> Reply:
        time.sleep(0.05)
        return chat_reply("答")

    async def work(client: Client) -> None:
        await asyncio.gather(*(client.chat("writer", QUESTION, {"seed": seed}) for seed in range(9)))

    with ChatServer(plan) as server:
        use(server.url, work, concurrency=3)
    assert server.most_open == 3


BROKEN = [
    Reply(500, b"oops"),
    Reply(503),
    Reply(429),
    Reply(200, b'{"choices": [{"message": {"cont'),
    Reply(200, b"<html>proxy</html>"),
    Reply(200, b"[]"),
    Reply(200, b'{"choices": []}'),
    Reply(200, b'{"choices": [{"message": {"content": 7}}]}'),
    Reply(200, b"\xff\xfe\xff"),
    Reply(200, b'{"choices"', cut=True),
    Reply(200, b"", {"Content-Encoding": "gzip"}, cut=True),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda reply: f"{reply.status}-{reply.body[:12]!r}")
def test_what_may_pass_is_tried_again_and_only_the_good_answer_is_stored(tmp_path: Path, broken: Reply) -> None:
    clock = Clock()
    with ChatServer(then_answer(broken, broken)) as server, closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        assert ask(server.url, store, clock) == "血圧は血管の圧力である。"
    assert len(server.requests) == 3
    assert clock.slept == [0.5, 1.0]
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM responses").fetchone() == (1,)


def test_a_missing_text_is_an_empty_answer_and_no_failure() -> None:
    with ChatServer(lambda request, times: chat_reply(None, "length")) as server:
        assert ask(server.url) == ""
    assert len(server.requests) == 1


def test_retry_after_is_honoured() -> None:
    clock = Clock()
    with ChatServer(then_answer(Reply(429, headers={"Retry-After": "17"}))) as server:
        ask(server.url, clock=clock)
    assert clock.slept == [17.0]


def test_retry_after_of_one_request_holds_the_others_back() -> None:
    clock = Clock()

    def plan(request: Request, times: int) -> Reply:
        first = request.body["seed"] == 0 and times == 1
        return Reply(429, headers={"Retry-After": "30"}) if first else chat_reply(f"{clock.time:.0f}")

    async def work(client: Client) -> list[str]:
        answers = await asyncio.gather(*(client.chat("writer", QUESTION, {"seed": seed}) for seed in range(3)))
        return [answer.text for answer in answers]

    with ChatServer(plan) as server:
        assert use(server.url, work, concurrency=1, retry=patience(clock)) == ["1030", "1030", "1030"]


def test_a_retry_after_beyond_all_patience_ends_the_work_instead_of_asking_too_early() -> None:
    clock = Clock()
    with (
        ChatServer(then_answer(Reply(429, headers={"Retry-After": "86400"}))) as server,
        pytest.raises(EndpointError, match="86400 s"),
    ):
        ask(server.url, clock=clock)
    assert clock.slept == []


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "nan", "inf", "1e9", "99 bottles", "Thu, 99 Foo 2020"])
def test_a_malformed_retry_after_is_ignored(value: str | None) -> None:
    assert parse_retry_after(value, 0.0) is None


def test_a_date_in_the_past_asks_for_no_wait() -> None:
    assert parse_retry_after("Thu, 01 Jan 1970 00:00:05 GMT", 1000.0) == 0.0


def test_back_off_doubles_up_to_its_limit_with_jitter() -> None:
    low, high = Retry(jitter=lambda: 0.0), Retry(jitter=lambda: 1.0)
    assert [low.delay(n) for n in (1, 2, 3, 10)] == [0.5, 1.0, 2.0, 30.0]
    assert [high.delay(n) for n in (1, 2, 3, 10)] == [1.0, 2.0, 4.0, 60.0]


def test_an_endpoint_that_is_down_is_named_after_the_retries() -> None:
    clock, url = Clock(), unused_url()
    with pytest.raises(EndpointError) as caught:
        ask(url, clock=clock)
    assert url in str(caught.value) and "3 attempts" in str(caught.value)
    assert len(clock.slept) == 2


@pytest.mark.parametrize("status", [301, 307, 401, 402, 403, 404, 405])
def test_what_cannot_pass_is_not_tried_again_and_no_redirect_is_followed(status: int) -> None:
    with ChatServer(then_answer()) as elsewhere:
        reply = Reply(status, b"no", {"Location": elsewhere.url + "/chat/completions"})
        with ChatServer(lambda request, times: reply) as server, pytest.raises(EndpointError, match=str(status)):
            ask(server.url)
    assert (len(server.requests), len(elsewhere.requests)) == (1, 0)


@pytest.mark.parametrize(("reply", "reason"), [(Reply(400), "request_refused"), (Reply(500), "no_answer")])
def test_one_failed_request_is_told_from_a_failed_endpoint(reply: Reply, reason: str) -> None:
    with ChatServer(lambda request, times: reply) as server, pytest.raises(RequestError) as caught:
        ask(server.url)
    assert caught.value.reason == reason
    assert len(server.requests) == (1 if reason == "request_refused" else 3)


def test_a_server_that_hangs_is_left_after_the_time_out() -> None:
    def plan(request: Request, times: int) -> Reply:
        time.sleep(0.5)
        return chat_reply("遅い")

    with ChatServer(plan) as server, pytest.raises(RequestError, match=r"within 0\.05 s"):
        ask(server.url, timeout=0.05, attempts=2)


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igakulm.asking.transport.MAX_ANSWER_BYTES", 1000)
    with (
        ChatServer(lambda request, times: chat_reply("長" * 2000)) as server,
        pytest.raises(RequestError, match="long"),
    ):
        ask(server.url)


def test_after_giving_up_nothing_is_retried_and_pauses_end() -> None:
    async def never(seconds: float) -> None:
        await asyncio.sleep(3600)

    async def work(client: Client) -> None:
        asking = asyncio.create_task(client.chat("writer", QUESTION))
        while not client.counts["failures"]:
            await asyncio.sleep(0.005)
        client.give_up()
        await asyncio.wait_for(asking, 2)

    with ChatServer(lambda request, times: Reply(500)) as server, pytest.raises(RequestError, match="1 attempt:"):
        use(server.url, work, retry=patience(Clock(), sleep=never))
    assert len(server.requests) == 1


def test_the_key_is_sent_but_neither_stored_nor_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGAKULM_API_KEY", "secret-key-123")
    with ChatServer(then_answer()) as server, closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        ask(server.url, store)
    assert server.requests[0].headers["Authorization"] == "Bearer secret-key-123"
    assert b"secret-key-123" not in (tmp_path / "a.sqlite").read_bytes()
    with (
        ChatServer(lambda request, times: Reply(401, b"wrong key: secret-key-123")) as server,
        pytest.raises(EndpointError) as caught,
    ):
        ask(server.url)
    assert "secret-key-123" not in str(caught.value)
    assert "IGAKULM_API_KEY" in str(caught.value)


def test_without_a_key_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IGAKULM_API_KEY", raising=False)
    with ChatServer(then_answer()) as server:
        ask(server.url)
    assert "Authorization" not in server.requests[0].headers


def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGAKULM_API_KEY", "abc\ndef")
    with pytest.raises(InputError) as caught:
        ask(unused_url())
    assert "abc" not in str(caught.value)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(then_answer()) as proxy, ChatServer(then_answer()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        ask(server.url)
    assert (len(server.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1:8080/v1",
        "ftp://host/v1",
        "http://",
        "http://user:pw@host/v1",
        "http://h/v1?key=pw",
        "http://h:x/v1",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(InputError) as caught:
        endpoint_url(address)
    assert "pw" not in str(caught.value)


def test_completions_and_embeddings() -> None:
    def plan(request: Request, times: int) -> Reply:
        if request.path.endswith("/embeddings"):
            rows = [{"index": 1, "embedding": [2, 3]}, {"index": 0, "embedding": [0.5, 1]}]
            return Reply(body=json.dumps({"data": rows}).encode())
        return Reply(body=json.dumps({"choices": [{"text": "である。", "finish_reason": "length"}]}).encode())

    async def work(client: Client) -> None:
        answer = await client.complete("writer", "脳梗塞とは病気", {"max_tokens": 4})
        assert (answer.text, answer.finish_reason) == ("である。", "length")
        assert await client.embed("vectors", ["甲", "乙"]) == [[0.5, 1.0], [2.0, 3.0]]
        with pytest.raises(RequestError):
            await client.embed("vectors", ["甲"])

    with ChatServer(plan) as server:
        use(server.url, work, retry=patience(Clock()))
    assert [request.path for request in server.requests[:2]] == ["/v1/completions", "/v1/embeddings"]


def test_lone_surrogates_survive_the_store(tmp_path: Path) -> None:
    body = json.dumps({"choices": [{"message": {"content": "\ud800あ"}, "finish_reason": "stop"}]}).encode()
    with ChatServer(lambda request, times: Reply(body=body)) as server:
        for _ in range(2):
            with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
                assert ask(server.url, store) == "\ud800あ"
    assert len(server.requests) == 1


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"a\.sqlite"):
        ResponseStore(tmp_path / "a.sqlite")


def test_every_put_is_synced(tmp_path: Path) -> None:
    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        assert store._database.execute("PRAGMA synchronous").fetchone() == (3,)
        assert store._database.isolation_level is None


def test_a_missing_httpx_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(InputError, match=r"igakulm\[synth\]"):
        ask(unused_url())


def test_a_revision_is_part_of_the_key(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.chat("writer", QUESTION)

    with ChatServer(then_answer()) as server, closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        for revision in ("", "v1", "v2", "v1", ""):
            use(server.url, work, store, revision=revision)
    assert len(server.requests) == 3


def test_each_server_has_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IGAKULM_API_KEY", "for-others")
    monkeypatch.setenv("WARD_SERVER_KEY", "for-this-one")

    async def work(client: Client) -> None:
        await client.chat("writer", QUESTION)

    with ChatServer(then_answer()) as server:
        use(server.url, work, key_variable="WARD_SERVER_KEY")
    assert server.requests[0].headers["Authorization"] == "Bearer for-this-one"
    with ChatServer(lambda request, times: Reply(401)) as server, pytest.raises(EndpointError, match="WARD_SERVER_KEY"):
        use(server.url, work, key_variable="WARD_SERVER_KEY")


def test_a_server_that_was_met_may_be_away_for_a_while() -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(503) if 2 <= len(server.requests) < 20 else chat_reply("戻った。")

    async def work(client: Client) -> str:
        await client.chat("writer", QUESTION, {"seed": 1})
        return (await client.chat("writer", QUESTION, {"seed": 2})).text

    with ChatServer(plan) as server:
        assert use(server.url, work, retry=patience(Clock(), patience=3600.0)) == "戻った。"
    assert len(server.requests) == 20


@pytest.mark.parametrize(("status", "error"), [(503, EndpointError), (500, RequestError)])
def test_patience_ends_and_is_not_for_a_single_request(status: int, error: type[InputError]) -> None:
    def plan(request: Request, times: int) -> Reply:
        return chat_reply("") if request.body["seed"] == 1 else Reply(status)

    async def work(client: Client) -> None:
        await client.chat("writer", QUESTION, {"seed": 1})
        await client.chat("writer", QUESTION, {"seed": 2})

    with ChatServer(plan) as server, pytest.raises(error):
        use(server.url, work, retry=patience(Clock(), patience=100.0))
    assert (len(server.requests) > 4) is (status == 503)
