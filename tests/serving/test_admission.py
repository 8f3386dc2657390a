"""AdmissionQueue: in order of arrival, from any thread and event loop, and never lost with the loop of a request."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from igakulm.inference.model import Model
from igakulm.serving.admission import AdmissionQueue, Busy, WaitedTooLong
from igakulm.serving.dispatcher import BadRequest, Dispatcher, Limits
from igakulm.serving.server import create_app
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder

TINY = encoder()
ASK = {"messages": [{"role": "user", "content": "咳が出る。"}], "max_tokens": 3}
pytestmark = pytest.mark.timeout(60)


def settled(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true; a busy machine has half a minute."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def test_turns_come_in_order_of_arrival() -> None:
    async def visit() -> list[int]:
        admission, order = AdmissionQueue(5), []

        async def one(number: int) -> None:
            await admission.acquire()
            order.append(number)
            await asyncio.sleep(0)
            admission.release()

        await admission.acquire()
        waiting = [asyncio.create_task(one(number)) for number in range(5)]
        while admission.waiting < 5:
            await asyncio.sleep(0)
        with pytest.raises(Busy):
            await admission.acquire()
        admission.release()
        await asyncio.gather(*waiting)
        assert (admission.running, admission.waiting) == (0, 0)
        return order

    assert asyncio.run(visit()) == list(range(5))


def test_a_turn_given_back_after_its_loop_has_ended_lets_the_next_one_in() -> None:
    """The request's loop ends while its work still runs in the thread."""
    dispatcher = Dispatcher(Model(ScriptedEngine(TINY, "糖"), TINY, "m", "scripted"), Limits(seconds=0.01))
    gate = threading.Event()
    with pytest.raises(BadRequest, match="longer than"):
        asyncio.run(dispatcher.run(gate.wait))
    assert dispatcher.admission.running == 1
    gate.set()
    assert asyncio.run(dispatcher.run(lambda: "next")) == "next"
    assert dispatcher.admission.running == 0


def test_a_waiter_on_another_loop_is_woken_from_the_thread_of_the_work() -> None:
    dispatcher = Dispatcher(Model(ScriptedEngine(TINY, "糖"), TINY, "m", "scripted"))
    gate, got = threading.Event(), []
    first = threading.Thread(target=lambda: asyncio.run(dispatcher.run(gate.wait)))
    second = threading.Thread(target=lambda: got.append(asyncio.run(dispatcher.run(lambda: "second"))))
    first.start()
    assert settled(lambda: dispatcher.admission.running == 1)
    second.start()
    assert settled(lambda: dispatcher.admission.waiting == 1)
    gate.set()
    for thread in (first, second):
        thread.join()
    assert got == ["second"] and dispatcher.admission.running == 0


def test_a_waiter_whose_loop_stopped_without_a_word_blocks_nobody() -> None:
    admission = AdmissionQueue(1)
    asyncio.run(admission.acquire())
    loop = asyncio.new_event_loop()
    left = loop.create_task(admission.acquire())
    loop.run_until_complete(asyncio.sleep(0))  # the waiter has entered the queue, and its loop goes no further
    assert not left.done()

    async def visit() -> None:
        task = asyncio.create_task(admission.acquire())  # the dead one does not fill the queue
        await asyncio.sleep(0)
        admission.release()
        await task

    asyncio.run(visit())
    assert admission.running == 1 and admission.waiting == 0
    left.cancel()
    loop.run_until_complete(asyncio.gather(left, return_exceptions=True))
    loop.close()
    assert admission.running == 1


def test_who_stops_waiting_when_its_turn_comes_passes_it_on() -> None:
    async def visit() -> None:
        admission = AdmissionQueue(3)
        await admission.acquire()
        first, second = asyncio.create_task(admission.acquire()), asyncio.create_task(admission.acquire())
        while admission.waiting < 2:
            await asyncio.sleep(0)
        admission.release()  # wakes the first, which is cancelled before it can enter
        first.cancel()
        await second
        assert first.cancelled() and (admission.running, admission.waiting) == (1, 0)

    asyncio.run(visit())


def test_waiting_has_an_end() -> None:
    async def visit() -> None:
        admission = AdmissionQueue(2, seconds=0.02)
        await admission.acquire()
        with pytest.raises(WaitedTooLong):
            await admission.acquire()
        assert (admission.running, admission.waiting) == (1, 0)

    asyncio.run(visit())


def test_a_model_that_never_ends_is_answered_with_503() -> None:
    engine = ScriptedEngine(TINY, "糖尿病です。")
    engine.gate.clear()
    app = create_app(engine, TINY, "tiny", limits=Limits(seconds=0.05, turn_seconds=0.05))
    web = TestClient(app, base_url="http://localhost")
    web.post("/v1/chat/completions", json=ASK)  # ends at its time limit; its thread still hangs in the engine
    for path, body in (("/v1/chat/completions", ASK), ("/v1/chat/completions", {**ASK, "stream": True})):
        answer = web.post(path, json=body)
        assert answer.status_code == 503 and answer.json()["error"]["code"] == "busy"
        assert "no turn" in answer.json()["error"]["message"] and answer.headers["retry-after"]
    answer = web.post("/api/extract", json={"task": "finding", "text": "咳が出る。"})
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "busy"
    engine.gate.set()
    assert settled(lambda: not engine.running)
    assert web.post("/v1/chat/completions", json=ASK).status_code == 200


def test_requests_that_each_have_a_loop_never_wait_for_a_lost_turn() -> None:
    """starlette's test client opens a loop a request; the answers' threads end after it."""
    engine = ScriptedEngine(TINY, "糖尿病です。")
    web = TestClient(create_app(engine, TINY, "tiny"), base_url="http://localhost")
    for _ in range(50):
        assert web.post("/v1/chat/completions", json=ASK).status_code == 200


@pytest.mark.parametrize("lanes", [1, 3])
def test_crowds_on_many_loops_with_cancellations_leave_every_turn_free(lanes: int) -> None:
    admission, lock = AdmissionQueue(100, lanes), threading.Lock()
    inside, most, answered = 0, 0, 0

    async def one(patience: float) -> None:
        nonlocal inside, most, answered
        async with asyncio.timeout(patience):
            await admission.acquire()
        with lock:
            inside += 1
            most = max(most, inside)
        await asyncio.sleep(0.0005)
        with lock:
            inside -= 1
            answered += 1
        admission.release()

    async def crowd(seed: int) -> None:
        draw = random.Random(seed)
        visits = [one(draw.choice([0.0, 0.001, 0.003, 30.0])) for _ in range(12)]
        await asyncio.gather(*visits, return_exceptions=True)

    threads = [threading.Thread(target=asyncio.run, args=(crowd(seed),)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (admission.running, admission.waiting) == (0, 0) and 0 < most <= lanes and answered >= 8


def test_a_turn_is_free_before_its_request_hears_of_the_end() -> None:
    dispatcher = Dispatcher(Model(ScriptedEngine(TINY, "糖"), TINY, "m", "scripted"))

    async def visits() -> set[int]:
        found = set()
        for _ in range(100):
            await dispatcher.run(lambda: None)
            found.add(dispatcher.admission.running)
        return found

    assert asyncio.run(visits()) == {0}
