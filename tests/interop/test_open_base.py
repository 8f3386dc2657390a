"""From an open model's folder to a tuned bundle of it, with its own tokenizer: every stage on small random models."""

import json
import os
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
from foreign_tokenizers import CHATML, byte_level, metaspace
from igakulm.bundle.export import export
from igakulm.errors import InputError
from igakulm.files import Doc, write_documents, write_json, write_jsonl
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import (
    BenchmarksSection,
    ExportSection,
    FinetuneSection,
    ModelSection,
    PackSection,
    RowTask,
    TokenizerSection,
    TrainSection,
)
from igakulm.synth.lexicon import write_terms
from igakulm.tokenizer.build_tokenizer import build_tokenizer
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import TextEncoder
from igakulm.tokenizer.folder_encoder import FolderEncoder
from igakulm.tokenizer.open import load_encoder, refuse_other_reading
from igakulm.training.finetune import finetune
from igakulm.training.pack import build_packed
from igakulm.training.packed import PackedRows
from igakulm.training.pretrain import pretrain
from tiny_bundle import TEXTS, tokenizer_folder

QUIET = SilentProgress()
KEYS = {"micro_batch": 4, "global_batch": 4, "warmup_steps": 1, "precision": "fp32", "seed": 0, "checkpoint_every": 9}
ASK = [{"role": "user", "content": "糖尿病の治療は？"}]


def made(kind: str, folder: Path) -> Path:
    if kind == "qwen2":  # its own chat format, tied, more rows than entries, no begin token
        return open_model(byte_level(folder, CHATML), "qwen2", spare=5, tie_word_embeddings=True)
    if kind == "gemma3_text":  # reserved entries, embedding scaled inside
        return open_model(byte_level(folder, None, reserved=4), kind, sliding_window=1024, query_pre_attn_scalar=16)
    return open_model(metaspace(folder), "llama")  # chat tokens appended


def prepared(source: Path, folder: Path) -> Path:
    """Corpus, lexicon, tokenizer and packed rows."""
    documents = [
        Doc(f"d{n}-{k}", text.format(n=n), "ward", "CC0-1.0") for n in range(6) for k, text in enumerate(TEXTS)
    ]
    write_documents(folder / "corpus" / "documents", documents)
    write_json(folder / "corpus" / "sources.json", {"ward": {"kind": "medical", "characters": 999}})
    write_terms(folder / "lexicon" / "terms.tsv", [])
    rows = [
        {"id": str(n), "tag": "x", "document": f"血圧 {n}<|im_end|>", "choices": ["糖尿病", "貧血"], "answer": ["A"]}
        for n in range(8)
    ]
    write_jsonl(folder / "rows.jsonl", rows)
    for name in ("tokenizer", "packed", "base", "tuned", "bundle"):
        (folder / name).mkdir()
    section = TokenizerSection(from_folder=str(source))
    build_tokenizer(section, folder / "corpus", folder / "lexicon", folder / "tokenizer", QUIET)
    packing = PackSection(sequence_length=128)
    build_packed(packing, folder / "corpus", folder / "tokenizer", folder / "packed", QUIET)
    return folder


def train(model: ModelSection, folder: Path, steps: int = 2, rate: float = 1e-3) -> None:
    section = TrainSection.model_validate({**KEYS, "steps": steps, "learning_rate": rate})
    pretrain(model, section, folder / "packed", folder / "tokenizer", folder / "base", QUIET)


def tune(model: ModelSection, folder: Path) -> None:
    section = FinetuneSection.model_validate({**KEYS, "steps": 2, "learning_rate": 1e-3, "max_length": 512})
    rows = str(folder / "rows.jsonl")
    benchmarks = BenchmarksSection(rows=(RowTask(name="t", kind="classification", train=rows, test=rows),))
    finetune(model, section, benchmarks, folder / "base", folder / "tokenizer", folder / "tuned", QUIET)


@pytest.mark.parametrize("kind", ["qwen2", "gemma3_text", "llama"])
def test_every_stage(kind: str, tmp_path: Path) -> None:
    source = made(kind, tmp_path / "source")
    folder = prepared(source, tmp_path)
    model = ModelSection(from_folder=str(source), dropout=0.1)
    encoder = load_encoder(folder / "tokenizer")
    rows = PackedRows.open(folder / "packed" / "train", encoder.sha256)
    assert rows.row(0).tokens[: len(encoder.begin)].tolist() == list(encoder.begin)
    assert rows.row(0).tokens[-1] == encoder.eos
    train(model, folder)
    tune(model, folder)
    export(ExportSection(gguf=(), name="open"), folder / "tuned" / "model", None, None, folder / "bundle", QUIET)
    bundle = folder / "bundle" / "huggingface"
    loader: Any = AutoTokenizer
    stock = loader.from_pretrained(bundle, local_files_only=True)
    ids = stock.apply_chat_template(ASK, add_generation_prompt=True, return_dict=False)
    assert ids == render_chat(encoder, ASK, True)[0] == render_chat(FolderEncoder(bundle), ASK, True)[0]
    assert (folder / "base" / "model" / "chat_template.jinja").exists() is (kind == "qwen2")
    config, before = (json.loads((place / "config.json").read_text()) for place in (bundle, source))
    wanted = {"qwen2": before["vocab_size"], "gemma3_text": before["vocab_size"], "llama": 384}[kind]
    assert config["vocab_size"] == wanted >= encoder.size and config["model_type"] == kind
    ends = json.loads((bundle / "generation_config.json").read_text())["eos_token_id"]
    assert set(ends) == set(encoder.stops)
    tensors = load_file(bundle / "model.safetensors")
    assert ("lm_head.weight" in tensors) is (kind == "llama")


def test_a_rate_of_nothing_gives_the_open_model_back(tmp_path: Path) -> None:
    source = made("qwen2", tmp_path / "source")
    folder = prepared(source, tmp_path)
    train(ModelSection(from_folder=str(source), dropout=0.0), folder, steps=1, rate=1e-12)
    before, after = (load_file(place / "model.safetensors") for place in (source, folder / "base" / "model"))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, rtol=1e-6, atol=1e-8)


def test_windows_are_trained_and_other_tokenizers_refused(tmp_path: Path) -> None:
    source = open_model(metaspace(tmp_path / "source"), "mistral", sliding_window=32)
    train(ModelSection(from_folder=str(source)), prepared(source, tmp_path))  # rows of 128 tokens
    own = TextEncoder.load(tokenizer_folder())
    for kind in ("arcee", "llama", "mistral", "qwen3"):
        refuse_other_reading(own, kind)
    with pytest.raises(InputError, match="otherwise beside a model of type 'qwen2'"):
        refuse_other_reading(own, "qwen2")
    (tmp_path / "other").mkdir()
    other = made("qwen2", tmp_path / "other" / "source")
    with pytest.raises(InputError, match="otherwise beside a model"):
        qwen = prepared(byte_level(tmp_path / "plain"), tmp_path / "other")
        train(ModelSection(from_folder=str(other)), qwen)


@pytest.mark.slow
def test_the_recipe_through_the_command(project: Path, samples: Path, tmp_path: Path) -> None:
    source = made("qwen2", tmp_path / "source")
    recipe = yaml.safe_load((project / "recipes" / "from-open-base.yaml").read_text(encoding="utf-8"))
    quick = (project / "recipes" / "quickstart.yaml").read_text(encoding="utf-8").replace("../samples", str(samples))
    given = yaml.safe_load(quick)
    recipe |= {key: given[key] for key in ("lexicon", "corpus", "benchmarks")} | {"runs_folder": str(tmp_path / "runs")}
    recipe["evaluate"] = {"max_items": 4, "max_new_tokens": 4, "bootstrap_samples": 100}
    recipe["pack"]["sequence_length"] = 256
    for name in ("pretrain", "finetune"):
        recipe[name] |= {"steps": 2, "global_batch": 4, "warmup_steps": 1}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    words = [sys.executable, "-m", "igakulm", "run", str(tmp_path / "small.yaml")]
    environment = {**os.environ, "IGAKULM_BASE": str(source)}
    for key in ("tokenizer", "model"):
        words += ["--set", f"{key}.from_folder={source}"]
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    run = tmp_path / "runs" / "from-open-base" / "latest"
    assert (run / "export" / "huggingface" / "adopted.json").is_file() and (run / "report" / "report.html").is_file()
