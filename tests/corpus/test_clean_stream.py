from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.corpus.clean_stream import clean_stream
from igakulm.errors import InputError


def test_clean_stream_of_lines_and_of_json() -> None:
    lines = ["ＣＴ検査．\n".encode(), b"\n", "電話03-1234-5678\r\n".encode()]
    assert list(clean_stream(lines, None)) == ["CT検査。", "", "電話"]
    row = '{"id": 1, "body": "３８．５℃．"}'
    assert [json.loads(line) for line in clean_stream([row], "body")] == [{"id": 1, "body": "38.5℃。"}]
    with pytest.raises(InputError, match="line 2"):
        list(clean_stream([row, '{"id": 1}'], "body"))
    with pytest.raises(InputError, match="not JSON"):
        list(clean_stream(["text"], "body"))
    with pytest.raises(InputError, match="not UTF-8"):
        list(clean_stream([b"\xff"], None))


def test_with_a_report_broken_lines_come_out_blank_and_the_rest_is_kept() -> None:
    told: list[InputError] = []
    lines = [b'{"t": "A"}', b'{"t": ', b"\xff", b'{"u": "B"}', b'{"t": "C"}']
    assert list(clean_stream(lines, "t", report=told.append)) == ['{"t": "A"}', "", "", "", '{"t": "C"}']
    assert [error.where for error in told] == [f"standard input, line {number}" for number in (2, 3, 4)]


def filtered(given: bytes, *, output: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """`igakulm corpus clean` where the locale knows ASCII only."""
    environment = {"PATH": os.defpath, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "igakulm", "corpus", "clean"]
    with (output or Path(os.devnull)).open("wb") as stream:
        to = stream if output else subprocess.PIPE
        return subprocess.run(command, input=given, stdout=to, stderr=subprocess.PIPE, env=environment, check=False)


def test_the_filter_writes_utf8_and_counts_what_it_could_not_read() -> None:
    done = filtered("ＣＴ。\n".encode() + b"\xff\n" + "薬\n".encode())
    assert (done.returncode, done.stdout.decode()) == (2, "CT。\n\n薬\n")
    assert b"line 2" in done.stderr and b"could not be read: 1" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_a_message() -> None:
    done = filtered("薬\n".encode(), output=Path("/dev/full"))
    assert done.returncode == 2 and b"disk is full" in done.stderr and b"Traceback" not in done.stderr
