"""Endpoints whose model is exchanged in the middle of an evaluation or between two runs of it, or is not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat_server import ChatServer, Clock, Plan, Reply, Request, chat_reply, letters_reply
from igakulm.asking.client import EndpointError, ResponseStore, Retry
from igakulm.evaluation.same_model import WITNESSES, SameModel
from igakulm.inference.endpoint import Endpoint
from igakulm.inference.engine import TextRequest


def said(model: str) -> Plan:
    return lambda request, times: chat_reply(f"{model}の答えは{request.question}")


def asked(*numbers: int) -> list[TextRequest]:
    return [TextRequest(({"role": "user", "content": str(number)},), max_tokens=64) for number in numbers]


def opened(url: str, store: ResponseStore | None) -> SameModel:
    clock = Clock()
    retry = Retry(attempts=2, sleep=clock.sleep, clock=clock, now=clock)
    return SameModel(Endpoint(url, "small", store, retry=retry), Endpoint(url, "small", None, retry=retry), store)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with closing(ResponseStore(tmp_path / "answers.sqlite")) as opened:
        yield opened


def test_one_model_is_asked_a_few_questions_twice_and_answers_are_its_own(store: ResponseStore) -> None:
    with ChatServer(said("甲")) as server:
        model = opened(server.url, store)
        assert [answer.text for answer in model.answer(asked(1, 2, 3, 4))] == [f"甲の答えは{n}" for n in (1, 2, 3, 4)]
        model.answer(asked(5))
        assert len(server.requests) == 5 + 2 * WITNESSES
    assert opened(server.url, store).answer(asked(1, 5))[1].text == "甲の答えは5", "kept answers need no server"


def test_an_exchange_in_mid_run_is_noticed_at_the_end_of_the_task() -> None:
    with ChatServer(said("甲")) as server:
        model = opened(server.url, None)
        model.answer(asked(1, 2, 3))
        server.plan = said("乙")
        with pytest.raises(EndpointError, match=r"exchanged .* it answers 3 questions otherwise") as told:
            model.answer(asked(4, 5))
    assert told.value.hint and "--out" in told.value.hint


def test_an_exchange_between_two_runs_is_noticed_before_anything_new_is_kept(store: ResponseStore) -> None:
    with ChatServer(said("甲")) as server:
        opened(server.url, store).answer(asked(1, 2, 3))
        server.plan = said("乙")
        kept = len(store)
        with pytest.raises(EndpointError, match="exchanged"):
            opened(server.url, store).answer(asked(1, 2, 3, 4))
    assert len(store) == kept


def test_letters_of_another_model_are_other_letters(store: ResponseStore) -> None:
    letters = [TextRequest(({"role": "user", "content": str(n)},), letters=("A", "B")) for n in range(4)]

    def plan(shift: float) -> Plan:
        return lambda request, times: letters_reply({"A": -0.5 - shift, "B": -1.0})

    with ChatServer(plan(0.0)) as server:
        opened(server.url, store).answer(letters[:2])
        server.plan = plan(0.2)
        opened(server.url, store).answer(letters[:3])
        server.plan = plan(0.8)
        with pytest.raises(EndpointError, match="exchanged"):
            opened(server.url, store).answer(letters)


def test_a_server_that_never_answers_twice_alike_is_not_accused() -> None:
    numbers = itertools.count()
    with ChatServer(lambda request, times: chat_reply(f"{next(numbers)}番目の答え")) as server:
        model = opened(server.url, None)
        model.answer(asked(1, 2, 3))
        assert len(model.answer(asked(4))) == 1


def test_what_the_server_says_about_its_model_counts(store: ResponseStore) -> None:
    with ChatServer(said("甲")) as server:
        server.models = [{"id": "other", "created": 1}, {"id": "small", "created": 1, "meta": {"n_params": 270}}]
        opened(server.url, store).answer(asked(1, 2))
        server.models = [{"id": "small", "created": 2, "meta": {"n_params": 270}}]
        opened(server.url, store).answer(asked(1, 2, 3))
        server.models = [{"id": "small", "created": 2, "meta": {"n_params": 1000}}]
        with pytest.raises(EndpointError, match="another: meta"):
            opened(server.url, store).answer(asked(1, 2, 3, 4))


def test_answers_that_name_another_model() -> None:
    def plan(request: Request, times: int) -> Reply:
        reply = chat_reply("A")
        return Reply(body=reply.body.replace(b"{", b'{"model": "m-%s", ' % request.question.encode(), 1))

    with ChatServer(plan) as server, pytest.raises(EndpointError, match="its answers name m-1 and m-2"):
        opened(server.url, None).answer(asked(1, 2))
