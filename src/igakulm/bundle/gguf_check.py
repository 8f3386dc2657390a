"""Read a GGUF file back and compare it with the Hugging Face folder that it was written from.

Does: compare every tensor, the metadata that decides what a runtime computes, and the vocabulary. Does not: write, or
run the model (predictions.py compares what llama.cpp makes of the file).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

from igakulm.bundle.gguf import tensor_type
from igakulm.bundle.gguf_layout import Array, Planned, Shape, model_shape, plan, tensor_values
from igakulm.bundle.gguf_vocabulary import read_vocabulary, vocabulary_fields
from igakulm.bundle.quantise import GgufKind
from igakulm.bundle.weights import Weights, read_config
from igakulm.errors import InputError

if TYPE_CHECKING:
    from gguf import GGUFReader, ReaderTensor

TOLERANCE = {
    Type.F32: 0.0,
    Type.F16: 2.0**-11,
    Type.BF16: 2.0**-8,
    Type.Q8_0: 0.6 / 127,
    Type.Q6_K: 0.05,
    Type.Q5_K: 0.1,
    Type.Q5_1: 0.04,
    Type.Q5_0: 0.065,
    Type.Q4_K: 0.2,
    Type.Q4_0: 0.13,
}
"""Largest allowed error as a share of the largest weight of the same row.

Q8_0: half a step of 127 and the rounding of the scale to F16. The others: half a step of the range, for Q4_0 and Q5_0 a
whole one where the largest weight is negative; K-quants, which search for the scale with the least squared error and
round it to 6 or 8 bits, twice to three times half a step."""
_PIECE = 1 << 22
"""Weights that are compared at a time."""


def check_gguf(path: Path, source: Path, kind: GgufKind) -> dict[str, Any]:
    """Compare a file with its source.

    Returns:
        compared: how many tensors. largest_error: largest error of a weight, relative to the largest weight of
        its tensor.

    Raises:
        InputError: the file is damaged, or anything in it differs more than its type explains.
    """
    shape = model_shape(read_config(source), str(source / "config.json"))
    try:
        reader = gguf.GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"the GGUF file cannot be read back: {error}", where=str(path)) from error
    _check_metadata(reader, shape, source, path)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    planned = list(plan(shape))
    if set(stored) != {tensor.name for tensor in planned}:
        odd = sorted(set(stored) ^ {tensor.name for tensor in planned})
        raise InputError(f"the file holds other tensors than planned: {odd[:3]}", where=str(path))
    weights, largest = Weights(source), 0.0
    for tensor in planned:
        largest = max(largest, _compare(tensor, stored[tensor.name], shape, weights, kind, path))
    return {"compared": len(planned), "largest_error": float(f"{largest:.3g}")}


def _compare(tensor: Planned, found: ReaderTensor, shape: Shape, weights: Weights, kind: GgufKind, path: Path) -> float:
    wanted = tensor_values(tensor, shape, weights)
    expected = tensor_type(tensor, wanted.shape, shape, kind)
    if found.tensor_type != expected or tuple(int(n) for n in reversed(found.shape)) != wanted.shape:
        raise InputError(f"{tensor.name} has another type or shape than planned", where=str(path))
    wanted = wanted.reshape(-1, wanted.shape[-1])
    data = found.data.reshape(len(wanted), -1)
    rows = max(1, _PIECE // wanted.shape[-1])
    largest, peak = 0.0, 0.0
    for start in range(0, len(wanted), rows):
        piece = slice(start, start + rows)
        worst, highest = _errors(data[piece], wanted[piece], expected, tensor.name, path)
        largest, peak = max(largest, worst), max(peak, highest)
    return largest / peak if peak else 0.0


def _errors(data: Array, wanted: Array, stored: Type, name: str, path: Path) -> tuple[float, float]:
    """Largest error and largest weight of some rows."""
    values: Array = quants.dequantize(data, stored).reshape(wanted.shape)
    errors, peaks = np.abs(values - wanted).max(-1), np.abs(wanted).max(-1)
    # The smallest number of F16 bounds an error near zero, alone or as a block's scale; NaN compares as False.
    least = 0.0 if stored in (Type.F32, Type.BF16) else 2.0**-25 if stored == Type.F16 else 2.0**-18
    if not bool((errors <= TOLERANCE[stored] * peaks + least).all()):
        raise InputError(
            f"{name} differs by {float(errors.max()):.3g} (its largest weight is {float(peaks.max()):.3g})",
            where=str(path),
            hint="export again; if this stays, the file must not be used",
        )
    return float(errors.max()), float(peaks.max())


def _check_metadata(reader: GGUFReader, shape: Shape, source: Path, path: Path) -> None:
    prefix = shape.architecture
    wanted = {
        "general.architecture": prefix,
        f"{prefix}.block_count": shape.layers,
        f"{prefix}.context_length": shape.context_length,
        f"{prefix}.embedding_length": shape.hidden,
        f"{prefix}.feed_forward_length": shape.intermediate,
        f"{prefix}.attention.head_count": shape.heads,
        f"{prefix}.attention.head_count_kv": shape.key_value_heads,
        f"{prefix}.attention.key_length": shape.head_size,
        f"{prefix}.rope.dimension_count": shape.head_size,
    }
    vocabulary = vocabulary_fields(read_vocabulary(source, shape.vocabulary))
    wanted |= {f"tokenizer.ggml.{key}": value for key, value in vocabulary.items()}
    if shape.window:
        wanted |= {f"{prefix}.attention.sliding_window": shape.window}
    if shape.encoding == "one-expert":
        wanted |= {f"{prefix}.expert_count": 1, f"{prefix}.expert_used_count": 1}
    for key, value in wanted.items():
        field = reader.fields.get(key)
        if field is None or field.contents() != value:
            raise InputError(f"the value of {key} is not the one that was written", where=str(path))
    for key, number in (("rope.freq_base", shape.rope_theta), ("attention.layer_norm_rms_epsilon", shape.epsilon)):
        field = reader.fields.get(f"{prefix}.{key}")
        if field is None or not math.isclose(field.contents(), number, rel_tol=1e-6):
            raise InputError(f"the value of {prefix}.{key} is not the one that was written", where=str(path))
