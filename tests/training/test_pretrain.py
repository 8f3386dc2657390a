"""The stage pretrain: its folder, its stock model, its resume."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from igakulm.errors import InputError
from igakulm.files import Doc, write_documents, write_json
from igakulm.model.init import embedding_scale
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ModelSection, PackSection, TrainSection
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training.pack import build_packed
from igakulm.training.packed import PackedRows
from igakulm.training.pretrain import pretrain

QUIET = SilentProgress()
MODEL = ModelSection(preset=None, hidden_size=32, layers=2, heads=2, key_value_heads=1, dropout=0.1)
KEYS: dict[str, Any] = {
    "steps": 6,
    "global_batch": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 1,
    "checkpoint_every": 2,
    "validate_every": 3,
    "precision": "fp32",
    "seed": 0,
}


@pytest.fixture
def packed(tmp_path: Path, tokenizer: Path) -> Path:
    texts = ["痛みと発熱がある。" * 3, "薬をのむ。\n水ものむ。", "眠れない夜がつづく。" * 5]
    documents = [Doc(f"d{index}", texts[index % 3] + str(index), "s", "CC0") for index in range(40)]
    write_documents(tmp_path / "corpus" / "documents", documents)
    write_json(tmp_path / "corpus" / "sources.json", {"s": {"kind": "general", "characters": 1}})
    out = tmp_path / "packed"
    out.mkdir()
    build_packed(PackSection(sequence_length=48, validation_share=0.2), tmp_path / "corpus", tokenizer, out, QUIET)
    return out


def section(**keys: Any) -> TrainSection:
    return TrainSection.model_validate({**KEYS, **keys})


@pytest.mark.parametrize("padded", [True, False])
def test_the_folder_is_stock_and_folded(tmp_path: Path, packed: Path, tokenizer: Path, padded: bool) -> None:
    out = tmp_path / "out"
    shape = MODEL.model_copy(update={"pad_vocabulary": padded})
    summary = pretrain(shape, section(), packed, tokenizer, out, QUIET)
    model = AutoModelForCausalLM.from_pretrained(out / "model")
    assert type(model).__name__ == "ArceeForCausalLM"
    assert sum(weight.numel() for weight in model.parameters()) == summary["parameters"]
    trained = load_file(out / "checkpoints" / "step-0000006" / "model.safetensors")
    folded = load_file(out / "model" / "model.safetensors")
    assert trained.keys() == folded.keys()
    for name, weight in trained.items():
        scale = embedding_scale(32) if "embed_tokens" in name else 1.0
        assert torch.equal(folded[name], weight * scale), name
    config = json.loads((out / "model" / "config.json").read_text())
    assert config["vocab_size"] == (128 if padded else 100) and config["max_position_embeddings"] == 48
    assert folded["lm_head.weight"].shape == folded["model.embed_tokens.weight"].shape == (config["vocab_size"], 32)
    assert config["rms_norm_eps"] == 1e-5
    assert config["architectures"] == ["ArceeForCausalLM"] and config["use_cache"] is True
    assert (config["bos_token_id"], config["eos_token_id"]) == (1, 2)
    assert "igakulm" not in json.dumps(config)
    assert (out / "model" / "tokenizer.json").read_bytes() == (tokenizer / "tokenizer.json").read_bytes()
    assert not (out / "model" / "chat_template.jinja").exists()


def test_metrics_agree_with_the_stock_model(tmp_path: Path, packed: Path, tokenizer: Path) -> None:
    out = tmp_path / "out"
    pretrain(MODEL, section(), packed, tokenizer, out, QUIET)
    metrics = json.loads((out / "metrics.json").read_text())
    assert [row["step"] for row in metrics["validation"]][-2:] == [3, 6]
    assert metrics["loss_last"] < metrics["loss_first"]
    assert metrics["samples"] and all(sample["prompt"] for sample in metrics["samples"])
    assert "seconds" not in json.dumps(metrics)
    rows = PackedRows.open(packed / "valid", TextEncoder.load(tokenizer).sha256)
    model = AutoModelForCausalLM.from_pretrained(out / "model", dtype=torch.float32)
    total, count = 0.0, 0
    for number in range(len(rows)):
        row = rows.row(number)
        for part in torch.split(torch.from_numpy(row.tokens), list(row.lengths)):
            with torch.no_grad():
                logits = model(input_ids=part[None]).logits[0, :-1]
            total += float(torch.nn.functional.cross_entropy(logits, part[1:], reduction="sum"))
            count += len(part) - 1
    final = metrics["validation"][-1]
    assert final["loss"] == pytest.approx(total / count, rel=1e-4)
    assert final["bits_per_byte"] == pytest.approx(total / math.log(2) / rows.index["text_bytes"], rel=1e-4)


def test_two_runs_write_the_same_bytes(tmp_path: Path, packed: Path, tokenizer: Path) -> None:
    for name in ("a", "b"):
        pretrain(MODEL, section(), packed, tokenizer, tmp_path / name, QUIET)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 10
    for file in files:
        if file.parts[0] != "logs":
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_second_call_goes_on_with_the_first_ones_checkpoints(tmp_path: Path, packed: Path, tokenizer: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    pretrain(MODEL, section(), packed, tokenizer, out, QUIET)
    for path in sorted((out / "checkpoints").iterdir())[1:]:
        for file in path.iterdir():
            file.write_bytes(b"")
    (out / "metrics.json").unlink()
    pretrain(MODEL, section(), packed, tokenizer, out, QUIET)
    pretrain(MODEL, section(), packed, tokenizer, other, QUIET)
    for name in ("metrics.json", "model/model.safetensors"):
        assert (out / name).read_bytes() == (other / name).read_bytes()
    steps = [json.loads(line)["step"] for line in (out / "logs" / "steps.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_rows_of_another_tokenizer_are_refused(tmp_path: Path, packed: Path, tokenizer: Path) -> None:
    (tokenizer / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="another tokenizer"):
        pretrain(MODEL, section(), packed, tokenizer, tmp_path / "out", QUIET)


@pytest.mark.parametrize("same_tokenizer", [True, False])
def test_starting_from_a_folder(tmp_path: Path, packed: Path, tokenizer: Path, same_tokenizer: bool) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    pretrain(MODEL, section(steps=2), packed, tokenizer, base, QUIET)
    if not same_tokenizer:
        (base / "model" / "tokenizer.json").write_text("{}", encoding="utf-8")
    start = ModelSection(preset=None, from_folder=str(base / "model"), dropout=0.0)
    pretrain(start, section(steps=1, learning_rate=1e-9), packed, tokenizer, out, QUIET)
    before, after = (load_file(folder / "model" / "model.safetensors") for folder in (base, out))
    layer = "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(before[layer], after[layer], atol=1e-6)
    kept = torch.allclose(before["lm_head.weight"], after["lm_head.weight"], atol=1e-6)
    assert kept is same_tokenizer
