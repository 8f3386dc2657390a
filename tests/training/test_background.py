"""Work in the background: one at a time, and no error is lost."""

import threading

import pytest

from igakulm.errors import InputError
from igakulm.training.background import Background


def fail() -> None:
    raise InputError("the disk is full")


def test_work_goes_on_beside_and_leaving_waits() -> None:
    gate, done = threading.Event(), []

    def work() -> None:
        gate.wait(60)
        done.append(1)

    with Background() as background:
        background.start(work)
        background.check()
        assert not done
        gate.set()
    assert done == [1]


def test_the_second_waits_for_the_first() -> None:
    order: list[int] = []
    gate = threading.Event()

    def first() -> None:
        gate.wait(60)
        order.append(1)

    with Background() as background:
        background.start(first)
        threading.Timer(0.05, gate.set).start()
        background.start(lambda: order.append(2))
    assert order == [1, 2]


@pytest.mark.parametrize("ask", ["check", "wait", "start", "leave"])
def test_an_error_surfaces_once(ask: str) -> None:
    background = Background()
    with pytest.raises(InputError, match="disk is full"), background:
        background.start(fail)
        assert background._thread is not None
        background._thread.join()
        if ask == "start":
            background.start(lambda: None)
        elif ask != "leave":
            getattr(background, ask)()
    background.check()
    background.wait()


def test_the_error_of_the_block_comes_first() -> None:
    with pytest.raises(KeyError), Background() as background:
        background.start(fail)
        raise KeyError("block")
