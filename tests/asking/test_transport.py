"""What a broken or hostile server sends: never an answer, never more memory than an answer may take."""

import asyncio
import gzip
import itertools
import json
import time
import tracemalloc
from collections.abc import Iterable

import pytest

from hostile_server import event, head, hostile
from igakulm.asking import transport
from igakulm.asking.client import Client, RequestError, Retry
from igakulm.inference.endpoint_engine import open_endpoint
from igakulm.inference.engine import EndpointFailed

DONE = b"data: [DONE]\n\n"
ALL = event([5, 6]) + event([], "stop") + DONE


def streamed(answer: Iterable[bytes], most: int = 8) -> list[int]:
    with hostile(answer) as url:
        engine = open_endpoint(url, "m", 64)
        try:
            return [step.token for step in engine.stream([5], most, [9])]
        finally:
            engine.close()


def endless(begin: bytes, what: bytes) -> Iterable[bytes]:
    return itertools.chain([begin], itertools.repeat(what * 65536))


def test_a_whole_stream_is_an_answer() -> None:
    assert streamed([head("text/event-stream; charset=utf-8"), ALL]) == [5, 6]
    assert streamed([head(), event([5, 9])]) == [5], "our own end token needs no other end"
    pieces = [bytes([byte]) for byte in ALL.replace(b"\n", b"\r\n")]
    assert streamed([head(), b": \xe2\x80\xa8\n", *pieces]) == [5, 6]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([head(), event([5, 6])], "end is missing"),
        ([head(), event([5, 6]), event([], "stop")], "end is missing"),
        ([head(), event([5, 6]), event([], "stop"), b"data: [DONE]"], "end is missing"),
        ([head(), event([5, 6]), DONE], "broke off"),
        ([head(), event([5, 6]), event([], "abort"), DONE], "broke off"),
        ([head(), event([5, 6]), event([], "length"), DONE], "cut at 2 of 8"),
        ([head(), event(range(10, 30)), event([], "stop"), DONE], "more than the 8"),
        ([head(), b"data: {\"choices\": [\n\n", DONE], "no JSON"),
        ([head(), b"data: [1]\n\n", DONE], "no JSON object"),
        ([head(), b'data: {"choices": 7}\n\n', DONE], "another form"),
        ([head(), b'data: {"choices": [7]}\n\n', DONE], "another form"),
        ([head("text/html"), b"<html>\nbusy\n</html>"], "content type is text/html"),
        ([head("application/json"), ALL], "content type is application/json"),
        ([head(), b"<html>\nbusy\n</html>"], "end is missing"),
        ([head("text/event-stream", "Content-Encoding: gzip"), gzip.compress(ALL)], "compressed"),
        ([head("text/event-stream", "Transfer-Encoding: chunked"), b"5\r\ndata:\r\n"], "no answer"),
    ],
)  # fmt: skip
def test_a_missing_end_is_never_an_end(answer: list[bytes], why: str) -> None:
    with pytest.raises(EndpointFailed, match=why):
        streamed(answer)


def test_endless_answers_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 2**20)
    monkeypatch.setattr(transport, "MAX_LINE_BYTES", 2**18)
    for what in (b"x", b": still here\n"):
        tracemalloc.start()
        with pytest.raises(EndpointFailed, match="unreasonably long"):
            streamed(endless(head(), what))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert highest < 8 * 2**20
    with hostile(endless(head("application/json"), b" ")) as url, pytest.raises(EndpointFailed, match="unreasonably"):
        open_endpoint(url, "m", 64).score([[5]], [[[6]]])
    with hostile(endless(head("application/json"), b" ")) as url, pytest.raises(RequestError, match="unreasonably"):
        asyncio.run(asked(url))
    with pytest.raises(EndpointFailed, match="answers 500: nnn"):
        streamed(endless(b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", b"n"))


def test_a_stream_that_only_keeps_its_connection_open_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("igakulm.inference.endpoint_engine.PATIENCE", 0.3)

    def drip() -> Iterable[bytes]:
        yield head()
        while True:
            time.sleep(0.02)
            yield b": wait\n"

    start = time.monotonic()
    with pytest.raises(EndpointFailed, match="says nothing"):
        streamed(drip())
    assert time.monotonic() - start < 30


async def asked(url: str) -> str:
    async with Client(url, retry=Retry(attempts=1)) as client:
        return (await client.chat("m", [{"role": "user", "content": "熱"}])).text


def chat_body(reason: object) -> bytes:
    choice = {"index": 0, "message": {"content": '["発熱", "咳"'}, "finish_reason": reason}
    return json.dumps({"choices": [choice]}).encode()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([head("application/json"), chat_body(None)], "protocol"),
        ([head("application/json"), chat_body("abort")], "protocol"),
        ([head("application/json"), chat_body("content_filter")], "filter"),
        ([head("application/json"), chat_body("stop")[:-1]], "protocol"),
        ([head("application/json"), b"<html>busy</html>"], "protocol"),
        ([head("text/html"), chat_body("stop")], "content type is text/html"),
        ([head("application/json", "Content-Encoding: gzip"), gzip.compress(b" " * 10**7)], "compressed"),
    ],
)
def test_the_asking_client_takes_no_half_answers(answer: list[bytes], why: str) -> None:
    with hostile(answer) as url, pytest.raises(RequestError, match=why):
        asyncio.run(asked(url))
