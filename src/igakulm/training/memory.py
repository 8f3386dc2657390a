"""Memory that a training takes on each GPU: arithmetic for every strategy and micro-batch, no torch.

Does: count states, activations and buffers; find the largest micro-batch that fits. Does not: measure or allocate.

Everything is in bytes; GiB are 2^30 bytes, which is what GPU makers print as GB. Counted is what this project's own
loop keeps (fp32 weights, bf16 autocast, fused loss, no recomputation, without `compile`, which saves some of it).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from igakulm.recipe.schema import TrainSection
from igakulm.training.model_size import ModelSize

GIB = 2**30
StrategyName = Literal["single", "ddp", "zero2", "fsdp", "deepspeed"]
STRATEGIES: tuple[StrategyName, ...] = ("single", "ddp", "zero2", "fsdp", "deepspeed")
MICRO_BATCHES = (1, 2, 4, 8, 16, 32)
LOSS_CHUNK = 16 * 2**20
"""Logits that the fused loss holds at once (model/loss.py): bf16 logits, fp32 scores and probabilities."""
DEEPSPEED_BUCKET = 500_000_000
"""Elements of each of its two buckets, or the whole model where that is smaller."""
WORKSPACE = int(1.5 * GIB)
"""CUDA context, cuBLAS and NCCL buffers, gaps of the allocator: assumed, not measured."""

FORMULAS = {
    "states": "P parameters on G GPUs. single, ddp: 16 P (fp32 weights, gradients, two Adam moments); "
    "zero2: 4 P (whole weights) + 16 P / G; fsdp: 16 P / G + 4 x (embedding, head, two layers); "
    "deepspeed: 4 P + 16 P / G + 8 x its bucket (5e8, or P); bf16 adds copies of 2 P",
    "activations": "micro-batch x T x bytes; bf16: N (28 d + 4 kv + 4 ff + 4 heads + 8) + 12 d, "
    "dropout (N + 1) 4 d, gated MLP N (4 ff + 2 d); "
    "fp32: N (32 d + 8 kv + 8 ff + 4 heads + 8) + 14 d, dropout (N + 1) 8 d, gated MLP N 8 ff",
    "buffers": "4 V d (gradient of the head) + 10 x 2^24 (a chunk of logits) + 1.5 GiB (CUDA context and "
    "libraries: assumed)",
    "checkpoint": "12 bytes a parameter on disk (fp32 weights and moments)",
}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one GPU."""

    states: float
    activations: float
    buffers: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.states + self.activations + self.buffers

    def gib(self) -> dict[str, float]:
        """Each part and the total in GiB, rounded."""
        parts = {f"{name}_gib": round(value / GIB, 2) for name, value in asdict(self).items()}
        return {**parts, "total_gib": round(self.total / GIB, 2)}


def activation_bytes_per_token(size: ModelSize, *, bf16: bool = True, dropout: bool = True) -> int:
    """Bytes kept for the backward pass for each token (compared with what autograd keeps in tests/training).

    In bf16 a layer keeps two fp32 norm inputs and their fp32 results (16 d) and bf16 copies of them (4 d), queries,
    attention outputs and their copies (8 d), keys and values (4 kv), the MLP's inner states (4 ff), softmax sums
    (4 heads) and norm scales (8); dropout adds a mask to both residual outputs (4 d); a gated MLP the gate, its
    activation and one more copy of its input. In fp32 the copies fall away and the rest doubles. Outside of the layers
    stand the embedding, the last norm and the head's gradient.
    """
    d, ff, layers = size.sizes.hidden_size, size.sizes.intermediate_size, size.sizes.layers
    kv, queries = size.key_value_width, size.query_width
    masks = (layers + 1) * (4 if bf16 else 8) * d if dropout else 0
    gate = (4 * ff + 2 * d if bf16 else 8 * ff) if size.sizes.gated else 0
    fixed = 4 * size.sizes.heads + 8
    if bf16:
        layer = 22 * d + 6 * queries + 4 * kv + 4 * ff + gate + fixed
        return layers * layer + 12 * d + masks
    layer = 24 * d + 8 * queries + 8 * kv + 8 * ff + gate + fixed
    return layers * layer + 14 * d + masks


def memory_per_gpu(
    size: ModelSize, section: TrainSection, length: int, strategy: StrategyName, gpus: int, micro_batch: int
) -> Memory:
    """What one of `gpus` GPUs holds at the peak of a step of rows of `length` tokens."""
    parameters, bf16 = size.parameters, section.precision == "bf16"
    tokens = micro_batch * length
    activations = tokens * activation_bytes_per_token(size, bf16=bf16, dropout=True)
    states = _states(size, strategy, gpus) + (2 * parameters if bf16 else 0)
    head = 4 * size.embedding_parameters
    return Memory(states, activations, head + 10 * LOSS_CHUNK + WORKSPACE)


def _states(size: ModelSize, strategy: StrategyName, gpus: int) -> float:
    parameters, ends = size.parameters, (1 if size.sizes.tied else 2) * size.embedding_parameters
    if strategy in ("single", "ddp"):
        return 16 * parameters
    cut = 16 * parameters / gpus
    if strategy == "zero2":
        return cut + 4 * parameters
    if strategy == "deepspeed":
        return cut + 4 * parameters + 8 * min(DEEPSPEED_BUCKET, parameters)
    return cut + 4 * (ends + 2 * size.sizes.layer_parameters)


def strategy_of(section: TrainSection, gpus: int) -> StrategyName:
    """How the recipe trains on so many GPUs."""
    return section.parallel if gpus > 1 else "single"


def largest_micro_batch(
    size: ModelSize, section: TrainSection, length: int, strategy: StrategyName, gpus: int, memory_gib: float
) -> int:
    """The largest of MICRO_BATCHES that fits into a GPU; 0 when not even one row does."""
    fitting = [
        batch
        for batch in MICRO_BATCHES
        if memory_per_gpu(size, section, length, strategy, gpus, batch).total <= memory_gib * GIB
    ]
    return max(fitting, default=0)


def memory_table(size: ModelSize, section: TrainSection, length: int, gpus: int) -> list[dict[str, Any]]:
    """A row for each strategy and micro-batch (the recipe's own among them) on `gpus` GPUs."""
    rows = []
    for strategy in STRATEGIES:
        count = 1 if strategy == "single" else gpus
        if strategy != "single" and gpus == 1:
            continue
        for batch in sorted({*MICRO_BATCHES, section.micro_batch}):
            memory = memory_per_gpu(size, section, length, strategy, count, batch)
            rows.append({"strategy": strategy, "gpus": count, "micro_batch": batch, **memory.gib()})
    return rows


def shortage(
    size: ModelSize, section: TrainSection, length: int, gpus: int, memory_gib: float, name: str
) -> str | None:
    """One sentence when the recipe's training does not fit into GPUs of so much memory, with what would; else None."""
    strategy = strategy_of(section, gpus)
    need = memory_per_gpu(size, section, length, strategy, gpus, section.micro_batch).total / GIB
    if need <= memory_gib:
        return None
    own = largest_micro_batch(size, section, length, strategy, gpus, memory_gib)
    ways = [f"micro_batch: {min(own, section.micro_batch)}"] if own else []
    for other in STRATEGIES[1:4] if gpus > 1 else ():
        batch = min(largest_micro_batch(size, section, length, other, gpus, memory_gib), section.micro_batch)
        if batch > own:
            ways.append(f"parallel: {other} (micro_batch: {batch})")
    hint = f"it fits with {' or '.join(ways)}" if ways else "use more or larger GPUs, or a smaller model"
    how = f"micro-batch {section.micro_batch}, {strategy}"
    return f"{name}: about {need:.0f} GiB are needed on each of {gpus}, {memory_gib:.0f} are there ({how}); {hint}"
