"""The copied folder is the model, and only the model."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from igakulm.bundle.huggingface import copy_folder, same_logits, same_tokenizer
from igakulm.errors import InputError
from igakulm.pretrained import load_tokenizer
from igakulm.progress import SilentProgress
from igakulm.tokenizer.encode import TextEncoder
from tiny_bundle import encoder, write_model


def copied(source: Path, target: Path) -> dict[str, Any]:
    return copy_folder(source, target, SilentProgress())


def rewrite(folder: Path, name: str, value: float) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(-1)[0] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_copy_holds_the_model_and_nothing_else(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source")
    for name in ("optimizer.safetensors", "training.py", "notes.txt", ".hidden"):
        (source / name).write_text("x")
    facts = copied(source, tmp_path / "copy")
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "encoder.json", "sentencepiece.model"} <= names
    assert not names & {"optimizer.safetensors", "training.py", "notes.txt", ".hidden"}
    assert facts["architecture"] == "ArceeForCausalLM"
    assert facts["parameters"] == sum(t.numel() for t in load_file(source / "model.safetensors").values())
    assert facts["vocabulary"] == encoder().size
    copy = TextEncoder.load(tmp_path / "copy")
    same_logits(source, tmp_path / "copy", [[1, 5, 6], [1]])
    same_tokenizer(tmp_path / "copy", copy, ["糖尿病 と\n▁123 <0x41>", ""])
    assert load_tokenizer(tmp_path / "copy").model_max_length == facts["context_length"] > 0


def test_another_model_is_noticed(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source")
    copied(source, tmp_path / "copy")
    rewrite(tmp_path / "copy", "model.layers.0.mlp.up_proj.weight", 9.0)
    with pytest.raises(InputError, match="other values"):
        same_logits(source, tmp_path / "copy", [[1, 5, 6]])


def test_infinite_weights(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source")
    rewrite(source, "model.norm.weight", torch.inf)
    with pytest.raises(InputError, match=r"1 tensors hold NaN or infinity: model\.norm\.weight"):
        copied(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_tokenizers_that_are_not_the_models(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the tokenizer has 515 entries"):
        copied(write_model(tmp_path / "base", vocab_size=encoder().base_size), tmp_path / "copy")
    source = write_model(tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "eos_token_id": 9}))
    with pytest.raises(InputError, match="eos_token_id is 9"):
        copied(source, tmp_path / "copy")
    (source / "encoder.json").unlink()
    with pytest.raises(InputError):
        copied(source, tmp_path / "copy")


def test_stock_tokenizer_with_other_ids(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source")
    value = json.loads((source / "tokenizer.json").read_text())
    value["normalizer"] = {"type": "Lowercase"}
    (source / "tokenizer.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match="other tokens"):
        same_tokenizer(source, encoder(), ["The bus"])


def test_a_full_disk_is_told_of_the_target(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises((InputError, OSError)) as caught:
            copy_folder(model, tmp_path / "out", SilentProgress())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    where = str(getattr(caught.value, "where", None) or getattr(caught.value, "filename", ""))
    assert where.startswith(str(tmp_path / "out"))


def test_a_tokenizer_from_elsewhere_is_named_as_the_reason(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    (model / "encoder.json").unlink()
    with pytest.raises(InputError, match="description of the tokenizer is missing"):
        copy_folder(model, tmp_path / "out", SilentProgress())
