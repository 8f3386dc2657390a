"""The journal: kept lines, cut lines, other work, other processes."""

import resource
import signal
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.serving.batch_journal import Journal

WORK = {"input": "a", "tasks": "b"}


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.csv.journal"
    with Journal(path, WORK) as journal:
        for number in (2, 1, 3):
            journal.add(number, {"id": f"記{number}"})
    with Journal(path, WORK) as journal:
        assert len(journal) == 3 and 2 in journal and 4 not in journal
        assert [entry["id"] for entry in journal.entries()] == ["記1", "記2", "記3"]
        assert [entry["id"] for entry in journal.entries(2)] == ["記1", "記2"]
        journal.add(4, {"id": "記4"})
        assert [entry["number"] for entry in journal.entries()] == [1, 2, 3, 4]
        journal.remove()
    assert not path.exists()


def test_a_journal_cut_off_anywhere_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, WORK) as journal:
        for number in range(1, 4):
            journal.add(number, {"id": "記録"})
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Journal(path, WORK) as journal:
            assert len(journal) == max(0, sum(end <= cut for end in ends) - 1)
            for number in range(1, 4):
                if number not in journal:
                    journal.add(number, {"id": "記録"})
        assert path.read_bytes() == whole


def test_other_work_is_refused_and_named(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", WORK):
        pass
    with pytest.raises(InputError, match="another tasks"):
        Journal(tmp_path / "journal", {**WORK, "tasks": "c"})


@pytest.mark.parametrize("line", [b"no JSON\n", b"[]\n", b'{"id": "x"}\n', b'{"number": "1"}\n'])
def test_a_damaged_journal_is_refused(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, WORK) as journal:
        journal.add(1, {})
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(InputError, match="damaged"):
        Journal(path, WORK)
    path.write_bytes(line)
    with pytest.raises(InputError):
        Journal(path, WORK)


def test_any_flipped_bit_of_a_kept_line_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, WORK) as journal:
        journal.add(1, {"results": ["発熱"]})
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for place in range(second, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"damaged(.|\n)*line 2"):
            Journal(path, WORK)


def test_a_full_disk_is_one_message_and_the_journal_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for room in (0, 10):  # nothing of the first line, and half of it
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
            with pytest.raises(InputError):
                Journal(path, WORK)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with Journal(path, WORK) as journal:
            journal.add(1, {"id": "a"})
            for room in (0, 10):
                resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, hard))
                with pytest.raises(InputError):
                    journal.add(2, {"id": "b"})
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert 2 not in journal
            journal.add(2, {"id": "b"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    with Journal(path, WORK) as journal:
        assert [entry["id"] for entry in journal.entries()] == ["a", "b"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", WORK), pytest.raises(InputError, match="another process"):
        Journal(tmp_path / "journal", WORK)
    with Journal(tmp_path / "journal", WORK):
        pass
