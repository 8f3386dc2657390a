import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from igakulm.asking.store import ResponseStore
from igakulm.errors import InputError


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the groups that are committed."""
    sizes: list[int] = []
    put_many = ResponseStore.put_many

    def counting(store: ResponseStore, rows: Any) -> None:
        kept = list(rows)
        sizes.append(len(kept))
        put_many(store, kept)

    monkeypatch.setattr(ResponseStore, "put_many", counting)
    return sizes


def test_answers_at_one_time_are_one_group_and_each_put_waits_for_it(tmp_path: Path, groups: list[int]) -> None:
    async def work(store: ResponseStore) -> None:
        group = store.groups

        async def keep(number: int) -> None:
            await group.put(f"k{number}", {"n": number}, {"answer": number})
            with closing(ResponseStore(store.path)) as other:
                assert other.get(f"k{number}") == {"answer": number}, "on the disk before put returns"

        await asyncio.gather(*(keep(number) for number in range(40)))

    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        asyncio.run(work(store))
        assert len(store) == 40
    assert sum(groups) == 40 and len(groups) <= 3


def test_answers_that_arrive_during_a_commit_are_the_next_group(
    tmp_path: Path, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_many, release = ResponseStore.put_many, threading.Event()

    def slow(store: ResponseStore, rows: Any) -> None:
        release.wait(60)
        put_many(store, rows)

    monkeypatch.setattr(ResponseStore, "put_many", slow)

    async def work(store: ResponseStore) -> None:
        first = asyncio.create_task(store.groups.put("first", {}, {"n": 0}))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(store.groups.put(str(n), {}, {"n": n})) for n in range(9)]
        await asyncio.sleep(0.01)
        assert not first.done() and not any(task.done() for task in others)
        release.set()
        await asyncio.gather(first, *others)

    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        asyncio.run(work(store))
        assert store.keys() == {"first", *map(str, range(9))}
        assert store.has("first") and not store.has("absent")
    assert groups == [1, 9]


def test_a_group_that_cannot_be_written_is_an_error_for_each_of_its_answers(tmp_path: Path) -> None:
    async def work(store: ResponseStore) -> list[Any]:
        group = store.groups
        store.close()
        return await asyncio.gather(*(group.put(str(n), {}, {}) for n in range(3)), return_exceptions=True)

    found = asyncio.run(work(ResponseStore(tmp_path / "a.sqlite")))
    assert [type(error) for error in found] == [InputError] * 3
    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        assert len(store) == 0


def test_an_asker_that_is_cancelled_loses_no_answer(tmp_path: Path) -> None:
    async def work(store: ResponseStore) -> None:
        group = store.groups
        asking = asyncio.create_task(group.put("paid", {}, {"n": 1}))
        other = asyncio.create_task(group.put("too", {}, {"n": 2}))
        await asyncio.sleep(0)
        asking.cancel()
        await other
        group.flush()

    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        asyncio.run(work(store))
        assert store.get("paid") == {"n": 1}


def test_a_client_that_ends_wakes_the_askers_of_another(tmp_path: Path) -> None:
    async def work(store: ResponseStore) -> None:
        asking = [asyncio.create_task(store.groups.put(str(n), {}, {})) for n in range(3)]
        await asyncio.sleep(0)
        store.groups.flush()
        await asyncio.gather(*asking)

    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        asyncio.run(asyncio.wait_for(work(store), 10))
        assert len(store) == 3


def test_the_first_answer_for_a_key_stays(tmp_path: Path) -> None:
    with closing(ResponseStore(tmp_path / "a.sqlite")) as store:
        store.put_many([("k", {}, {"n": 1}), ("k", {}, {"n": 2})])
        store.put("k", {}, {"n": 3})
        assert (store.get("k"), len(store)) == ({"n": 1}, 1)


def test_japanese_is_kept_as_it_is_and_rows_of_ascii_json_are_read(tmp_path: Path) -> None:
    answer, broken = {"text": "咳と熱。" * 500}, {"text": "咳\ud800", "score": float("-inf")}
    path = tmp_path / "a.sqlite"
    with closing(ResponseStore(path)) as store:
        store.put_many([("new", {}, answer), ("broken", {}, broken)])
    with closing(sqlite3.connect(path)) as database:
        assert "咳と熱" in database.execute("SELECT answer FROM responses WHERE key = 'new'").fetchone()[0]
        # So were they written before.
        database.execute("INSERT INTO responses VALUES ('old', '{}', ?)", (json.dumps(answer),))
        database.commit()
    with closing(ResponseStore(path)) as store:
        assert store.get("new") == store.get("old") == answer
        assert store.get("broken") == broken
