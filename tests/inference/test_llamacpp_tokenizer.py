"""llama.cpp's own tokenizer beside ours: ids of text in a child that may die."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from igakulm.bundle.gguf import write_gguf
from igakulm.errors import InputError
from igakulm.inference import llamacpp_tokenizer
from igakulm.inference.llamacpp import available
from igakulm.inference.llamacpp_tokenizer import LlamaCppTokenizer, compare_with_llamacpp
from igakulm.progress import SilentProgress
from tiny_bundle import encoder, write_model

needs_llamacpp = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
LINES = ["高血圧症の患者は、夜に咳が出る。", "鱻の音", "<|user|> </s> <0x41>", " 夜  の  音 ", "a\ud800b", "前\0後"]


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model(tmp_path_factory.mktemp("model"))
    write_gguf(folder, folder / "model.gguf", "q8_0", "tiny")
    return folder / "model.gguf"


@pytest.fixture(scope="module")
def tokenizer(gguf: Path) -> Iterator[LlamaCppTokenizer]:
    with LlamaCppTokenizer(gguf) as started:
        yield started


@needs_llamacpp
def test_text_stays_text_and_is_ours_but_for_unknown_characters(tokenizer: LlamaCppTokenizer) -> None:
    ours = encoder()
    plain, unknown, control, spaces = tokenizer.encode_batch(LINES[:4])
    assert [plain, control, spaces] == ours.encode_batch([LINES[0], LINES[2], LINES[3]])
    assert unknown is not None and ours.unk in unknown  # ours are three bytes


@needs_llamacpp
def test_more_lines_than_one_connection_takes(tokenizer: LlamaCppTokenizer) -> None:
    found = tokenizer.encode_batch(["咳"] * 300)
    assert found == [encoder().encode("咳")] * 300


@needs_llamacpp
def test_a_killed_process_is_started_again(gguf: Path) -> None:
    with LlamaCppTokenizer(gguf) as tokenizer:
        os.kill(tokenizer._process.pid, signal.SIGKILL)
        assert tokenizer.encode_batch(["咳", "夜"]) == encoder().encode_batch(["咳", "夜"])
        assert tokenizer.crashes == 0  # no line is to blame


@needs_llamacpp
def test_agreement(gguf: Path) -> None:
    found = compare_with_llamacpp(encoder(), gguf, LINES[:4], SilentProgress())
    assert (found["lines"], found["equal"], found["equal_share"]) == (4, 3, 0.75)
    assert (found["with_unknown"], found["refused"], found["crashed"]) == (1, 0, 0)
    assert found["tokens_ours"] == found["tokens_llamacpp"] + 2
    assert found["differences"][0] == {
        "ours": ["<0xE9>", "<0xB1>", "<0xBB>", "の", "音"],
        "llamacpp": ["<unk>", "の", "音"],
    }
    strange = compare_with_llamacpp(encoder(), gguf, LINES, SilentProgress())
    assert strange["lines"] == 6 and strange["crashed"] == 0


@needs_llamacpp
def test_not_the_file_of_this_tokenizer(gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = encoder()
    monkeypatch.setattr(ours, "size", 70_000)
    with pytest.raises(InputError, match="70,000"):
        compare_with_llamacpp(ours, gguf, ["咳"], SilentProgress())
    with pytest.raises(InputError, match="no lines"):
        compare_with_llamacpp(ours, gguf, [], SilentProgress())
    (tmp_path / "no.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match=r"no\.gguf"):
        compare_with_llamacpp(ours, tmp_path / "no.gguf", ["咳"], SilentProgress())


class Mortal:
    """A process that dies of the word `死`."""

    started = 0

    def __init__(self, path: Path, **_: Any) -> None:
        Mortal.started += 1
        self._dead = False

    def ask(self, tokenize: list[str]) -> dict[str, Any]:
        self._dead = self._dead or any("死" in text for text in tokenize)
        if self._dead:
            raise RuntimeError("exit code -6")
        return {"ids": [[len(text)] for text in tokenize]}

    def close(self) -> None:
        pass


def test_lines_that_end_the_process_are_counted_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llamacpp_tokenizer, "LlamaCppProcess", Mortal)
    Mortal.started = 0
    tokenizer = LlamaCppTokenizer(Path("m.gguf"))
    assert tokenizer.encode_batch(["一", "死", "二つ", "死ぬ"]) == [[1], None, [2], None]
    assert tokenizer.crashes == 2 and Mortal.started == 4
    with pytest.raises(InputError, match="died of 21 lines"):
        tokenizer.encode_batch(["死"] * 100)
