"""A GGUF file as the base of a tuning: weights, tokenizer, provenance, the way from the command to a tuned model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoTokenizer

from foreign_models import open_model
from foreign_tokenizers import CHATML, byte_level
from igakulm.bundle.gguf import GgufKind, write_gguf
from igakulm.errors import InputError
from igakulm.files import write_jsonl
from igakulm.inference.llamacpp import available
from igakulm.model.base import describe_base, knows_chat, load_base
from igakulm.model.presets import architecture
from igakulm.recipe.schema import ModelSection
from igakulm.tokenizer.adopt import adopt
from igakulm.tokenizer.base_source import find_base
from igakulm.tokenizer.folder_text import FolderText
from igakulm.tokenizer.gguf_tokenizer import write_gguf_tokenizer

SIZES = {"head_dim": 128, "hidden_size": 256, "intermediate_size": 256, "tie_word_embeddings": False}
TEXTS = ("糖尿病の治療に A B C を使う。\n\n答え：A\n", "hello world 123 <|im_end|>", " 体温 38.5℃")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return open_model(byte_level(tmp_path_factory.mktemp("source"), CHATML), "qwen2", **SIZES)


@pytest.mark.parametrize(("kind", "worst"), [("f32", 0.0), ("bf16", 4e-3), ("q8_0", 1e-2), ("q4_k_m", 0.1)])
def test_weights_and_ids_are_those_of_the_folder(source: Path, kind: GgufKind, worst: float, tmp_path: Path) -> None:
    if kind == "q4_k_m" and not available():
        pytest.skip("K-quants are written by xllamacpp")
    write_gguf(source, tmp_path / "base.gguf", kind, "base")
    model = load_base(tmp_path)  # a folder with one GGUF file
    weights = dict(model.named_parameters())
    for name, wanted in load_file(source / "model.safetensors").items():
        found = weights[name][: len(wanted)].detach()
        assert float((found - wanted).norm()) <= worst * float(wanted.norm()), name
    assert not hasattr(model.config, "quantization_config")
    record = describe_base(tmp_path / "base.gguf")
    assert (record.kind, record.name, record.architecture) == ("gguf", "base.gguf", "qwen2")
    assert record.precision == kind.upper() and record.lost_precision is kind.startswith("q")
    assert ("does not come back" in record.sentence()) is record.lost_precision
    assert architecture(ModelSection(from_folder=str(tmp_path))).layer_parameters == sum(
        weight.numel() for name, weight in weights.items() if ".layers.0." in name
    )
    assert knows_chat(tmp_path)
    write_gguf_tokenizer(tmp_path / "base.gguf", tmp_path / "stock")
    assert FolderText(tmp_path / "stock").texts(TEXTS) == FolderText(source).texts(TEXTS)
    assert adopt(tmp_path / "stock", tmp_path / "adopted", tmp_path / "base.gguf") == "template"
    described = json.loads((tmp_path / "adopted" / "adopted.json").read_text())
    assert described["source_sha256"] == record.sha256


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    """transformers gives these heads another width than the file has."""
    odd = open_model(byte_level(tmp_path / "odd", CHATML), "qwen2", **SIZES | {"head_dim": 64})
    write_gguf(odd, tmp_path / "odd.gguf", "f32", "odd")
    with pytest.raises(InputError, match="cannot be read as a model to train"):
        load_base(tmp_path / "odd.gguf")


def test_what_is_no_base_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model here"):
        find_base(tmp_path)
    (tmp_path / "a.bin").touch()
    with pytest.raises(InputError, match="no GGUF file"):
        find_base(tmp_path / "a.bin")
    (tmp_path / "a.gguf").write_bytes(b"GGUF\x03\x00")
    with pytest.raises(InputError, match="no complete GGUF file"):
        load_base(tmp_path / "a.gguf")
    (tmp_path / "b.gguf").touch()
    with pytest.raises(InputError, match="2 GGUF files"):
        find_base(tmp_path)


@pytest.mark.parametrize("form", ["folder", "gguf"])
def test_rows_and_a_base_are_enough(source: Path, form: str, tmp_path: Path) -> None:
    """The command `finetune` on a recipe that names a base and rows, twice: from outside, and from what it made."""
    rows = [
        {"id": str(n), "tag": "x", "document": f"血圧 {n}", "choices": ["糖尿病", "貧血"], "answer": ["A"]}
        for n in range(8)
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    base = source
    if form == "gguf":
        write_gguf(source, base := tmp_path / "base.gguf", "q8_0", "base")
    recipe: dict[str, Any] = {
        "name": "ward",
        "runs_folder": str(tmp_path / "runs"),
        "model": {"from_folder": str(base)},
        "pretrain": {"steps": 0},
        "finetune": {"steps": 2, "global_batch": 4, "warmup_steps": 1, "precision": "fp32", "max_length": 512},
        "benchmarks": {"rows": [{"name": "t", "kind": "classification", "train": "rows.jsonl"}]},
    }
    for name in ("ward", "again"):
        recipe["name"] = name
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
        words = [sys.executable, "-m", "igakulm", "finetune", "--recipe", str(tmp_path / f"{name}.yaml")]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        latest = tmp_path / "runs" / name / "latest"
        record = json.loads((latest / "pretrain" / "base.json").read_text())
        assert record["lost_precision"] is (name == "ward" and form == "gguf")
        loader: Any = AutoTokenizer
        stock = loader.from_pretrained(latest / "finetune" / "model", local_files_only=True)
        assert stock.chat_template
        recipe["model"] = {"from_folder": str(latest / "finetune")}  # our own model is a base as any other
    assert sorted(path.name for path in latest.iterdir()) == ["finetune", "lexicon", "pretrain", "tokenizer"]
    before, after = (load_file(latest / stage / "model" / "model.safetensors") for stage in ("pretrain", "finetune"))
    assert before.keys() == after.keys() and not all(torch.equal(before[name], after[name]) for name in before)


def test_a_base_and_rows_on_the_command_line(source: Path, tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "tag": "x", "document": f"血圧 {n}", "choices": ["糖尿病", "貧血"], "answer": ["A"]}
        for n in range(8)
    ]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    words = [sys.executable, "-m", "igakulm", "finetune", "--base", str(source), "--name", "ward"]
    given = ["--rows", "classification=rows.jsonl", "--set", "finetune.epochs=1", "--set", "finetune.precision=fp32"]
    done = subprocess.run([*words, *given], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "runs" / "ward" / "latest" / "finetune" / "model" / "model.safetensors").is_file()
    assert yaml.safe_load((tmp_path / "runs/ward/recipe.yaml").read_text())["pretrain"] == {"steps": 0}
    for wrong, said in ((words[:4], "either a recipe or a base"), (words, "nothing to tune on")):
        refused = subprocess.run(wrong, cwd=tmp_path, capture_output=True, text=True)
        assert refused.returncode == 2 and said in refused.stderr
