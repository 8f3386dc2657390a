"""Continuations in the middle of a training are those of stock code, with and without shards."""

from pathlib import Path
from typing import Any

import pytest
import torch

from igakulm.model import init
from igakulm.model.objective import Objective
from igakulm.model.presets import model_config, new_model
from igakulm.recipe.schema import ModelSection
from igakulm.training.samples import continue_in_training
from small_training import run, run_world

PROMPTS = [[1, 7, 8], [1, 30], [4, 5, 6, 7, 8, 9]]
SHAPE = ModelSection(preset=None, hidden_size=32, layers=2, heads=2, key_value_heads=1)


def test_it_says_what_stock_generation_says() -> None:
    model = new_model(model_config(SHAPE, 50, 64, bos=1, eos=2))
    init.initialise(model, 3)
    stock: Any = new_model(model_config(SHAPE, 50, 64, bos=1, eos=2))
    stock.load_state_dict(model.state_dict())
    stock.train(False)
    ours = continue_in_training(Objective(model).eval(), PROMPTS, 9, vocabulary=50)
    for prompt, answer in zip(PROMPTS, ours, strict=True):
        ids = torch.tensor([prompt])
        theirs = stock.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=9, do_sample=False, eos_token_id=None
        )
        assert answer == theirs[0, len(prompt) :].tolist()


def test_padding_of_the_head_is_never_chosen() -> None:
    model = new_model(model_config(SHAPE, 50, 64, bos=1, eos=2))
    init.initialise(model, 3)
    found = continue_in_training(Objective(model).eval(), PROMPTS, 9, vocabulary=5)
    assert all(token < 5 for answer in found for token in answer)


@pytest.mark.parametrize("parallel", ["zero2", "fsdp"])
def test_shards_say_the_same_and_train_the_same(tmp_path: Path, parallel: str) -> None:
    keys: dict[str, Any] = {"steps": 5, "validate_every": 2}
    whole, history = run(tmp_path / "one", sampled=True, **keys)
    weights, other = run_world(tmp_path / "two", sampled=True, parallel=parallel, **keys)
    assert [row["step"] for row in history.samples] == [2, 4]
    assert other.samples == history.samples
    plain, _ = run(tmp_path / "plain", **keys)
    for name, weight in whole.items():
        assert torch.equal(plain[name], weight)
        torch.testing.assert_close(weights[name], weight, rtol=1e-5, atol=1e-5)
