"""The transformers engine against plain transformers, and its refusals."""

import json
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from igakulm.errors import InputError
from igakulm.inference.draw import Draw
from igakulm.inference.engine import Sampling, Step
from igakulm.inference.transformers import TransformersEngine, load_engine
from tiny_bundle import write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformersEngine:
    return load_engine(folder, batch_tokens=300, device="cpu")


@pytest.fixture(scope="module")
def stock(folder: Path) -> Any:
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(str(folder)).eval()


def random_ids(rng: random.Random, length: int) -> list[int]:
    return [rng.randrange(3, 500) for _ in range(length)]


def tokens(steps: Iterable[Step]) -> list[int]:
    return [step.token for step in steps]


@torch.inference_mode()
def oracle(stock: Any, prompt: list[int], option: list[int]) -> float:
    logits = stock(torch.tensor([prompt + option])).logits[0].double().log_softmax(-1)
    return sum(float(logits[len(prompt) - 1 + k, token]) for k, token in enumerate(option))


def test_scores_are_those_of_plain_transformers(engine: TransformersEngine, stock: Any) -> None:
    rng = random.Random(0)
    prompts = [random_ids(rng, length) for length in (1, 7, 40, 3, 22, 22)]
    shapes = [(1, 1, 1), (3, 1, 2), (4,), (2, 2, 2, 5, 1), (1, 6), ()]
    options = [[random_ids(rng, length) for length in shape] for shape in shapes]
    done: list[int] = []
    scores = engine.score(prompts, options, done=done.append)
    assert sum(done) == len(prompts)
    for prompt, choices, found in zip(prompts, options, scores, strict=True):
        assert [item.tokens for item in found] == [len(choice) for choice in choices]
        for choice, item in zip(choices, found, strict=True):
            assert item.log_probability == pytest.approx(oracle(stock, prompt, choice), abs=1e-4)


def test_an_empty_option_costs_nothing_and_options_do_not_see_each_other(engine: TransformersEngine) -> None:
    together = engine.score([[5, 6, 7]], [[[8, 9], [], [10, 11, 12], [8, 9]]])[0]
    alone = engine.score([[5, 6, 7]], [[[10, 11, 12]]])[0][0]
    assert together[1].log_probability == 0 and together[1].tokens == 0
    assert together[0] == together[3] or together[0].log_probability == pytest.approx(together[3].log_probability)
    assert together[2].log_probability == pytest.approx(alone.log_probability, abs=1e-5)


@pytest.mark.parametrize("kind", ["one row for each option", "full logits"])
def test_models_without_short_cuts_score_the_same(folder: Path, engine: TransformersEngine, kind: str) -> None:
    other = load_engine(folder, device="cpu")
    if kind == "full logits":
        other._body = other._head = None
    else:
        other._branches = False
    rng = random.Random(1)
    prompts, options = [random_ids(rng, 9), random_ids(rng, 4)], [[random_ids(rng, n) for n in (2, 3, 1)] for _ in "ab"]
    for mine, theirs in zip(engine.score(prompts, options), other.score(prompts, options), strict=True):
        for one, two in zip(mine, theirs, strict=True):
            assert one.log_probability == pytest.approx(two.log_probability, abs=1e-5)


def test_generation_in_batches_is_generation_one_by_one_and_stock(engine: TransformersEngine, stock: Any) -> None:
    rng = random.Random(2)
    prompts = [random_ids(rng, length) for length in (2, 31, 9, 17, 5)]
    done: list[int] = []
    together = engine.generate(prompts, 20, [], done=done.append)
    assert sum(done) == len(prompts)
    assert together == [engine.generate([prompt], 20, [])[0] for prompt in prompts]
    ids = torch.tensor([prompts[1]])
    reference = stock.generate(ids, max_new_tokens=20, do_sample=False, eos_token_id=None, attention_mask=ids * 0 + 1)
    assert together[1] == reference[0, len(prompts[1]) :].tolist()
    assert [tokens(engine.stream(prompt, 20, [])) for prompt in prompts] == together


def test_stop_tokens_end_rows_at_their_own_time(engine: TransformersEngine) -> None:
    rng = random.Random(3)
    prompts = [random_ids(rng, length) for length in (4, 12, 8, 20)]
    whole = engine.generate(prompts, 30, [])
    stop = [whole[0][3], whole[2][10]]
    expected = [row[: next((k for k, token in enumerate(row) if token in stop), 30)] for row in whole]
    assert len({len(row) for row in expected}) > 1
    assert engine.generate(prompts, 30, stop) == expected
    assert [tokens(engine.stream(prompt, 30, stop)) for prompt in prompts] == expected


def test_the_context_ends_answers(engine: TransformersEngine) -> None:
    near, full = [5] * (engine.context_length - 3), [5] * engine.context_length
    done: list[int] = []
    assert [len(answer) for answer in engine.generate([near, full, [5]], 8, [], done=done.append)] == [3, 0, 8]
    assert sum(done) == 3
    assert len(tokens(engine.stream(near, 8, []))) == 3
    assert engine.generate([[5]], 0, []) == [[]]


def test_sampling_repeats_with_its_seed(engine: TransformersEngine) -> None:
    runs = [tokens(engine.stream([5, 6], 25, [], Sampling(temperature=1.5, seed=seed))) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    cold = tokens(engine.stream([5, 6], 25, [], Sampling(temperature=1e-6, seed=3)))
    assert cold == engine.generate([[5, 6]], 25, [])[0]


def test_bad_prompts(engine: TransformersEngine) -> None:
    long = [5] * (engine.context_length + 1)
    for call in (
        lambda: engine.generate([long], 1, []),
        lambda: engine.score([long], [[[1]]]),
        lambda: engine.score([[5] * engine.context_length], [[[1], [1, 2]]]),
        lambda: tokens(engine.stream(long, 1, [])),
    ):
        with pytest.raises(InputError, match="the model reads 256"):
            call()
    for call in (lambda: engine.generate([[]], 1, []), lambda: engine.score([[]], [[[1]]])):
        with pytest.raises(ValueError, match="empty prompt"):
            call()
    with pytest.raises(ValueError, match="negative"):
        next(engine.stream([5], 3, [], Sampling(temperature=-1.0)))


def test_bf16_is_close(folder: Path, engine: TransformersEngine) -> None:
    rough = load_engine(folder, precision="bf16", device="cpu")
    assert rough.model.dtype == torch.bfloat16
    fine, coarse = engine.next_log_probabilities([5, 6, 7]), rough.next_log_probabilities([5, 6, 7])
    assert 0 < max(abs(fine[token] - coarse[token]) for token in fine) < 1.0


SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.mark.parametrize("kind", ["qwen3", "gemma2", "gemma3_text", "gpt2"])
def test_foreign_architectures(tmp_path: Path, kind: str) -> None:
    """Windows, capped logits and learnt positions: batches give what plain transformers gives one by one."""
    heads: dict[str, Any] = {"num_attention_heads": 4, "max_position_embeddings": 128, "initializer_range": 0.2}
    more: dict[str, Any] = {} if kind == "gpt2" else {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8}
    if kind.startswith("gemma"):
        more["sliding_window"] = 8
    torch.manual_seed(0)
    loader: Any = AutoModelForCausalLM
    model = loader.from_config(AutoConfig.for_model(kind, **SMALL, **heads, **more)).eval()
    model.save_pretrained(tmp_path)
    engine = load_engine(tmp_path, batch_tokens=200, device="cpu")
    rng = random.Random(0)
    shots = random_ids(rng, 40)
    prompts = [random_ids(rng, length) for length in (3, 20, 11)] + [shots + random_ids(rng, n) for n in (5, 9, 2, 7)]
    prompts = [[token % 290 for token in prompt] for prompt in prompts]
    options = [[[5], [6, 7, 8], [9, 10]] for _ in prompts]
    for prompt, choices, found in zip(prompts, options, engine.score(prompts, options), strict=True):
        for choice, item in zip(choices, found, strict=True):
            assert item.log_probability == pytest.approx(oracle(model, prompt, choice), abs=1e-4)
    together = engine.generate(prompts, 12, [])
    assert together == [engine.generate([prompt], 12, [])[0] for prompt in prompts]
    assert together == [tokens(engine.stream(prompt, 12, [])) for prompt in prompts]


def test_models_without_attention_are_refused(tmp_path: Path) -> None:
    loader: Any = AutoModelForCausalLM
    loader.from_config(AutoConfig.for_model("mamba", **SMALL, state_size=4)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="no attention"):
        load_engine(tmp_path)


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_automatic_precision_is_what_the_device_is_fast_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("igakulm.inference.transformers.fast_in_bfloat16", lambda device: fast)
    assert load_engine(folder, precision="auto", device="cpu").model.dtype == dtype
    assert load_engine(folder, precision="fp32", device="cpu").model.dtype == torch.float32


def test_nothing_is_fetched() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def damaged(folder: Path, target: Path, how: str) -> Path:
    shutil.copytree(folder, target)
    weights, config = target / "model.safetensors", target / "config.json"
    if how == "config.json":
        config.unlink()
    elif how == "code of its own":
        config.write_text(json.dumps({**json.loads(config.read_text()), "auto_map": {"AutoConfig": "x.Y"}}))
    elif how == "no safetensors":
        weights.rename(target / "pytorch_model.bin")
    elif how == "cannot be loaded":
        weights.write_bytes(weights.read_bytes()[:-500])
    elif how == "would be random":
        from safetensors.torch import load_file, save_file

        tensors = load_file(weights)
        del tensors["model.layers.1.mlp.up_proj.weight"]
        save_file(tensors, weights, metadata={"format": "pt"})
    return target


@pytest.mark.parametrize(
    "how", ["config.json", "code of its own", "no safetensors", "cannot be loaded", "would be random"]
)
def test_damaged_folders_are_refused(folder: Path, tmp_path: Path, how: str) -> None:
    with pytest.raises(InputError, match=how):
        load_engine(damaged(folder, tmp_path / "model", how))


def test_steps_tell_log_probabilities(engine: TransformersEngine) -> None:
    ids = [5, 6, 7]
    for step in engine.stream([5, 6, 7], 8, [], Sampling(temperature=1.2, top_p=0.8, seed=2, top=4)):
        known = engine.next_log_probabilities(ids)
        assert step.log_probability == pytest.approx(known[step.token], abs=1e-4)
        assert [value for _, value in step.top] == pytest.approx(sorted(known.values(), reverse=True)[:4], abs=1e-4)
        ids.append(step.token)
    assert engine.lanes == 1
    assert next(engine.stream([5], 1, [])).log_probability is None
    assert next(engine.stream([5], 1, [], Sampling(top=0))).top == ()


def test_top_p_leaves_the_unlikely_out() -> None:
    logits = torch.log(torch.tensor([0.1, 0.5, 0.05, 0.3, 0.05]))
    for top_p, kept in ((0.4, {1}), (0.6, {1, 3}), (0.85, {0, 1, 3}), (1.0, {0, 1, 2, 3, 4})):
        draw = Draw(Sampling(temperature=1.0, top_p=top_p, seed=1))
        assert {draw.step(logits).token for _ in range(300)} == kept
