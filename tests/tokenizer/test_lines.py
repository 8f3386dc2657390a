"""Standard input to ids and back: every line, any length, and the line of a mistake."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz_text import fuzz_texts
from igakulm.errors import InputError
from igakulm.tokenizer import lines
from igakulm.tokenizer.encode import TextEncoder
from igakulm.tokenizer.lines import decode_stream, encode_stream
from igakulm.tokenizer.padding import padded


class Trickle(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(random.Random(self.tell()).randint(1, 40))


def encoded(folder: Path, data: bytes, runtime: str | None = None) -> list[list[int]]:
    text = "".join(encode_stream(folder, io.BytesIO(data), runtime))
    assert "".join(encode_stream(folder, Trickle(data), runtime)) == text
    assert text == "" or text.endswith("]\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("runtime", ["plain", "mecab"])
def test_a_list_for_every_line(plain: TextEncoder, runtime: str) -> None:
    encoder = TextEncoder.load(plain.folder, runtime)
    texts = ["患者は", "", "a\r", "\0", "x\u2028y\u2029z\x85\v\f\x1c", "\ufeff最初", "▁ ▁", "<|user|>", "最後"]
    data = "\n".join(texts).encode()
    expected = encoder.encode_batch(texts)
    assert encoded(plain.folder, data, runtime) == encoded(plain.folder, data + b"\n", runtime) == expected
    back = "".join(decode_stream(plain.folder, (json.dumps(ids).encode() for ids in expected)))
    assert back == "".join(text + "\n" for text in texts)


def test_ends_of_input(plain: TextEncoder) -> None:
    assert encoded(plain.folder, b"") == []
    assert encoded(plain.folder, b"\n") == [[]]
    assert encoded(plain.folder, b"\n\na") == [[], [], plain.encode("a")]
    assert encoded(plain.folder, b"a\r\n\r\n") == [plain.encode("a\r"), plain.encode("\r")]


@pytest.mark.parametrize("runtime", ["plain", "mecab"])
@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_long_lines_in_parts(plain: TextEncoder, runtime: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", chunk)
    monkeypatch.setattr("igakulm.tokenizer.encode.PART_CHARACTERS", 50)
    encoder = TextEncoder.load(plain.folder, runtime)
    texts = ["患者は急性心筋梗塞の診断で入院し、。。内服を開始した。" * 20, "", "あ" * 500, "。", "x。y" * 50]
    texts += [text.replace("\n", "。") for text in fuzz_texts(60, seed=5)]
    assert encoded(plain.folder, "\n".join(texts).encode(), runtime) == encoder.encode_batch(texts)


@pytest.mark.parametrize(
    "bad", [b"\x8a\xb3\x8e\xd2", b"\xff", b"\xe3\x81", b"a\xed\xa0\x80b", b"\xc0\x80", b"\xf4\x90\x80\x80"]
)
def test_what_is_not_utf8_names_its_line(plain: TextEncoder, bad: bytes) -> None:
    for before in (b"", "一。\n\n二\n".encode()):
        given: list[str] = []
        with pytest.raises(InputError, match=f"line {before.count(10) + 1} of") as caught:
            for part in encode_stream(plain.folder, io.BytesIO(before + bad + b"\nafter\n")):
                given.append(part)
        assert "iconv" in str(caught.value)
        assert len("".join(given).splitlines()) == before.count(10), "the lines before it were given"


def test_a_mistake_late_in_a_long_line_names_its_line(plain: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", 16)
    data = "一行目\n".encode() + "長い。".encode() * 50 + b"\xff\n"
    with pytest.raises(InputError, match="line 2 of"):
        list(encode_stream(plain.folder, io.BytesIO(data)))


NO_IDS = ("[1, 2", "{}", '["a"]', "[true]", "[1.5]", "[99999]", "[-1]", "[1e400]", "\xff", "null")


@pytest.mark.parametrize("line", [*NO_IDS, "[" * 100_000, f"[{'9' * 5000}]"], ids=lambda line: line[:8])
def test_lines_that_hold_no_ids_name_their_line(plain: TextEncoder, line: str) -> None:
    given: list[str] = []
    with pytest.raises(InputError, match="line 3 of"):
        for text in decode_stream(plain.folder, [b"[300]\n", b"\r\n", line.encode("latin-1")]):
            given.append(text)
    assert given == [plain.decode([300]) + "\n", "\n"]


def test_the_first_id_beyond_the_vocabulary(plain: TextEncoder) -> None:
    assert list(decode_stream(plain.folder, [f"[{plain.size - 1}]".encode()])) == ["\n"]
    beyond = padded(plain.size)  # a model's embedding may have rows up to here
    assert list(decode_stream(plain.folder, [f"[{beyond - 1}]".encode()])) == ["\n"]
    with pytest.raises(InputError, match=f"{beyond} is no id of a vocabulary of {plain.size}"):
        list(decode_stream(plain.folder, [f"[{beyond}]".encode()]))


def test_what_decodes_to_nothing_or_to_broken_text(plain: TextEncoder) -> None:
    control = [plain.bos, plain.user, plain.eos, plain.unk]
    first = plain.encode("\u2063")[:1]
    given = [json.dumps(ids).encode() for ids in ([], control, first, [plain.newline], [plain.size - 1])]
    assert list(decode_stream(plain.folder, given)) == ["\n", "\n", "\ufffd\n", "\n\n", "\n"]


def command(folder: Path, action: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "igakulm", "tokenizer", action, "--tokenizer", str(folder), *words]


def test_the_commands_whatever_the_terminal(plain_folder: Path) -> None:
    data = "患者は𠮟る\r\n\n\0▁<|user|>\u2028".encode()
    environment = {**os.environ, "PYTHONIOENCODING": "euc_jp", "LC_ALL": "C"}
    for runtime in ("plain", "mecab"):
        words = command(plain_folder, "encode", "--runtime", runtime)
        ids = subprocess.run(words, input=data, capture_output=True, env=environment, check=True).stdout
        text = subprocess.run(
            command(plain_folder, "decode"), input=ids, capture_output=True, env=environment, check=True
        ).stdout
        assert text == data + b"\n"
    refused = subprocess.run(command(plain_folder, "encode"), input=b"\xff", capture_output=True, env=environment)
    assert refused.returncode == 2 and refused.stdout == b""
    assert b"line 1 of standard input" in refused.stderr and b"Traceback" not in refused.stderr


MEASURED = """
import sys
from pathlib import Path
from igakulm.tokenizer.lines import encode_stream
size = sum(part.count(",") + 1 for part in encode_stream(Path(sys.argv[1]), sys.stdin.buffer, sys.argv[2]))
status = Path("/proc/self/status").read_text()  # getrusage would tell the peak of whoever started this process
print(size, int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("runtime", ["plain", "mecab"])
@pytest.mark.parametrize(
    ("unit", "most"), [("患者は急性心筋梗塞の診断で入院した。", 150), ("糖尿病の薬を", 700), ("の", 1200)]
)
def test_a_hundred_megabytes_in_one_line(plain_folder: Path, runtime: str, unit: str, most: int) -> None:
    """Memory of the process in MiB: flat with sentences, a few times the line without any."""
    size = 100_000_000 if unit.endswith("。") or runtime == "plain" else 20_000_000
    data = unit.encode() * (size // len(unit.encode()))
    words = [sys.executable, "-c", MEASURED, str(plain_folder), runtime]
    done = subprocess.run(words, input=data, capture_output=True, check=True)
    tokens, mebibytes = map(int, done.stdout.split())
    assert tokens > 1_000_000
    assert mebibytes < most, (tokens, mebibytes)
