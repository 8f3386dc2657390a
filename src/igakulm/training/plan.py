"""What a recipe will cost before anything runs: parameters, tokens, memory, hours. Pure arithmetic, no torch.

Does: estimate, each figure with its formula. Does not: look at data or devices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from igakulm.model.presets import Architecture, architecture
from igakulm.recipe.schema import Recipe, TrainSection

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of GPU: dense bf16 FLOP/s as its maker states them, memory, the share of them reached, and who says so."""

    name: str
    peak_flops: float
    memory_gib: float
    utilisation: float
    basis: str


DEVICES = (
    # The paper's 50.3 B tokens in 14 days on 4 GPUs are 10.4 k tokens/s each: 22.7 % of 364 TFLOP/s.
    Device("RTX 6000 Ada", 364e12, 48, 0.227, "measured by the paper"),
    Device("A100 80GB", 312e12, 80, 0.50, "assumed"),
    Device("H100", 989e12, 80, 0.50, "assumed"),
)


def flops_per_token(sizes: Architecture, vocabulary_size: int, sequence_length: int) -> float:
    """Floating-point operations of forward and backward for one token (PaLM's convention, attention not halved).

    >>> from igakulm.model.presets import PRESETS
    >>> round(flops_per_token(PRESETS["paper-1b"], 32_768, 2048) / 1e9, 2)
    7.95
    """
    multiplied = sizes.parameters(vocabulary_size) - vocabulary_size * sizes.hidden_size
    attention = 12 * sizes.layers * sequence_length * sizes.heads * sizes.head_size
    return 6.0 * multiplied + attention


def activation_bytes_per_token(sizes: Architecture, vocabulary_size: int) -> int:
    """Bytes kept for the backward pass for each token: bf16 products, fp32 residual stream, no recomputation.

    A layer keeps two fp32 norm inputs and outputs (16 d) with their bf16 copies (4 d), q, o and their inputs (8 d),
    k and v (8 kv), the two MLP inner states (4 ff) and dropout masks (2 d).
    """
    keys = sizes.key_value_heads * sizes.head_size
    layer = 30 * sizes.hidden_size + 8 * keys + 4 * sizes.intermediate_size
    return sizes.layers * layer + 12 * sizes.hidden_size


def plan(recipe: Recipe, *, unique_tokens: int | None = None) -> dict[str, Any]:
    """Estimates for a recipe: `model`, `pretrain`, `finetune`, `memory`, `devices` (a list), each with `formula`.

    Args:
        recipe: the recipe.
        unique_tokens: tokens of the packed corpus, for the number of epochs.
    """
    sizes = architecture(recipe.model)
    vocabulary, length = recipe.tokenizer.vocabulary_size, recipe.pack.sequence_length
    section = recipe.pretrain
    parameters, flops = sizes.parameters(vocabulary), flops_per_token(sizes, vocabulary, length)
    step_tokens = section.global_batch * length
    tokens = section.steps * step_tokens
    return {
        "name": recipe.name,
        "model": {
            "parameters": parameters,
            "layers": sizes.layers,
            "hidden_size": sizes.hidden_size,
            "formula": "N (2 d^2 + 2 d kv + 2 d ff + 2 d) + d + 2 V d",
        },
        "pretrain": {
            "steps": section.steps,
            "tokens_per_step": step_tokens,
            "tokens": tokens,
            "epochs": round(tokens / unique_tokens, 2) if unique_tokens else None,
            "tokens_per_parameter": round(tokens / parameters, 1),
            "flops_per_token": flops,
            "flops": flops * tokens,
            "formula": "tokens = steps x global batch x sequence length; "
            "FLOP a token = 6 (parameters - V d) + 12 N T d; epochs = tokens / unique tokens",
        },
        "finetune": _finetune(recipe, flops),
        "memory": _memory(sizes, vocabulary, section, length),
        "devices": [_device(device, flops, tokens) for device in DEVICES],
    }


def _finetune(recipe: Recipe, flops: float) -> dict[str, Any]:
    section = recipe.finetune
    rows = section.steps * section.global_batch
    return {
        "steps": section.steps,
        "rows": rows,
        "tokens_at_most": rows * section.max_length,
        "flops_at_most": flops * rows * section.max_length,
        "formula": "rows = steps x global batch; at most max_length tokens a row; packed, so short rows cost less",
    }


def _memory(sizes: Architecture, vocabulary: int, section: TrainSection, length: int) -> dict[str, Any]:
    parameters = sizes.parameters(vocabulary)
    states = 16 * parameters + (2 * parameters if section.precision == "bf16" else 0)
    tokens = section.micro_batch * length
    activations = tokens * activation_bytes_per_token(sizes, vocabulary)
    if section.precision == "fp32":
        activations *= 2
    return {
        "states_gib": round(states / GIB, 2),
        "activations_gib": round(activations / GIB, 2),
        "total_gib": round((states + activations) / GIB, 2),
        "checkpoint_gib": round(12 * parameters / GIB, 2),
        "formula": "one device: 16 bytes a parameter (weights, gradients, two Adam moments; +2 for bf16 copies); "
        "activations = micro batch x sequence length x (N (30 d + 8 kv + 4 ff) + 12 d) bytes; "
        "a checkpoint holds 12 bytes a parameter",
    }


def _device(device: Device, flops: float, tokens: int) -> dict[str, Any]:
    rate = device.peak_flops * device.utilisation / flops
    hours = tokens / rate / 3600
    return {
        "device": device.name,
        "memory_gib": device.memory_gib,
        "utilisation": device.utilisation,
        "basis": device.basis,
        "tokens_per_second": round(rate),
        "hours": {str(count): round(hours / count, 2) for count in (1, 4, 8)},
        "days": {str(count): round(hours / count / 24, 2) for count in (1, 4, 8)},
        "formula": "tokens / (peak FLOP/s x utilisation / FLOP a token x devices)",
    }


def render_plan(estimate: dict[str, Any]) -> str:
    """The estimate as text for a terminal."""
    model, train, tune, memory = (estimate[key] for key in ("model", "pretrain", "finetune", "memory"))
    lines = [
        f"{estimate['name']}",
        f"  parameters      {_short(model['parameters'])}   = {model['formula']}",
        f"  pretraining     {_short(train['tokens'])} tokens in {train['steps']:,} steps of "
        f"{train['tokens_per_step']:,} ({train['tokens_per_parameter']} tokens a parameter)",
        f"                  {train['flops_per_token'] / 1e9:.3g} GFLOP a token, {train['flops']:.2e} FLOP in all",
        *_formula(train["formula"]),
    ]
    if train["epochs"]:
        lines.append(f"  epochs          {train['epochs']}")
    lines += [
        f"  tuning          {tune['rows']:,} rows in {tune['steps']:,} steps, "
        f"at most {_short(tune['tokens_at_most'])} tokens",
        f"  memory          {memory['total_gib']} GiB on one device ({memory['states_gib']} states, "
        f"{memory['activations_gib']} activations); a checkpoint {memory['checkpoint_gib']} GiB",
        *_formula(memory["formula"]),
        "  pretraining takes about",
    ]
    for row in estimate["devices"]:
        times = ", ".join(f"{count} x {_duration(hours)}" for count, hours in row["hours"].items())
        lines.append(
            f"    {row['device']:14s} {row['tokens_per_second']:>9,} tokens/s each "
            f"at {row['utilisation']:.1%} of its peak "
            f"({row['basis']}): {times}"
        )
    lines += _formula(estimate["devices"][0]["formula"])
    return "\n".join(lines)


def _formula(text: str) -> list[str]:
    return [f"                  {part}" for part in text.split("; ")]


def _short(number: float) -> str:
    """Three figures and a unit.

    >>> [_short(number) for number in (1_191_282_688, 50_331_648_000, 3_070_000, 4096)]
    ['1.19 B', '50.3 B', '3.07 M', '4,096']
    """
    for size, unit in ((1e9, "B"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,.0f}"


def _duration(hours: float) -> str:
    """Hours as the unit that reads best.

    >>> [_duration(hours) for hours in (0.02, 5.25, 337.0)]
    ['1 min', '5.2 h', '14.0 days']
    """
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
