"""Sizes of the presets, as arithmetic and as stock models without weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.model.presets import PRESETS, architecture, load_folder, model_config, new_model, planned_vocabulary
from igakulm.recipe.schema import ModelSection, Recipe, TokenizerSection


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_arithmetic_is_what_the_stock_class_has(preset: str) -> None:
    section = ModelSection.model_validate({"preset": preset})
    with torch.device("meta"):
        model = new_model(model_config(section, 32_768, 2048, bos=1, eos=2))
    assert type(model).__name__ == "ArceeForCausalLM"
    assert sum(weight.numel() for weight in model.parameters()) == PRESETS[preset].parameters(32_768)
    assert PRESETS[preset].head_size == 64
    assert not any(name.endswith("bias") for name, _ in model.named_parameters())


def test_the_paper_has_1_19_billion_parameters() -> None:
    assert PRESETS["paper-1b"].parameters(32_768) == 1_191_282_688
    assert PRESETS["relu2-1b"].activation == "relu2"
    assert 105e6 < PRESETS["small-110m"].parameters(32_768) < 118e6


def test_the_padded_vocabulary_counts() -> None:
    recipe = Recipe.model_validate({"name": "x", "corpus": {"sources": [{"name": "s", "path": "a"}]}})
    assert planned_vocabulary(recipe) == 32_768
    odd = recipe.model_copy(update={"tokenizer": TokenizerSection(vocabulary_size=32_700)})
    assert planned_vocabulary(odd) == 32_704
    exact = odd.model_copy(update={"model": ModelSection(pad_vocabulary=False)})
    assert planned_vocabulary(exact) == 32_700


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3", "olmo2", "gemma3_text", "arcee"])
def test_a_folders_sizes_are_read_without_loading_it(kind: str, tmp_path: Path) -> None:
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    values = {**sizes, "num_key_value_heads": 2, "head_dim": 24, "vocab_size": 70, "pad_token_id": None}
    loader: Any = AutoModelForCausalLM
    model = loader.from_config(AutoConfig.for_model(kind, **values))
    model.save_pretrained(tmp_path)
    found = architecture(ModelSection(from_folder=str(tmp_path)))
    assert found.parameters(70) == sum(weight.numel() for weight in model.parameters())
    assert found.gated is (kind != "arcee") and found.tied is (kind == "gemma3_text")
    assert (found.heads, found.key_value_heads, found.layers) == (4, 2, 2)
    assert found.head_size == 24
    recipe = {"name": "x", "corpus": {"sources": [{"name": "s", "path": "a"}]}}
    both = {"model": {"from_folder": str(tmp_path)}, "tokenizer": {"from_folder": str(tmp_path)}}
    assert planned_vocabulary(Recipe.model_validate({**recipe, **both})) == 70
    alone = {"tokenizer": both["tokenizer"]}  # a new model with an adopted tokenizer
    write_json(tmp_path / "tokenizer.json", {"model": {"vocab": {"a": 0, "b": 64}}, "added_tokens": [{"id": 66}]})
    assert planned_vocabulary(Recipe.model_validate({**recipe, **alone})) == 128


def test_folders_that_would_be_loaded_wrongly_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model here"):
        architecture(ModelSection(from_folder=str(tmp_path)))
    config = model_config(ModelSection(preset="tiny", layers=1), 64, 32, bos=1, eos=2)
    new_model(config).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("model.layers.0.mlp.up_proj.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 weights are missing.*up_proj"):
        load_folder(tmp_path)
    values = json.loads((tmp_path / "config.json").read_text())
    for key in ("auto_map", "quantization_config"):
        (tmp_path / "config.json").write_text(json.dumps({**values, key: {"AutoModel": "x"}}))
        with pytest.raises(InputError, match=key):
            load_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match="no safetensors file"):
        architecture(ModelSection(from_folder=str(tmp_path)))


def test_given_keys_win_and_heads_follow_the_width() -> None:
    wider = architecture(ModelSection(preset="tiny", hidden_size=512))
    assert (wider.heads, wider.key_value_heads, wider.intermediate_size, wider.layers) == (8, 2, 2048, 4)
    assert architecture(ModelSection(preset="tiny", layers=7)).layers == 7
    bare = architecture(ModelSection(preset=None, hidden_size=256, layers=2))
    assert (bare.heads, bare.key_value_heads, bare.activation) == (4, 1, "silu")
    paper = architecture(ModelSection(preset="paper-1b", heads=16))
    assert (paper.heads, paper.key_value_heads) == (16, 4)


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"preset": None}, "model.preset"),
        ({"preset": None, "layers": 2}, "model.preset"),
        ({"preset": "tiny", "hidden_size": 200, "heads": 3}, "model.hidden_size"),
        ({"preset": "tiny", "hidden_size": 150, "heads": 2}, "model.heads"),
        ({"preset": "paper-1b", "key_value_heads": 5}, "model.key_value_heads"),
    ],
)
def test_impossible_sizes_are_named(keys: dict[str, object], place: str) -> None:
    with pytest.raises(InputError, match=place):
        architecture(ModelSection.model_validate(keys))


def test_folders_without_safetensors_or_config_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        load_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    with pytest.raises(InputError, match="safetensors"):
        load_folder(tmp_path)


def test_a_broken_weight_file_is_one_message(tmp_path: Path) -> None:
    model_config(ModelSection(preset="tiny"), 64, 32, bos=1, eos=2).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_folder(tmp_path)
