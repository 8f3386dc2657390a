from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat_server import ChatServer, Clock, Reply, Request, chat_reply, unused_url
from corpus.quality_server import BAD, GOOD, answer, text_in
from igakulm.asking.client import Retry
from igakulm.asking.store import ResponseStore
from igakulm.corpus.annotate import RETRY_TEMPERATURE, Label, label_documents
from igakulm.errors import InputError
from igakulm.progress import SilentTask
from igakulm.recipe.schema import Quality

TEXTS = [(number, f"{GOOD if number % 2 else BAD}{number}") for number in range(10, 22)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with closing(ResponseStore(tmp_path / "responses.sqlite")) as store:
        yield store


def quick() -> Retry:
    clock = Clock()
    return Retry(sleep=clock.sleep, clock=clock, jitter=lambda: 0.0, attempts=2)


def label(server: ChatServer, store: ResponseStore, section: Quality | None = None) -> dict[int, Label]:
    section = section or Quality(model="judge")
    return label_documents(TEXTS, section, server.url, store, SilentTask(), retry=quick())[0]


def test_every_document_gets_its_own_label_in_order(store: ResponseStore) -> None:
    with ChatServer(answer) as server:
        found = label(server, store)
    assert list(found) == [key for key, _ in TEXTS]
    for key, text in TEXTS:
        assert found[key] == Label("valid", found[key].scores, 1)
        assert found[key].scores == {
            "education": 5 if GOOD in text else 1,
            "coherence": 5 if GOOD in text else 3,
            "harm": 1,
        }


def test_nothing_is_asked_twice(store: ResponseStore) -> None:
    with ChatServer(answer) as server:
        first = label(server, store)
        asked = len(server.requests)
        assert label(server, store, Quality(model="judge", concurrency=1)) == first
        assert len(server.requests) == asked == len(TEXTS)


def test_an_invalid_answer_is_asked_again_differently_and_then_counted(store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        number = int(text_in(request)[-2:])
        if number == 10 or (number == 11 and request.body["temperature"] == 0):
            return chat_reply("とても良い文章です。")
        return answer(request)

    with ChatServer(plan) as server:
        found = label(server, store)
    assert found[10] == Label("invalid", None, 3)
    assert found[11].status == "valid"
    assert found[11].attempts == 2
    retries = [request.body for request in server.requests if text_in(request)[-2:] == "10"]
    assert [body["temperature"] for body in retries] == [0.0, RETRY_TEMPERATURE, RETRY_TEMPERATURE]
    assert len({body["seed"] for body in retries}) == 3


def test_a_refused_request_is_counted_not_fatal(store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(400, b"too long") if text_in(request).endswith("12") else answer(request)

    with ChatServer(plan) as server:
        found = label(server, store)
    assert found[12] == Label("request_refused", None, 1)
    assert sum(one.status == "valid" for one in found.values()) == len(TEXTS) - 1


def test_an_endpoint_that_is_down_is_one_message(store: ResponseStore) -> None:
    with pytest.raises(InputError, match="no answer after"):
        label_documents(TEXTS, Quality(model="judge"), unused_url(), store, SilentTask(), retry=quick())


def test_a_server_that_dies_half_way_loses_no_answer(store: ResponseStore) -> None:
    def plan(request: Request, times: int) -> Reply:
        return Reply(401, b"no more") if text_in(request).endswith("16") else answer(request)

    with ChatServer(plan) as server, pytest.raises(InputError, match="401"):
        label(server, store, Quality(model="judge", concurrency=1))
    with ChatServer(answer) as server:
        found = label(server, store, Quality(model="judge", concurrency=1))
        assert len(server.requests) == 6
    assert len(found) == len(TEXTS)


@pytest.mark.parametrize("structured", [True, False])
def test_the_schema_is_sent_only_where_wanted(store: ResponseStore, structured: bool) -> None:
    with ChatServer(answer) as server:
        label(server, store, Quality(model="judge", structured=structured))
    assert all(("response_format" in request.body) == structured for request in server.requests)
    assert {request.body["model"] for request in server.requests} == {"judge"}
