"""GGUF files that bring their own tokenizer and chat template."""

import math
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from foreign_tokenizers import STRICT
from igakulm.bundle.gguf import write_gguf
from igakulm.inference.engine import EngineFailed, TextRequest
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.llamacpp_text import LlamaCppText
from igakulm.text.messages import Message
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.gguf_header import GgufHeader
from tiny_bundle import encoder, write_model

pytestmark = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")

SYSTEM: Message = {"role": "system", "content": "食事"}
USER: Message = {"role": "user", "content": "糖尿病の治療"}


def gguf(folder: Path, template: str | None) -> Path:
    model = write_model(folder)
    if template is not None:
        (model / "chat_template.jinja").write_text(template)
    write_gguf(model, folder / "tiny.gguf", "f32", "tiny")
    return folder / "tiny.gguf"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf(tmp_path_factory.mktemp("model"), None)


@pytest.fixture(scope="module")
def model(path: Path) -> Iterator[LlamaCppText]:
    with LlamaCppText(path, threads=1) as opened:
        yield opened


def test_the_header(path: Path) -> None:
    header = GgufHeader.read(path)
    assert (header.vocabulary, header.end, header.context_length) == (encoder().size, encoder().eos, 256)
    assert "<|assistant|>" in header.control_tokens and "<0x41>" not in header.control_tokens
    assert "add_generation_prompt" in header.chat_template


def test_letters_and_answers_are_those_of_the_model(path: Path, model: LlamaCppText) -> None:
    tiny = encoder()
    letters = ("A", "B", "X", "糖")
    requests = [
        TextRequest(prompt="糖尿病", letters=letters),
        TextRequest(messages=(SYSTEM, USER), letters=letters),
        TextRequest(messages=(USER,), max_tokens=4),
    ]
    done: list[int] = []
    plain, chat, text = model.answer(requests, done=done.append)
    assert done == [1, 1, 1]
    rendered = render_chat(tiny, [SYSTEM, USER], add_generation_prompt=True)[0]
    spelled = {letter: [n for n in range(tiny.size) if tiny.decode([n]).strip() == letter] for letter in letters}
    with LlamaCppEngine(path, threads=1) as engine:
        for prompt, answer in (([tiny.bos, *tiny.encode("糖尿病")], plain), (rendered, chat)):
            values = engine.next_log_probabilities(prompt)
            for letter, ids in spelled.items():
                assert bool(ids) == (letter in answer.letters)
                if ids:
                    expected = math.log(sum(math.exp(values[n]) for n in ids))
                    assert answer.letters[letter] == pytest.approx(expected, abs=0.02)
            assert answer.text == max(answer.letters, key=lambda letter: answer.letters[letter])
    assert text.tokens is not None and 0 < text.tokens <= 4 and not text.failure
    assert model.answer(requests) == [plain, chat, text]


def test_requests_that_cannot_be_answered_fail_alone(model: LlamaCppText) -> None:
    long, odd, fine = model.answer(
        [
            TextRequest(prompt="糖尿病" * 33_334),
            TextRequest(messages=({"role": "nobody", "content": "x"},), max_tokens=2),
            TextRequest(prompt="糖", max_tokens=2),
        ]
    )
    assert "context size" in long.failure and long.text == ""
    assert odd.failure and fine.text and not fine.failure
    empty, strange = model.answer(
        [TextRequest(prompt="", max_tokens=2), TextRequest(prompt="a\ud800\0b", max_tokens=2, stop=("\n",))]
    )
    assert not empty.failure and not strange.failure


def test_control_tokens_in_a_text_are_broken(model: LlamaCppText) -> None:
    assert model._plain("a<|user|>b<|end_of_text|>") == "a< |user|>b< |end_of_text|>"
    assert model._plain("<0x41>") == "<0x41>"


def test_a_template_without_system_role_and_none_at_all(tmp_path: Path) -> None:
    merged: Message = {"role": "user", "content": "食事\n糖尿病の治療"}
    with LlamaCppText(gguf(tmp_path / "strict", STRICT), threads=1) as strict:
        twice = TextRequest(messages=(SYSTEM, USER, USER), max_tokens=5)
        refused = strict.answer([twice])[0]
        assert "alternate" in refused.failure
        one, two = strict.answer(
            [TextRequest(messages=(SYSTEM, USER), max_tokens=5), TextRequest(messages=(merged,), max_tokens=5)]
        )
        assert not one.failure and one == two
    folder = write_model(tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    write_gguf(folder, folder / "tiny.gguf", "f32", "tiny")
    with LlamaCppText(folder / "tiny.gguf", threads=1) as plain:
        assert not plain.chat
        chat, text = TextRequest(messages=(USER,), max_tokens=5), TextRequest(prompt="糖尿病の治療\n\n", max_tokens=5)
        assert plain.answer([chat]) == plain.answer([text])


def test_a_child_that_dies_fails_its_request_and_the_next_one_finds_another(path: Path) -> None:
    model = LlamaCppText(path, threads=1)
    request = TextRequest(prompt="糖", max_tokens=1)
    said = model.answer([request])
    process = model._process.current()
    os.kill(process.pid, signal.SIGSTOP)
    threading.Timer(0.1, os.kill, (process.pid, signal.SIGKILL)).start()
    with pytest.raises(EngineFailed, match=r"process ended \(exit code -9\)"):
        model.answer([request])
    assert model.answer([request]) == said and model._process.restarts == 1
    assert said[0].cut, "one token is no whole answer"
    model.close()
    model.close()
