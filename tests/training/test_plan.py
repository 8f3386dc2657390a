"""The plan's arithmetic against the paper's own figures and against what autograd keeps; planning needs no torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from igakulm.errors import InputError
from igakulm.model import init
from igakulm.model.adapters import add_adapters, freeze_ends
from igakulm.model.batch import Row, collate, next_token_targets
from igakulm.model.folder_sizes import read_config
from igakulm.model.objective import Objective
from igakulm.model.presets import PRESETS, Architecture, folder_architecture, model_config, new_model
from igakulm.recipe import load_recipe
from igakulm.recipe.schema import FinetuneSection, ModelSection, TrainSection
from igakulm.training.devices import DEVICES, find_device, parse_fleet
from igakulm.training.fit import warnings_here
from igakulm.training.memory import (
    GIB,
    activation_bytes_per_token,
    largest_micro_batch,
    memory_per_gpu,
    shortage,
)
from igakulm.training.model_size import ModelSize, size_of_model
from igakulm.training.plan import flops_per_token, plan
from igakulm.training.plan_text import render_plan, tuning_sentence
from igakulm.training.tuning_plan import trained_parameters, tuning_plan
from tiny_bundle import write_model

PAPER = ModelSize(PRESETS["paper-1b"], 32_768)
SECTION = TrainSection(micro_batch=8, parallel="zero2")


@pytest.fixture
def paper(project: Path) -> dict[str, Any]:
    return plan(load_recipe(project / "recipes" / "paper-1b.yaml"))


def test_the_papers_figures(paper: dict[str, Any]) -> None:
    assert paper["parameters"] == paper["model"]["parameters"] == 1_191_282_688
    assert paper["tokens"] == 24_000 * 1024 * 2048 == 50_331_648_000
    assert paper["steps"] == 24_000 and paper["flops_per_token"] == pytest.approx(7.953e9, rel=1e-4)
    assert paper["epochs"] == pytest.approx(5.6, abs=0.01) and paper["unique_tokens"] == 8_990_000_000
    assert paper["tokens_per_parameter"] == pytest.approx(42.2, abs=0.1)
    assert paper["finetune"]["rows"] == 890 * 256
    assert paper["reference"]["device"] == "RTX 6000 Ada" and paper["reference"]["gpus"] == 4
    assert paper["hours"] / 24 == pytest.approx(14.0, abs=0.2)
    ada, h100 = (row for row in paper["devices"] if (row["device"], row["gpus"]) in {("RTX 6000 Ada", 4), ("H100", 1)})
    assert ada["tokens_per_second"] == pytest.approx(10_400, rel=0.01)
    assert h100["tokens_per_second"] == pytest.approx(62_000, rel=0.01)


def test_the_papers_recipe_fits_the_papers_machine(paper: dict[str, Any]) -> None:
    assert paper["warnings"] == []
    assert 0 < paper["memory_gb"] < 48
    assert all(row["fits"] for row in paper["devices"])


def test_electricity_is_hours_times_power(project: Path) -> None:
    recipe = load_recipe(project / "recipes" / "paper-1b.yaml", ["plan.power_overhead=1.0", "plan.yen_per_kwh=20"])
    estimate = plan(recipe, gpus=["H100:2"])
    assert estimate["kwh"] == pytest.approx(estimate["hours"] * 2 * 0.7, rel=1e-3)
    assert estimate["yen"] == pytest.approx(20 * estimate["kwh"], rel=1e-3)


def test_every_top_figure_has_its_formula(paper: dict[str, Any]) -> None:
    figures = {key for key, value in paper.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    assert figures - {"steps", "unique_tokens"} <= paper["formulas"].keys()
    json.dumps(paper, allow_nan=False)


def test_the_text_says_them(paper: dict[str, Any]) -> None:
    text = render_plan(paper)
    for said in ("1.19 B", "50.3 B tokens", "14.0 days", "FLOP a token", "5.6 over 8.99 B", "kWh", "yen", "zero2 on 4"):
        assert said in text, said
    assert max(len(line) for line in text.splitlines()) < 140


@pytest.mark.parametrize("name", ["quickstart", "real-cpu", "small-110m", "paper-1b"])
def test_every_recipe_has_a_plan(project: Path, name: str) -> None:
    path = project / "recipes" / f"{name}.yaml"
    if not path.exists():
        pytest.skip(f"there is no recipe {name}")
    estimate = plan(load_recipe(path), unique_tokens=1_000)
    assert estimate["epochs"] == pytest.approx(estimate["tokens"] / 1000)
    assert render_plan(estimate).startswith(name)


def test_without_unique_tokens_the_epochs_are_unknown(project: Path, tmp_path: Path) -> None:
    estimate = plan(load_recipe(project / "recipes" / "quickstart.yaml", [f"runs_folder={tmp_path}"]))
    assert estimate["epochs"] is None and estimate["unique_tokens_from"] is None
    assert "epochs          unknown" in render_plan(estimate)


def test_the_packed_folder_counts_before_the_recipe(project: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        project / "recipes" / "quickstart.yaml", [f"runs_folder={tmp_path}", "plan.unique_tokens=1000"]
    )
    assert plan(recipe)["unique_tokens"] == 1000
    folder = tmp_path / "quickstart" / "latest" / "pack" / "train"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text('{"unique_tokens": 4096}', encoding="utf-8")
    assert plan(recipe)["unique_tokens"] == 4096
    assert plan(recipe, unique_tokens=5)["unique_tokens"] == 5


def test_memory_by_strategy() -> None:
    def states(strategy: Any, gpus: int) -> float:
        return memory_per_gpu(PAPER, SECTION, 2048, strategy, gpus, 1).states / PAPER.parameters

    assert states("single", 1) == states("ddp", 4) == 18
    assert states("zero2", 4) == pytest.approx(4 + 4 + 2)
    assert states("fsdp", 4) < states("zero2", 4) < states("ddp", 4)
    assert states("fsdp", 8) < states("fsdp", 4)
    one, four = (memory_per_gpu(PAPER, SECTION, 2048, "ddp", 2, batch).activations for batch in (1, 4))
    assert four == 4 * one


def test_the_largest_micro_batch_fits_and_the_next_does_not() -> None:
    batch = largest_micro_batch(PAPER, SECTION, 2048, "zero2", 4, 48)
    assert memory_per_gpu(PAPER, SECTION, 2048, "zero2", 4, batch).total <= 48 * GIB
    assert memory_per_gpu(PAPER, SECTION, 2048, "zero2", 4, 2 * batch).total > 48 * GIB
    assert largest_micro_batch(PAPER, SECTION, 2048, "ddp", 4, 8) == 0


def test_what_cannot_fit_is_said_with_what_would(project: Path) -> None:
    recipe = load_recipe(project / "recipes" / "paper-1b.yaml", ["pretrain.micro_batch=8"])
    (warning,) = plan(recipe, gpus=["RTX 6000 Ada:4"])["warnings"]
    assert "micro_batch: 4" in warning and "parallel: fsdp (micro_batch: 8)" in warning
    hopeless = shortage(PAPER, SECTION, 2048, 1, 4, "a small GPU")
    assert hopeless and "smaller model" in hopeless
    assert shortage(PAPER, SECTION, 2048, 4, 100, "a large GPU") is None


def test_uneven_batches_are_said(project: Path) -> None:
    recipe = load_recipe(project / "recipes" / "quickstart.yaml", ["pretrain.global_batch=10"])
    warnings = plan(recipe, gpus=["L4:4"])["warnings"]
    assert any("no multiple" in warning for warning in warnings)


def test_this_machine_is_looked_at_before_training(tmp_path: Path) -> None:
    device = torch.device("cpu")
    huge = ModelSize(Architecture(65_536, 262_144, 100, 512, 64), 100_000)
    found = warnings_here(huge, SECTION, 2048, 1, device, tmp_path / "not" / "there")
    assert len(found) == 2 and "this machine" in found[0] and "checkpoints" in found[1]
    tiny = ModelSize(Architecture(64, 256, 2, 1, 1), 512)
    assert warnings_here(tiny, TrainSection(micro_batch=1), 128, 1, device, tmp_path) == []


def test_flops_grow_with_the_context() -> None:
    short, long = (flops_per_token(PRESETS["paper-1b"], 32_768, length) for length in (1024, 2048))
    assert long - short == 12 * 24 * 1024 * 2048


def test_a_loaded_model_counts_as_its_preset() -> None:
    section = ModelSection(preset="tiny")
    size = size_of_model(new_model(model_config(section, 512, 64, bos=1, eos=2)))
    planned = ModelSize(PRESETS["tiny"], 512)
    assert size.parameters == planned.parameters
    assert size.flops_per_token(64) == planned.flops_per_token(64)


def _kept_for_backward(objective: Objective, tokens: int) -> float:
    """Bytes a token that autograd saves, weights and their copies apart."""
    shapes = {tuple(weight.shape) for weight in objective.parameters()}
    shapes |= {shape[::-1] for shape in shapes}
    ids = np.arange(tokens, dtype=np.int64) % 500 + 4
    lengths = (tokens // 2, tokens - tokens // 2)
    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tuple(tensor.shape) not in shapes:
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = objective(collate([Row(ids, next_token_targets(ids, lengths), lengths)]))
    assert loss.requires_grad
    return sum(seen.values()) / tokens


@pytest.mark.parametrize("bf16", [True, False])
@pytest.mark.parametrize("dropout", [0.1, 0.0])
def test_activations_are_what_autograd_keeps(bf16: bool, dropout: float) -> None:
    section = ModelSection(preset=None, hidden_size=256, layers=3, heads=4, key_value_heads=1)
    model = new_model(model_config(section, 512, 480, bos=1, eos=2))
    init.initialise(model, 0)
    objective = Objective(model, scale=16.0, dropout=dropout, bf16=bf16).train()
    planned = activation_bytes_per_token(size_of_model(model), bf16=bf16, dropout=bool(dropout))
    assert _kept_for_backward(objective, 480) == pytest.approx(planned, rel=0.03)


@pytest.mark.parametrize("bf16", [True, False])
def test_a_gated_mlp_is_counted(bf16: bool) -> None:
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=1,
    )
    model = LlamaForCausalLM(config)
    size = size_of_model(model)
    assert size.sizes.gated and size.parameters == sum(weight.numel() for weight in model.parameters())
    planned = activation_bytes_per_token(size, bf16=bf16, dropout=False)
    assert _kept_for_backward(Objective(model, bf16=bf16).train(), 480) == pytest.approx(planned, rel=0.03)


def test_gpus_are_found_by_their_drivers_names() -> None:
    for device in DEVICES:
        assert find_device(device.name) is device
        assert find_device(f"NVIDIA {device.name} Generation") is device
    assert parse_fleet("RTX 6000 Ada : 4").count == 4
    with pytest.raises(InputError, match="no GPU 'H10'"):
        parse_fleet("H10:4")
    for count in ("0", "-1", "x", "", "4:2", "1.5"):
        with pytest.raises(InputError, match=f"'{count}' is no number of GPUs"):
            parse_fleet(f"H100:{count}")


def test_planning_needs_no_torch() -> None:
    code = (
        "import sys; import igakulm.training.plan, igakulm.training.plan_text, igakulm.training.slurm; "
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_gpus_of_the_recipe_are_reckoned_with(project: Path) -> None:
    recipe = load_recipe(project / "recipes" / "paper-1b.yaml", ['plan.gpus=["H100:2","L4:1"]'])
    estimate = plan(recipe)
    assert [(row["device"], row["gpus"]) for row in estimate["devices"]] == [("H100", 2), ("L4", 1)]
    assert (estimate["reference"]["device"], estimate["reference"]["gpus"]) == ("H100", 2)


@pytest.mark.parametrize("kind", ["arcee", "llama", "gemma3"])
def test_what_is_trained_is_counted_as_it_is(kind: str, tmp_path: Path) -> None:
    """By method: the figure of the plan is that of the model with its adapters on and its embeddings frozen."""
    write_model(tmp_path, kind)
    size = ModelSize(folder_architecture(tmp_path), int(read_config(tmp_path)["vocab_size"]))
    for section in (
        FinetuneSection(),
        FinetuneSection(freeze_embeddings=True),
        FinetuneSection(method="lora", lora_rank=4),
    ):
        model = AutoModelForCausalLM.from_pretrained(tmp_path)
        if section.method == "lora":
            add_adapters(model, rank=4, alpha=8, dropout=0, seed=0)
        elif not section.trains_embeddings:
            freeze_ends(model)
        counted = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
        # The norms of heads of Gemma 3 are no part of the sizes that a folder names.
        assert trained_parameters(size, section) == pytest.approx(counted, rel=0.01)


def test_adapters_take_less_memory_and_time_and_rows_of_known_length_less_than_the_longest() -> None:
    size = ModelSize(PRESETS["small-110m"], 32_768)
    full, frozen, lora = (
        tuning_plan(size, FinetuneSection(steps=100, **more))
        for more in ({}, {"freeze_embeddings": True}, {"method": "lora"})
    )
    assert full["memory_gib"] > frozen["memory_gib"] > lora["memory_gib"]
    assert full["hours"] > frozen["hours"] > lora["hours"] and full["at_most"]
    short = tuning_plan(size, FinetuneSection(steps=100), (80.0, 8.0, 120))
    assert short["hours"] < full["hours"] / 5 and not short["at_most"] and short["memory_gib"] < full["memory_gib"]
    assert tuning_sentence(lora).startswith("lora: ")
