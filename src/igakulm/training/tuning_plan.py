"""What tuning will cost on a CPU before it starts: trained parameters, memory, hours. Arithmetic, no torch.

Does: count for full tuning, frozen embeddings and low-rank adapters. Does not: measure, or plan pretraining (plan.py).
"""

from __future__ import annotations

from typing import TypedDict

from igakulm.machine import cores
from igakulm.recipe.schema import FinetuneSection
from igakulm.training.devices import CORE_FLOPS
from igakulm.training.memory import GIB, LOSS_CHUNK, activation_bytes_per_token
from igakulm.training.model_size import ModelSize

PROCESS = int(0.8 * GIB)
"""Python, torch and the tokenizer: measured with Gemma 3 270M."""
FORMULAS = {
    "trained": "full: all parameters, without V d where the embeddings are frozen; lora: rank x (inputs + outputs) of "
    "every linear map in the layers",
    "memory": "4 P (fp32 weights) + 2 P (bf16 copies) + 12 T (gradients, two Adam moments of the T trained ones) "
    "+ 4 P + 8 T (the copy from which a checkpoint is written) + activations of a micro-batch of the longest rows "
    "+ 10 x 2^24 (a chunk of logits) + 0.8 GiB (the program)",
    "hours": "tokens x (4 L + 2 T) + answer tokens x 4 V d, L = parameters of the layers, over cores x FLOP/s a core; "
    "validation and evaluation come on top",
}


class TuningPlan(TypedDict):
    """Figures of one tuning on this machine's cores; `at_most`: lengths of rows are not known, each has the longest."""

    method: str
    trained_parameters: int
    tokens: int
    memory_gib: float
    cores: int
    hours: float
    at_most: bool
    formulas: dict[str, str]


def tuning_plan(
    size: ModelSize, section: FinetuneSection, lengths: tuple[float, float, int] | None = None
) -> TuningPlan:
    """Estimates for a tuning.

    Args:
        size: of the base.
        section: says method, steps and batches.
        lengths: tokens of a row and of its answer on average, and of the longest row; None = `max_length` each.
    """
    longest = section.max_length
    row, answer, longest = lengths or (float(longest), float(longest), longest)
    trained = trained_parameters(size, section)
    layers = size.sizes.layers * size.sizes.layer_parameters
    rows = section.steps * section.global_batch
    flops = rows * (row * (4 * layers + 2 * trained) + answer * 4 * size.embedding_parameters)
    activations = section.micro_batch * longest * activation_bytes_per_token(size, dropout=section.dropout > 0)
    held, copied = 6 * size.parameters + 12 * trained, 4 * size.parameters + 8 * trained
    memory = held + copied + activations + 10 * LOSS_CHUNK + PROCESS
    return {
        "method": section.method
        if section.method == "lora" or section.trains_embeddings
        else "full, frozen embeddings",
        "trained_parameters": trained,
        "tokens": round(rows * row),
        "memory_gib": round(memory / GIB, 1),
        "cores": cores(),
        "hours": round(flops / (cores() * CORE_FLOPS["bf16"]) / 3600, 2),
        "at_most": lengths is None,
        "formulas": FORMULAS,
    }


def trained_parameters(size: ModelSize, section: FinetuneSection) -> int:
    """How many parameters get gradients."""
    if section.method == "lora":
        return section.lora_rank * size.sizes.layers * sum(adapted_widths(size))
    ends = size.embedding_parameters * (1 if size.sizes.tied else 2)
    return size.parameters - (0 if section.trains_embeddings else ends)


def adapted_widths(size: ModelSize) -> list[int]:
    """Inputs + outputs of each linear map of a layer: queries, keys, values, attention's output, the MLP's maps."""
    d, ff, kv, queries = size.sizes.hidden_size, size.sizes.intermediate_size, size.key_value_width, size.query_width
    return [d + queries, d + kv, d + kv, queries + d, *[d + ff] * (3 if size.sizes.gated else 2)]
