"""A shared beginning that is read once changes nothing but the time."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from igakulm.errors import InputError
from igakulm.inference.memory import Reporter, within_memory
from igakulm.inference.prefix import SHORTEST, shared_prefix
from igakulm.inference.transformers import TransformersEngine, load_engine
from tiny_bundle import write_model

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "arcee": ("arcee", {}),
    "llama": ("llama", {}),
    "llama with scaled positions": (
        "llama",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ),
}


@pytest.fixture(scope="module", params=list(MODELS))
def engines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TransformersEngine, TransformersEngine]:
    kind, sizes = MODELS[request.param]
    folder = write_model(tmp_path_factory.mktemp("model"), kind, **sizes)
    sharing, whole = (load_engine(folder, batch_tokens=300, device="cpu") for _ in range(2))
    whole._prefixes = False
    return sharing, whole


def ids(rng: random.Random, length: int) -> list[int]:
    return [rng.randrange(3, 500) for _ in range(length)]


def few_shot(rng: random.Random, count: int = 9) -> list[list[int]]:
    """Prompts with one beginning, one that is that beginning, one that ends within it, one without it."""
    shots = ids(rng, 60)
    prompts = [shots + ids(rng, rng.randrange(1, 40)) for _ in range(count)]
    return [*prompts, list(shots), shots[:20], ids(rng, 30), prompts[0]]


def test_scores_are_those_of_whole_prompts(engines: tuple[TransformersEngine, TransformersEngine]) -> None:
    sharing, whole = engines
    rng = random.Random(0)
    prompts = few_shot(rng)
    options = [[ids(rng, length) for length in rng.sample(range(5), 3)] for _ in prompts]
    letters = [[[5], [6], [7]] for _ in prompts]
    assert sharing._prefix(prompts) is not None and whole._prefix(prompts) is None
    for choices in (options, letters):
        done: list[int] = []
        found, expected = sharing.score(prompts, choices, done=done.append), whole.score(prompts, choices)
        assert sum(done) == len(prompts)
        for mine, other in zip(found, expected, strict=True):
            assert [item.tokens for item in mine] == [item.tokens for item in other]
            for one, two in zip(mine, other, strict=True):
                assert one.log_probability == pytest.approx(two.log_probability, abs=1e-4)
        assert sharing.score(prompts, choices) == found


def test_greedy_answers_are_those_of_whole_prompts(engines: tuple[TransformersEngine, TransformersEngine]) -> None:
    sharing, whole = engines
    prompts = few_shot(random.Random(1))
    expected = whole.generate(prompts, 40, [])
    stop = [expected[0][3], expected[1][10]]
    for ends in ([], stop):
        done: list[int] = []
        assert sharing.generate(prompts, 40, ends, done=done.append) == whole.generate(prompts, 40, ends)
        assert sum(done) == len(prompts)
    near = [[*prompts[0][:60], *ids(random.Random(n), sharing.context_length - 62)] for n in range(4)]
    assert sharing.generate(near, 9, []) == whole.generate(near, 9, [])
    assert {len(answer) for answer in sharing.generate(near, 9, [])} == {2}


def test_models_that_see_a_window_or_stretch_positions_read_whole_prompts(tmp_path: Path) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    heads: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = MistralConfig(vocab_size=515, sliding_window=8, max_position_embeddings=128, **sizes, **heads)
    MistralForCausalLM(config).save_pretrained(tmp_path / "window")
    dynamic = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    write_model(tmp_path / "stretched", "llama", rope_parameters=dynamic)
    prompts = few_shot(random.Random(2))
    for name in ("window", "stretched"):
        engine = load_engine(tmp_path / name, device="cpu")
        assert engine._prefix(prompts) is None
        together = engine.generate(prompts, 5, [])
        assert together == [engine.generate([prompt], 5, [])[0] for prompt in prompts]


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ([], None),
        ([[1] * 99], None),
        ([[1] * 99, [1] * 99], 98),
        ([[1] * 99, [2] * 99], None),
        ([[1] * SHORTEST + [n] for n in (5, 6, 7)], SHORTEST),
        ([[1] * (SHORTEST - 1) + [n] * 2 for n in (5, 6, 7)], None),
        ([[1] * 20 + [n] * 200 for n in (5, 6, 7)], None),
    ],
)
def test_when_a_beginning_is_shared(prompts: Sequence[list[int]], expected: int | None) -> None:
    found = shared_prefix(prompts)
    assert (len(found.ids) if found else None) == expected


def test_a_batch_that_does_not_fit_is_halved() -> None:
    told: list[int] = []
    reporter = Reporter(told.append)
    sizes: list[int] = []

    def run(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        for number in batch:
            if len(batch) > 2 and number == batch[-1]:
                raise torch.OutOfMemoryError
            reporter(1)
        return [number * 10 for number in batch]

    assert within_memory(list(range(7)), run, reporter) == [number * 10 for number in range(7)]
    assert sizes == [7, 3, 1, 2, 4, 2, 2]
    assert sum(told) == 7

    def never(batch: list[int]) -> list[int]:
        raise torch.OutOfMemoryError

    with pytest.raises(InputError, match="single prompt"):
        within_memory([1, 2], never, reporter)


def test_the_engine_halves_batches(
    engines: tuple[TransformersEngine, TransformersEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing = engines[0]
    prompts = few_shot(random.Random(3))
    scores, answers = sharing.score(prompts, [[[5], [6, 7]]] * len(prompts)), sharing.generate(prompts, 6, [])
    forward = sharing.model.forward

    def small(*args: object, **kwargs: object) -> object:
        if "input_ids" in kwargs and isinstance(kwargs["input_ids"], torch.Tensor) and len(kwargs["input_ids"]) > 1:
            raise torch.OutOfMemoryError
        return forward(*args, **kwargs)

    monkeypatch.setattr(sharing.model, "forward", small)
    monkeypatch.setattr(sharing, "_body", None)
    monkeypatch.setattr(sharing, "_head", None)
    assert sharing.generate(prompts, 6, []) == answers
    for mine, other in zip(sharing.score(prompts, [[[5], [6, 7]]] * len(prompts)), scores, strict=True):
        for one, two in zip(mine, other, strict=True):
            assert one.log_probability == pytest.approx(two.log_probability, abs=1e-4)
