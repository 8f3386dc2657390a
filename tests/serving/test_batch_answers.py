"""Several records under way: the journal keeps their order, and a stop costs only what was under way."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.serving.batch_answers import AHEAD, FAILURES_IN_A_ROW, Answered, answer_all, tried
from igakulm.serving.batch_journal import Journal

WORK = {"input": "x"}


def nothing(answered: Answered) -> None:
    """Told, and silent."""


def kept(path: Path, answer: Callable[[int], Answered], at_once: int, records: int = 12) -> list[int]:
    """Numbers in the order in which the journal holds them."""
    with Journal(path, WORK) as journal:
        answer_all(((number, number) for number in range(1, records + 1)), answer, journal, at_once, nothing)
        return [entry["n"] for entry in journal.entries()]


def test_so_many_run_at_once_and_the_journal_keeps_the_order(tmp_path: Path) -> None:
    together, begun = threading.Barrier(3), []

    def answer(number: int) -> Answered:
        begun.append(number)
        together.wait(60)  # breaks unless three records are under way
        return Answered({"n": number})

    assert kept(tmp_path / "j", answer, 3) == list(range(1, 13))
    assert sorted(begun) == list(range(1, 13))
    again: list[int] = []

    def never(number: int) -> Answered:
        again.append(number)
        return Answered({"n": number})

    assert kept(tmp_path / "j", never, 3) == list(range(1, 13)) and not again


def test_a_stop_costs_only_what_was_under_way(tmp_path: Path) -> None:
    def stopped(number: int) -> Answered:
        if number == 7:
            raise KeyboardInterrupt
        return Answered({"n": number})

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path / "j", stopped, 2)
    asked: list[int] = []

    def answer(number: int) -> Answered:
        asked.append(number)
        return Answered({"n": number})

    assert kept(tmp_path / "j", answer, 2) == list(range(1, 13))
    assert min(asked) > 7 - AHEAD * 2 and 7 in asked


@pytest.mark.parametrize("at_once", [1, 3])
def test_failures_in_a_row_stop_the_batch_and_are_not_kept(tmp_path: Path, at_once: int) -> None:
    def dying(number: int) -> Answered:
        return Answered({"n": number}, "it died" if number in (2, 5, 6, 7) else "")

    with pytest.raises(InputError, match=rf"{FAILURES_IN_A_ROW} records in a row failed \(it died\)"):
        kept(tmp_path / "j", dying, at_once)
    with Journal(tmp_path / "j", WORK) as journal:
        assert [number for number in range(1, 13) if number in journal] == [1, 2, 3, 4]


def test_an_answer_is_asked_for_again_when_the_process_died() -> None:
    deaths = iter([EngineFailed("1"), EngineFailed("2")])

    def ask() -> str:
        for death in deaths:
            raise death
        return "熱"

    assert tried(ask) == "熱"
    with pytest.raises(EngineFailed):
        tried(lambda: (_ for _ in ()).throw(EngineFailed("3")))


def test_none_at_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        kept(tmp_path / "j", lambda number: Answered({"n": number}), 0)
