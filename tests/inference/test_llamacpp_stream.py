"""Streams over a llama.cpp child: several at once, cancelled, held to a schema, with log-probabilities."""

import itertools
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from igakulm.bundle.gguf import write_gguf
from igakulm.errors import InputError
from igakulm.inference.constraint import JsonSchema
from igakulm.inference.engine import Sampling, Step
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.llamacpp_pieces import Pieces
from igakulm.inference.llamacpp_process import LlamaCppProcess
from igakulm.tokenizer.spelling import BYTE_OF
from tiny_bundle import encoder, write_model

pytestmark = pytest.mark.skipif(not available(), reason="xllamacpp is not installed (extra llamacpp)")
FIRST_BYTE = 4


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model(tmp_path_factory.mktemp("model"), max_position_embeddings=30_000)
    write_gguf(folder, folder / "model.gguf", "f32", "tiny")
    return folder / "model.gguf"


@pytest.fixture(scope="module")
def engine(gguf: Path) -> Iterator[LlamaCppEngine]:
    with LlamaCppEngine(gguf, threads=1, precise=True, lanes=3, context_length=512) as opened:
        yield opened


def prompt(seed: int, length: int = 20) -> list[int]:
    rng, size = random.Random(seed), encoder().size
    return [rng.randrange(300, size) for _ in range(length)]


def test_streams_at_once_say_what_they_say_alone(engine: LlamaCppEngine) -> None:
    prompts = [prompt(seed, 5 + 9 * seed) for seed in range(8)]
    alone = [list(engine.stream(ids, 60, [])) for ids in prompts]
    with ThreadPoolExecutor(len(prompts)) as pool:
        together = list(pool.map(lambda ids: list(engine.stream(ids, 60, [])), prompts))
    assert together == alone
    assert [[step.token for step in steps] for steps in alone] == engine.generate(prompts, 60, [])
    assert any(FIRST_BYTE <= step.token < FIRST_BYTE + 256 for steps in alone for step in steps), (
        "no parts of characters"
    )


def test_a_stream_beside_an_open_one(engine: LlamaCppEngine) -> None:
    expected = [list(engine.stream(prompt(seed), 30, [])) for seed in (1, 2)]
    mixed = zip(engine.stream(prompt(1), 30, []), engine.stream(prompt(2), 30, []), strict=False)
    for one, two in mixed:
        assert (one, two) == (expected[0].pop(0), expected[1].pop(0))
    assert not expected[0] or not expected[1]


@pytest.mark.parametrize("sampling", [Sampling(top=3), Sampling(temperature=1.3, top_p=0.9, seed=4, top=3)])
def test_log_probabilities_are_exact(engine: LlamaCppEngine, sampling: Sampling) -> None:
    ids = prompt(3)
    steps = list(engine.stream(ids, 12, [], sampling))
    assert [step.token for step in steps] == [step.token for step in engine.stream(ids, 12, [], sampling)]
    for step in steps:
        known = engine.next_log_probabilities(ids)
        best = sorted(known.values(), reverse=True)[:3]
        assert step.log_probability == pytest.approx(known[step.token], abs=1e-3)
        assert [value for _, value in step.top] == pytest.approx(best, abs=1e-3)
        ids.append(step.token)
    chosen = Sampling(temperature=sampling.temperature, seed=sampling.seed, top=0)
    assert all(step.top == () and step.log_probability is not None for step in engine.stream(ids, 3, [], chosen))


def test_top_p_draws_from_the_likeliest(engine: LlamaCppEngine) -> None:
    greedy = list(engine.stream(prompt(5), 20, []))
    assert list(engine.stream(prompt(5), 20, [], Sampling(temperature=2.0, top_p=1e-6, seed=8))) == greedy
    assert list(engine.stream(prompt(5), 20, [], Sampling(temperature=2.0, seed=8))) != greedy
    for wrong in (Sampling(top_p=0.0), Sampling(top_p=1.1), Sampling(temperature=-1.0), Sampling(top=-1)):
        with pytest.raises(ValueError, match=r"top_p|temperature|likeliest"):
            next(engine.stream([5], 3, [], wrong))


def text_of(steps: list[Step]) -> str:
    return encoder().decode([step.token for step in steps])


LIST: dict[str, Any] = {"type": "array", "items": {"enum": ["囊胞", "糖尿病", "𠮷野"]}, "minItems": 2, "maxItems": 3}
RECORD: dict[str, Any] = {
    "type": "object",
    "properties": {"age": {"type": "integer"}, "severe": {"type": "boolean"}, "name": {"enum": ["高血圧症 ", "囊"]}},
    "required": ["age", "severe", "name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("top", [None, 2])
def test_answers_follow_a_schema(engine: LlamaCppEngine, top: int | None) -> None:
    seen = set()
    for seed in range(6):
        steps = list(
            engine.stream(prompt(seed), 200, [], Sampling(0.7, seed=seed, constraint=JsonSchema(LIST), top=top))
        )
        found = json.loads(text_of(steps))
        # A random model also draws overlong UTF-8, which llama.cpp reads as the character; to us it is none.
        assert 2 <= len(found) <= 3 and {word for word in found if "\ufffd" not in word} <= set(LIST["items"]["enum"])
        assert all((step.log_probability is None) == (top is None) for step in steps)
        seen |= set(found)
        record = json.loads(
            text_of(list(engine.stream(prompt(seed), 200, [], Sampling(0.7, seed=seed, constraint=JsonSchema(RECORD)))))
        )
        assert record.keys() == {"age", "severe", "name"} and isinstance(record["age"], int)
        assert record["name"] in RECORD["properties"]["name"]["enum"] or "\ufffd" in record["name"]
    assert seen & {"囊胞", "𠮷野"}, "characters outside the vocabulary come as bytes"


def test_schemas_that_cannot_be_followed(engine: LlamaCppEngine) -> None:
    with pytest.raises(InputError, match="pattern"):
        next(engine.stream([5], 3, [], Sampling(constraint=JsonSchema({"type": "string", "pattern": "a+"}))))


def end_of(process: LlamaCppProcess, request: dict[str, Any], take: int) -> dict[str, Any]:
    """Close a stream after some messages; what the child says last."""
    stream = process.stream(**request)
    for _ in itertools.islice(stream, take):
        pass
    (call,) = process._calls.values()
    stream.close()
    while "end" not in (message := call.messages.get(timeout=20) or {}):
        assert message
    return message


def test_closing_a_stream_ends_the_work(gguf: Path) -> None:
    process = LlamaCppProcess(gguf, 30_000, threads=1)
    try:
        long = {"prompt": prompt(1), "max_tokens": 29_000, "seed": 0, "temperature": 1.0}
        decoding = end_of(process, long, take=5)
        assert decoding["end"] == "cancelled" and decoding["count"] < 2_000
        reading = end_of(process, {**long, "prompt": prompt(2, 28_000), "max_tokens": 5}, take=2)
        assert reading["end"] == "cancelled" and reading["count"] == 0
        assert process.ask(prompt=[5, 6], max_tokens=2)["tokens"]
    finally:
        process.close()


def test_lost_parts_of_characters_are_found() -> None:
    alphabet = {byte: character for character, byte in BYTE_OF.items()}
    spellings = [
        "".join(alphabet[byte] for byte in raw) for raw in (b"\xe5", b"\x9b\x8a", b"\x9b", b"\x8a", b"A", b" A")
    ]
    pieces = Pieces("gpt2", [*spellings, "<|end|>"], [1] * 6 + [3])
    assert pieces.lost("囊", 1, 1) == [0]
    assert pieces.lost("囊", 3, 2) == [0, 2]
    assert pieces.lost("囊A", 4, 2) == [0, 1]
    assert pieces.lost("囊", 6, 3) == [0, 2, 3]
    for text, last, count in (("囊", 1, 2), ("糖", 1, 1), ("\ufffd", 1, 1), ("A", 4, 1), ("囊", 0, 1)):
        assert pieces.lost(text, last, count) is None
