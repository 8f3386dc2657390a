"""What a recipe will cost before anything runs: parameters, tokens, memory, hours, electricity. Arithmetic, no torch.

Does: estimate, each figure with its formula; warn of what cannot fit. Does not: look at this machine's GPUs, or measure
(benchmarks/ and logs/steps.jsonl do).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from igakulm.files import read_json
from igakulm.machine import cores
from igakulm.model.presets import Architecture
from igakulm.recipe.schema import Recipe, TrainSection
from igakulm.training.devices import CORE_FLOPS, Fleet, parse_fleets
from igakulm.training.devices import peak_flops as peak_flops
from igakulm.training.memory import (
    FORMULAS,
    GIB,
    MICRO_BATCHES,
    STRATEGIES,
    largest_micro_batch,
    memory_per_gpu,
    memory_table,
    shortage,
    strategy_of,
)
from igakulm.training.model_size import ModelSize, size_of_recipe
from igakulm.training.tuning_plan import tuning_plan

PLAN_FORMULAS = {
    "parameters": "N (2 d q + 2 d kv + 2 d ff + 2 d) + d + 2 V d: N layers, width d, q = heads x head size, "
    "kv = key-value heads x head size, inner width ff (3 d ff if gated), V rows of embedding and of head",
    "flops_per_token": "6 (parameters - V d) + 12 N T d (forward and backward, attention not halved)",
    "tokens": "steps x global batch x sequence length",
    "tokens_per_parameter": "tokens / parameters (Hoffmann et al., 2022: about 20 is optimal for training alone)",
    "epochs": "tokens / unique tokens",
    "memory_gb": "states + activations + buffers of one reference GPU, in units of 2^30 bytes",
    "hours": "tokens x FLOP a token / (GPUs x peak FLOP/s x utilisation) / 3600, pretraining on the reference GPUs",
    "kwh": "hours x GPUs x board power x plan.power_overhead",
    "yen": "kWh x plan.yen_per_kwh",
}


def flops_per_token(sizes: Architecture, vocabulary_size: int, sequence_length: int) -> float:
    """Floating-point operations of forward and backward for one token (PaLM's convention, attention not halved).

    >>> from igakulm.model.presets import PRESETS
    >>> round(flops_per_token(PRESETS["paper-1b"], 32_768, 2048) / 1e9, 2)
    7.95
    """
    return ModelSize(sizes, vocabulary_size).flops_per_token(sequence_length)


def plan(recipe: Recipe, *, unique_tokens: int | None = None, gpus: Sequence[str] = ()) -> dict[str, Any]:
    """Estimates for a recipe.

    The first of the GPUs is the reference: `memory_gb`, `hours`, `kwh` and `yen` at the top are for it, with the
    recipe's own micro-batch and strategy (`reference` says which). By default that is the paper's machine.

    Args:
        recipe: the recipe.
        unique_tokens: tokens of the corpus, for the number of epochs; without it the packed folder's where there is
            one, else `plan.unique_tokens`.
        gpus: "NAME:COUNT" each; without them `plan.gpus`.

    Raises:
        InputError: an unknown GPU, impossible sizes, or a `model.from_folder` that is not there.
    """
    size, section, length = size_of_recipe(recipe), recipe.pretrain, recipe.pack.sequence_length
    fleets = parse_fleets(gpus or recipe.plan.gpus)
    flops = size.flops_per_token(length)
    tokens = section.steps * section.global_batch * length
    unique, source = (unique_tokens, "given") if unique_tokens else _unique_tokens(recipe)
    rows = [_fleet(fleet, recipe, size, flops, tokens) for fleet in fleets]
    reference = rows[0]
    memory = _memory(size, section, length, fleets)
    return {
        "name": recipe.name,
        "parameters": size.parameters,
        "flops_per_token": flops,
        "tokens": tokens,
        "steps": section.steps,
        "memory_gb": memory["total_gib"],
        **{key: reference[key] for key in ("hours", "kwh", "yen")},
        "tokens_per_parameter": round(tokens / size.parameters, 1),
        "unique_tokens": unique,
        "unique_tokens_from": source if unique else None,
        "epochs": round(tokens / unique, 2) if unique else None,
        "reference": {key: reference[key] for key in ("device", "gpus", "strategy", "micro_batch")},
        "warnings": _warnings(recipe, size, fleets),
        "formulas": PLAN_FORMULAS,
        "model": _model(size),
        "pretrain": {"tokens_per_step": section.global_batch * length, "flops": flops * tokens},
        "finetune": _finetune(recipe, size),
        "memory": memory,
        "devices": rows,
        "cpu": _cpu(section, flops, tokens),
    }


def _memory(size: ModelSize, section: TrainSection, length: int, fleets: Sequence[Fleet]) -> dict[str, Any]:
    """The reference's memory, a table of other ways, the formulas."""
    count = fleets[0].count
    memory = memory_per_gpu(size, section, length, strategy_of(section, count), count, section.micro_batch)
    return {
        **memory.gib(),
        "checkpoint_gib": round(12 * size.parameters / GIB, 2),
        "table": memory_table(size, section, length, _table_gpus(fleets)),
        "formulas": FORMULAS,
    }


def _table_gpus(fleets: Sequence[Fleet]) -> int:
    """The reference's number of GPUs; where it is one, the largest of the others."""
    return fleets[0].count if fleets[0].count > 1 else max(fleet.count for fleet in fleets)


def _unique_tokens(recipe: Recipe) -> tuple[int | None, str]:
    """Tokens of the packed training rows, each document once; else what the recipe says."""
    index = Path(recipe.runs_folder) / recipe.name / "latest" / "pack" / "train" / "index.json"
    if index.is_file():
        found = read_json(index)
        if isinstance(found, dict) and isinstance(found.get("unique_tokens"), int):
            return found["unique_tokens"], str(index)
    return recipe.plan.unique_tokens, "plan.unique_tokens"


def _model(size: ModelSize) -> dict[str, Any]:
    names = ("layers", "hidden_size", "intermediate_size", "heads", "key_value_heads", "activation", "tied", "gated")
    sizes = {name: getattr(size.sizes, name) for name in names}
    return {"parameters": size.parameters, **sizes, "vocabulary_size": size.vocabulary_size}


def _finetune(recipe: Recipe, size: ModelSize) -> dict[str, object]:
    section = recipe.finetune
    rows = section.steps * section.global_batch
    flops = size.flops_per_token(section.max_length)
    return {
        "steps": section.steps,
        "rows": rows,
        "tokens_at_most": rows * section.max_length,
        "flops_at_most": flops * rows * section.max_length,
        "cpu": tuning_plan(size, section),
        "formula": "steps x global batch; at most max_length tokens a row, no padding, so short rows cost less",
    }


def _fleet(fleet: Fleet, recipe: Recipe, size: ModelSize, flops: float, tokens: int) -> dict[str, object]:
    """One line of the table of GPUs."""
    device, section, length = fleet.device, recipe.pretrain, recipe.pack.sequence_length
    rate = device.peak_flops * device.utilisation / flops
    hours = tokens / rate / fleet.count / 3600
    kwh = hours * fleet.count * device.watts / 1000 * recipe.plan.power_overhead
    strategy = strategy_of(section, fleet.count)
    fitting = {
        name: largest_micro_batch(size, section, length, name, fleet.count, device.memory_gib)
        for name in (STRATEGIES[1:] if fleet.count > 1 else STRATEGIES[:1])
    }
    memory = memory_per_gpu(size, section, length, strategy, fleet.count, section.micro_batch)
    return {
        "device": device.name,
        "gpus": fleet.count,
        "memory_gib": device.memory_gib,
        "peak_flops": device.peak_flops,
        "utilisation": device.utilisation,
        "basis": device.basis,
        "tokens_per_second": round(rate),
        "strategy": strategy,
        "micro_batch": section.micro_batch,
        "needed_gib": round(memory.total / GIB, 2),
        "fits": memory.total <= device.memory_gib * GIB,
        "largest_micro_batch": fitting,
        "hours": round(hours, 2),
        "days": round(hours / 24, 2),
        "kwh": round(kwh, 1),
        "yen": round(kwh * recipe.plan.yen_per_kwh),
    }


def _cpu(section: TrainSection, flops: float, tokens: int) -> dict[str, object]:
    """Hours on the cores of this machine."""
    count = cores()
    rate = count * CORE_FLOPS[section.precision] / flops
    return {
        "cores": count,
        "flops_per_core": CORE_FLOPS[section.precision],
        "tokens_per_second": round(rate, 1),
        "hours": round(tokens / rate / 3600, 2),
        "formula": "tokens x FLOP a token / (cores x FLOP/s a core); cores of the machine that plans",
    }


def _warnings(recipe: Recipe, size: ModelSize, fleets: Sequence[Fleet]) -> list[str]:
    section, length = recipe.pretrain, recipe.pack.sequence_length
    found = [shortage(size, section, length, fleet.count, fleet.device.memory_gib, fleet.name) for fleet in fleets]
    for fleet in fleets:
        passes, rest = divmod(section.global_batch, section.micro_batch * fleet.count)
        if rest and (fleet.count > 1 or not passes):
            found.append(
                f"{fleet.name}: a global batch of {section.global_batch} is no multiple of {fleet.count} x "
                f"{section.micro_batch} rows: some GPUs wait in every step"
            )
    if section.warmup_steps >= section.steps:
        found.append(f"warm-up ({section.warmup_steps} steps) lasts as long as the training itself")
    return list(filter(None, found))


__all__ = ["MICRO_BATCHES", "flops_per_token", "peak_flops", "plan"]
