"""Writing replaces regular files only: devices, pipes and links stay what they are."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.files import atomic_path, write_text
from igakulm.serving.batch_extract import journal_of


def test_a_device_stays_a_device() -> None:
    before = Path("/dev/null").stat()
    write_text(Path("/dev/null"), "診療記録")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode) and (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)
    assert not list(Path("/dev").glob(".null*"))
    assert journal_of(Path("/x/in.csv"), Path("/dev/null")) == Path("/x/in.csv.journal")
    assert journal_of(Path("/x/in.csv"), Path("/y/out.csv")) == Path("/y/out.csv.journal")


def test_a_named_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    write_text(pipe, "発熱")
    reader.join(10)
    assert read == ["発熱"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link, new = tmp_path / "link", tmp_path / "new"
    (tmp_path / "real" / "file").write_text("old")
    link.symlink_to(Path("real") / "file")
    new.symlink_to(Path("real") / "later")
    for place in (link, new):
        write_text(place, "発熱")
        assert place.is_symlink() and place.resolve().parent == tmp_path / "real"
        assert place.read_text(encoding="utf-8") == "発熱"
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["file", "later"]
    with pytest.raises(ZeroDivisionError), atomic_path(link) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert link.read_text(encoding="utf-8") == "発熱"


def test_what_is_no_place_for_a_file_is_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    for place in (one, tmp_path):
        with pytest.raises(InputError):
            write_text(place, "x")
    assert one.is_symlink() and tmp_path.is_dir()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output(name: str, tmp_path: Path) -> None:
    script = f"from pathlib import Path; from igakulm.files import write_text; write_text(Path({name!r}), '発熱')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=tmp_path, check=True, timeout=60)
    assert done.stdout.decode() == "発熱" and not list(tmp_path.iterdir())
