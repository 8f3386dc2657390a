"""TRL's SFTTrainer goes on with what export wrote, and its loss on answers is ours."""

from pathlib import Path
from typing import Any

import pytest
import torch

from igakulm.bundle.export import export
from igakulm.model.batch import NO_TARGET, Row, collate
from igakulm.model.objective import Objective
from igakulm.model.presets import load_folder
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import load_encoder

from .conftest import Trained
from .test_stock import TURN

trl = pytest.importorskip("trl", reason="trl is not installed: pip install trl")
datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install datasets")


def step(folder: Path, out: Path, dataset: Any, **keys: Any) -> tuple[float, bool]:
    """Loss of one SFTTrainer step, and whether weights moved."""
    settings = trl.SFTConfig(
        output_dir=str(out),
        max_steps=1,
        per_device_train_batch_size=1,
        learning_rate=1e-3,
        max_length=128,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        model_init_kwargs={"dtype": "float32", "local_files_only": True},
        disable_tqdm=True,
        **keys,
    )
    trainer = trl.SFTTrainer(model=str(folder), args=settings, train_dataset=dataset)
    before = trainer.model.lm_head.weight.detach().clone()
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return float(losses[0]), not torch.equal(before, trainer.model.lm_head.weight)


def our_loss(folder: Path, ids: list[int], mask: list[bool]) -> float:
    import numpy as np

    tokens = np.asarray(ids, np.int64)
    learnt = np.append(np.asarray(mask[1:], bool), False)
    targets = np.where(learnt, np.append(tokens[1:], NO_TARGET), NO_TARGET)
    batch = collate([Row(tokens, targets, (len(tokens),))])
    with torch.no_grad():
        return float(Objective(load_folder(folder)).train(False)(batch)) / len(batch.targets)


def test_a_tuned_export_trains_on_answers_only(trained: Trained, tmp_path: Path) -> None:
    export(ExportSection(gguf=(), name="small"), trained.tuned, None, None, tmp_path / "bundle", SilentProgress())
    folder = tmp_path / "bundle" / "huggingface"
    rows = datasets.Dataset.from_list([{"messages": TURN}])
    loss, moved = step(folder, tmp_path / "out", rows, assistant_only_loss=True)
    assert moved
    assert loss == pytest.approx(our_loss(folder, *render_chat(load_encoder(folder), TURN, False)), rel=1e-4)


def test_a_base_folder_trains_on_text(trained: Trained, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_list([{"text": "糖尿病の治療にはインスリンを用いる。"}])
    loss, moved = step(trained.base, tmp_path / "out", rows)
    encoder = load_encoder(trained.base)
    ids = [*encoder.begin, *encoder.encode("糖尿病の治療にはインスリンを用いる。"), encoder.eos]
    assert moved and loss == pytest.approx(our_loss(trained.base, ids, [True] * len(ids)), rel=1e-4)
