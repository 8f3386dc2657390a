"""The chat in the terminal and in pipes."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from igakulm.errors import InputError
from igakulm.inference.engine import Step
from igakulm.inference.model import Model
from igakulm.serving.chat import chat, chat_loop
from igakulm.tokenizer.chat import render_chat
from scripted_engine import ScriptedEngine
from tiny_bundle import encoder, write_bundle

TINY = encoder()


class Recorder(io.StringIO):
    """Remembers what was on the screen at every flush."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def flush(self) -> None:
        self.seen.append(self.getvalue())


def talk(engine: ScriptedEngine, text: str, **options: Any) -> Recorder:
    screen = Recorder()
    chat_loop(Model(engine, TINY, "tiny", "scripted"), source=io.StringIO(text), target=screen, **options)
    return screen


def test_a_conversation_is_kept_and_shown_while_it_is_made() -> None:
    engine = ScriptedEngine(TINY, "囊胞です")
    screen = talk(engine, "熱は？\n\n  咳は？  \n", max_tokens=50, temperature=0.5, seed=3)
    assert screen.getvalue() == "囊胞です\n囊胞です\n"
    assert len(set(screen.seen)) > 4 and not any("\ufffd" in text for text in screen.seen)
    first = [{"role": "user", "content": "熱は？"}]
    second = [*first, {"role": "assistant", "content": "囊胞です"}, {"role": "user", "content": "咳は？"}]
    assert engine.prompts == [render_chat(TINY, messages, True)[0] for messages in (first, second)]
    assert engine.options == [(50, 0.5, 3), (50, 0.5, 4)]


def test_single_question() -> None:
    assert talk(ScriptedEngine(TINY, "はい"), "a\nb\n", single=True).getvalue() == "はい\n"


def test_the_oldest_turns_are_forgotten_and_endless_questions_refused() -> None:
    engine = ScriptedEngine(TINY, "はい", context_length=40)
    screen = talk(engine, "糖尿病の治療\n" * 5 + "あ" * 60 + "\n糖尿病\n")
    assert screen.getvalue().count("はい") == 6
    assert "質問が長すぎます" in screen.getvalue()
    assert all(len(prompt) < 40 for prompt in engine.prompts)
    assert engine.prompts[-1] == render_chat(TINY, [{"role": "user", "content": "糖尿病"}], True)[0]


def test_ctrl_c_ends_politely() -> None:
    class Interrupted(ScriptedEngine):
        def stream(self, *arguments: Any, **options: Any) -> Iterator[Step]:
            yield Step(self.tokens[0])
            raise KeyboardInterrupt

    assert talk(Interrupted(TINY, "a"), "熱は？\n").getvalue() == "a\n"


def test_a_model_that_dies_ends_the_answer_not_the_conversation() -> None:
    engine = ScriptedEngine(TINY, "はい")
    engine.dies_after = 1
    screen = talk(engine, "熱は？\n咳は？\n")
    assert screen.getvalue().count("起動し直します") == 2
    assert engine.prompts[1] == render_chat(TINY, [{"role": "user", "content": "咳は？"}], True)[0]


def test_a_reader_that_goes_ends_the_chat(tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return file.fileno()

    with (tmp_path / "pipe").open("w") as file:
        model = Model(ScriptedEngine(TINY, "はい"), TINY, "tiny", "scripted")
        chat_loop(model, source=io.StringIO("a\nb\n"), target=Gone())
        file.write("what is left in a buffer")
    assert (tmp_path / "pipe").read_text() == ""


def test_pipes_broken_bytes_and_bad_values(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    words = "import sys; from igakulm.serving.chat import chat; from pathlib import Path\n"
    words += "chat(Path(sys.argv[1]), max_tokens=5, engine='transformers')"
    done = subprocess.run(
        [sys.executable, "-c", words, str(bundle)], input="熱は？\n".encode() + b"\xff\n", capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b"" and done.stdout.count(b"\n") >= 2
    with pytest.raises(InputError, match="at least one token"):
        chat(bundle, max_tokens=0)
    with pytest.raises(InputError, match="did you mean 'llamacpp'"):
        chat(bundle, engine="llama")
