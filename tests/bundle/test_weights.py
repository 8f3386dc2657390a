"""Reading weights: shards, and everything that must not be read."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from igakulm.bundle.weights import Weights, not_finite, read_config, read_template
from igakulm.errors import InputError


def test_shards_are_one_set_of_tensors(tmp_path: Path) -> None:
    first, second = torch.arange(6.0).reshape(2, 3), torch.tensor([float("nan"), 1.0])
    save_file({"a": first.bfloat16()}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"b": second}, tmp_path / "model-00002-of-00002.safetensors")
    places = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    weights = Weights(tmp_path)
    assert list(weights) == ["a", "b"] and "a" in weights and "c" not in weights
    assert weights.shape("a") == (2, 3)
    assert weights.tensor("a").dtype == torch.bfloat16
    assert weights.array("a").dtype == np.float32 and weights.array("a").tolist() == first.tolist()
    assert not_finite(weights) == ["b"]
    for call in (weights.tensor, weights.shape):
        with pytest.raises(InputError, match="lack 'c'"):
            call("c")


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        Weights(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match="damaged"):
        Weights(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(InputError, match="missing"):
        Weights(tmp_path)


def test_configurations(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for text, reason in (
        (None, "no config"),
        ("[]", "model_type"),
        ('{"model_type": "x", "auto_map": {"a": 1}}', "code"),
    ):
        if text:
            path.write_text(text)
        with pytest.raises(InputError, match=reason):
            read_config(tmp_path)


def test_templates(tmp_path: Path) -> None:
    assert read_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "old"}')
    assert read_template(tmp_path) == "old"
    (tmp_path / "chat_template.jinja").write_text("new")
    assert read_template(tmp_path) == "new"
