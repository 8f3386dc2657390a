"""The Llama form of an Arcee model computes the same, bit for bit; what has none is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import igakulm.bundle.llama_form as form
from igakulm.bundle.gguf import write_gguf
from igakulm.bundle.huggingface import same_logits
from igakulm.bundle.llama_form import as_llama
from igakulm.bundle.weights import Weights
from igakulm.errors import InputError
from igakulm.inference.load import load_model
from tiny_bundle import write_model

PROMPTS = [[1, 5, 9, 300, 77, 12], [1, 44], list(range(1, 60))]


@pytest.mark.parametrize("sizes", [{}, {"tie_word_embeddings": True}, {"head_dim": 32, "num_key_value_heads": 4}])
def test_the_logits_are_identical(tmp_path: Path, sizes: dict[str, Any]) -> None:
    source = write_model(tmp_path / "arcee", **sizes)
    result = as_llama(source, tmp_path / "llama")
    same_logits(source, tmp_path / "llama", PROMPTS)
    assert type(load_model(tmp_path / "llama")).__name__ == result["architecture"] == "LlamaForCausalLM"
    assert result["ballast"] == 2 * (64 * 96 + 96 + 96 + 64)
    assert (tmp_path / "llama" / "chat_template.jinja").is_file()


def test_shards_hold_the_same_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_model(tmp_path / "arcee")
    as_llama(source, tmp_path / "one")
    monkeypatch.setattr(form, "SHARD_BYTES", 100_000)
    assert as_llama(source, tmp_path / "many")["shards"] > 2
    same_logits(tmp_path / "one", tmp_path / "many", PROMPTS)
    index = json.loads((tmp_path / "many" / "model.safetensors.index.json").read_text())
    assert not (tmp_path / "many" / "model.safetensors").exists()
    assert {path.name for path in (tmp_path / "many").glob("*.safetensors")} == set(index["weight_map"].values())


def test_weights_of_half_precision_stay_exact(tmp_path: Path) -> None:
    source = write_model(tmp_path / "arcee")
    load_model(source).to(torch.bfloat16).save_pretrained(source)
    as_llama(source, tmp_path / "llama")
    assert Weights(tmp_path / "llama").tensor("model.layers.0.mlp.up_proj.bias").dtype == torch.bfloat16
    same_logits(source, tmp_path / "llama", PROMPTS)


def test_a_changed_weight_would_be_noticed(tmp_path: Path) -> None:
    source = write_model(tmp_path / "arcee")
    as_llama(source, tmp_path / "llama")
    other = as_llama(write_model(tmp_path / "other", seed=1), tmp_path / "wrong")
    assert other["shards"] == 1
    with pytest.raises(InputError, match="other values"):
        same_logits(source, tmp_path / "wrong", PROMPTS)


@pytest.mark.parametrize(
    ("kind", "activation", "reason"), [("arcee", "relu2", "no exact Llama form"), ("llama", "silu", "already")]
)
def test_what_has_no_llama_form(tmp_path: Path, kind: str, activation: str, reason: str) -> None:
    source = write_model(tmp_path / "model", kind, activation)
    with pytest.raises(InputError, match=reason):
        as_llama(source, tmp_path / "llama")
    assert not (tmp_path / "llama").exists()


def test_the_gguf_of_the_llama_form_keeps_its_biases(tmp_path: Path) -> None:
    as_llama(write_model(tmp_path / "arcee"), tmp_path / "llama")
    result = write_gguf(tmp_path / "llama", tmp_path / "m.gguf", "f32", "tiny")
    assert result["encoding"] == "swiglu"
    assert result["tensors"] == {"F32": 3 + 2 * 12}
