"""llama.cpp on exported GGUF files: the same function as transformers, in a child that may die."""

import os
import random
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from igakulm.bundle.gguf import write_gguf
from igakulm.errors import InputError
from igakulm.inference.engine import Sampling, Step
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.transformers import TransformersEngine, load_engine
from tiny_bundle import encoder, write_model

pytestmark = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")

MODELS = {
    "one-expert": ("arcee", "silu", {}),
    "relu2": ("arcee", "relu2", {}),
    "swiglu": ("llama", "silu", {}),
    "tied and padded": ("arcee", "silu", {"tie_word_embeddings": True, "vocab_size": 530}),
}


@pytest.fixture(scope="module", params=list(MODELS))
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TransformersEngine, LlamaCppEngine]]:
    kind, activation, sizes = MODELS[request.param]
    folder = write_model(tmp_path_factory.mktemp("model"), kind, activation, **sizes)
    write_gguf(folder, folder / "model.gguf", "f32", "tiny")
    with LlamaCppEngine(folder / "model.gguf", precise=True, threads=1) as converted:
        yield load_engine(folder, device="cpu"), converted


def prompts(count: int) -> list[list[int]]:
    rng = random.Random(0)
    tiny = encoder()
    first = [tiny.bos, tiny.user, *tiny.encode("糖尿病の治療には"), tiny.assistant]
    return [first, *([rng.randrange(3, tiny.size) for _ in range(rng.randrange(2, 30))] for _ in range(count - 1))]


def tokens(steps: Iterable[Step]) -> list[int]:
    return [step.token for step in steps]


def test_every_probability_is_the_same(pair: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    original, converted = pair
    for prompt in prompts(3):
        mine, other = original.next_log_probabilities(prompt), converted.next_log_probabilities(prompt)
        assert mine.keys() == other.keys()
        assert max(abs(mine[token] - other[token]) for token in mine) < 1e-4


def test_greedy_answers_are_the_same(pair: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    original, converted = pair
    stop = [converted.end]
    answers = original.generate(prompts(4), 40, stop)
    done: list[int] = []
    assert converted.generate(prompts(4), 40, stop, done=done.append) == answers
    assert sum(done) == 4
    assert tokens(converted.stream(prompts(4)[0], 40, stop)) == answers[0]
    other_stop = [*stop, answers[0][5]]
    assert converted.generate(prompts(1), 40, other_stop) == original.generate(prompts(1), 40, other_stop)


def test_scores_are_the_same(pair: tuple[TransformersEngine, LlamaCppEngine]) -> None:
    original, converted = pair
    rng = random.Random(5)
    bytes_of_one_character = [4 + byte for byte in "囊".encode()]
    options = [[bytes_of_one_character, *([rng.randrange(500) for _ in range(n)] for n in (0, 1, 2, 3))] for _ in "abc"]
    for mine, other in zip(original.score(prompts(3), options), converted.score(prompts(3), options), strict=True):
        assert [item.tokens for item in mine] == [item.tokens for item in other]
        for one, two in zip(mine, other, strict=True):
            assert one.log_probability == pytest.approx(two.log_probability, abs=1e-4)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model(tmp_path_factory.mktemp("model"))
    write_gguf(folder, folder / "model.gguf", "q8_0", "tiny")
    return folder / "model.gguf"


def listening_inodes() -> set[str]:
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return {words[9] for words in lines if words[3] == "0A"}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
def test_it_opens_no_port_limits_and_survives_its_child(gguf: Path) -> None:
    engine = LlamaCppEngine(gguf, threads=1)
    child = engine.pid
    links = [str(entry.readlink()) for entry in Path(f"/proc/{child}/fd").iterdir()]
    assert not {link[8:-1] for link in links if link.startswith("socket:[")} & listening_inodes()
    with pytest.raises(InputError, match="the model reads 256"):
        engine.generate([[5] * 257], 1, [])
    with pytest.raises(ValueError, match="empty prompt"):
        engine.generate([[]], 1, [])
    with pytest.raises(InputError, match="invalid tokens"):
        engine.generate([[99_999]], 1, [])
    with pytest.raises(InputError, match="outside the vocabulary"):
        engine.score([[5]], [[[99_999]]])
    runs = [tokens(engine.stream([5, 6], 12, [], Sampling(temperature=1.5, seed=seed))) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert len(engine.generate([[5] * 254], 9, [])[0]) <= 2
    os.kill(child, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"process ended \(exit code -9\)"):
        engine.generate([[5]], 1, [])
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.generate([[5]], 1, [])


def test_files_that_do_not_load(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        LlamaCppEngine(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_text("this is no model")
    (tmp_path / "header.gguf").write_bytes(gguf.read_bytes()[:3000])
    (tmp_path / "short.gguf").write_bytes(gguf.read_bytes()[:-9000])
    for name in ("text", "header", "short"):
        with pytest.raises(InputError, match=r"GGUF|llama\.cpp"):
            LlamaCppEngine(tmp_path / f"{name}.gguf")
