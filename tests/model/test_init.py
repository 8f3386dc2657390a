"""Initial weights by their measured spread, growth of the vocabulary, and the scale in and out of the embedding."""

import math
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from igakulm.model import init
from igakulm.model.presets import model_config, new_model
from igakulm.recipe.schema import ModelSection

WIDTH, LAYERS, ENTRIES = 256, 3, 2000


@pytest.fixture
def model() -> PreTrainedModel:
    section = ModelSection(preset=None, hidden_size=WIDTH, layers=LAYERS)
    made = new_model(model_config(section, ENTRIES, 64, bos=1, eos=2))
    init.initialise(made, seed=3)
    return made


def test_spread_of_every_matrix(model: PreTrainedModel) -> None:
    small = math.sqrt(2 / (5 * WIDTH))
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            assert torch.equal(weight, torch.ones_like(weight)), name
            continue
        expected = small
        if "o_proj" in name or "down_proj" in name:
            expected = small / math.sqrt(2 * LAYERS)
        elif "lm_head" in name:
            expected = math.sqrt(2 / (WIDTH + ENTRIES))
        assert float(weight.detach().std()) == pytest.approx(expected, rel=0.02), name
        assert abs(float(weight.detach().mean())) < expected / 50, name


def test_same_seed_same_bits_other_seed_other_bits(model: PreTrainedModel) -> None:
    first = {name: weight.clone() for name, weight in model.named_parameters()}
    init.initialise(model, seed=3)
    assert all(torch.equal(first[name], weight) for name, weight in model.named_parameters())
    init.initialise(model, seed=4)
    assert not torch.equal(first["lm_head.weight"], init.head_of(model).weight)


def test_growth_keeps_old_rows_and_matches_their_spread(model: PreTrainedModel) -> None:
    before = init.embedding_of(model).weight.clone(), init.head_of(model).weight.clone()
    init.grow_vocabulary(model, ENTRIES + 3, seed=0)
    modules: list[torch.nn.Embedding | torch.nn.Linear] = [init.embedding_of(model), init.head_of(model)]
    for old, module in zip(before, modules, strict=True):
        assert module.weight.shape == (ENTRIES + 3, WIDTH)
        assert torch.equal(module.weight[:ENTRIES], old)
        assert float(module.weight[ENTRIES:].std()) == pytest.approx(float(old.std()), rel=0.1)
    assert model.config.vocab_size == ENTRIES + 3
    assert model(input_ids=torch.tensor([[ENTRIES + 2]])).logits.shape[-1] == ENTRIES + 3


@pytest.mark.parametrize("tied", [True, False])
def test_replaced_vocabulary_keeps_ties(tied: bool) -> None:
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    init.replace_vocabulary(model, 80, seed=0)
    assert (init.head_of(model).weight is init.embedding_of(model).weight) is tied
    assert model(input_ids=torch.tensor([[79]])).logits.shape[-1] == 80


@pytest.mark.parametrize("scale", [math.sqrt(WIDTH), math.sqrt(192), math.sqrt(2048)])
def test_folding_rounds_as_the_scaled_embedding_does(model: PreTrainedModel, scale: float, tmp_path: Path) -> None:
    ids = torch.arange(ENTRIES)
    weight = init.embedding_of(model).weight.detach()
    assert torch.equal(init.folded(weight, scale)[ids], weight[ids] * scale)
    with torch.no_grad():
        init.embedding_of(model).weight.mul_(scale)
    init.unfold(model, scale)
    assert torch.allclose(init.embedding_of(model).weight, weight, rtol=2e-7, atol=0)
