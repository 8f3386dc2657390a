"""A base and a tuned model, trained for a few steps with a real tokenizer: what other tools are given."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from igakulm.files import Doc, write_documents, write_json, write_jsonl
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, FinetuneSection, ModelSection, PackSection, RowTask, TrainSection
from igakulm.training.finetune import finetune
from igakulm.training.pack import build_packed
from igakulm.training.pretrain import pretrain
from tiny_bundle import TEXTS, tokenizer_folder

MODEL = ModelSection(preset=None, hidden_size=64, layers=2, heads=4, key_value_heads=2, dropout=0.0)
QUIET = SilentProgress()


class Trained(NamedTuple):
    """Folders that the stages wrote."""

    base: Path
    tuned: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    documents = [Doc(f"d{n}", text.format(n=n), "ward", "CC0-1.0") for n in range(1, 9) for text in TEXTS]
    write_documents(folder / "corpus" / "documents", documents)
    write_json(folder / "corpus" / "sources.json", {"ward": {"kind": "medical", "characters": 999}})
    for name in ("packed", "base", "tuned"):
        (folder / name).mkdir()
    build_packed(PackSection(sequence_length=64), folder / "corpus", tokenizer_folder(), folder / "packed", QUIET)
    keys = {"micro_batch": 4, "global_batch": 4, "warmup_steps": 1, "precision": "fp32", "seed": 0}
    section = TrainSection.model_validate({**keys, "steps": 3, "learning_rate": 1e-2})
    pretrain(MODEL, section, folder / "packed", tokenizer_folder(), folder / "base", QUIET)
    for name in ("train", "test"):
        rows = [
            {"id": f"{name}{n}", "tag": "x", "document": f"{name} {n}", "choices": ["糖尿病", "貧血"], "answer": ["A"]}
            for n in range(8)
        ]
        write_jsonl(folder / f"{name}.jsonl", rows)
    task = RowTask(name="t", kind="classification", train=str(folder / "train.jsonl"), test=str(folder / "test.jsonl"))
    tuning = FinetuneSection.model_validate({**keys, "steps": 2, "learning_rate": 1e-3, "max_length": 128})
    finetune(
        MODEL, tuning, BenchmarksSection(rows=(task,)), folder / "base", tokenizer_folder(), folder / "tuned", QUIET
    )
    return Trained(folder / "base" / "model", folder / "tuned" / "model")
