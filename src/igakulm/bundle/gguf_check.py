"""Read a GGUF file back and compare it with the Hugging Face folder that it was written from.

Does: compare every tensor, the metadata that decides what a runtime computes, and the vocabulary; compare next-token
probabilities in llama.cpp when it is installed. Does not: write, or judge text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

from igakulm.bundle.gguf import Array, GgufKind, Planned, Shape, arrange, model_shape, plan, tensor_type
from igakulm.bundle.gguf_vocabulary import read_vocabulary
from igakulm.bundle.weights import Weights, read_config
from igakulm.errors import InputError

TOLERANCE = {Type.F32: 0.0, Type.F16: 2.0**-11, Type.BF16: 2.0**-8, Type.Q8_0: 0.6 / 127}
"""Largest allowed error as a share of the largest weight of the same row (Q8_0: half a step of 127 and the rounding of
the scale to F16)."""
LARGEST_DIVERGENCE = {"f32": 1e-5, "bf16": 0.05, "q8_0": 0.1}
"""Largest allowed mean KL divergence (nats) of the next token; with float32 keys and values f32 is exact."""


class Predictor(Protocol):
    """An engine that can tell the probabilities of all next tokens."""

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Natural log-probabilities by token id."""


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


def _compare(tensor: Planned, found: Any, shape: Shape, weights: Weights, kind: GgufKind, path: Path) -> float:
    wanted = arrange(tensor, weights.array(tensor.source), shape)
    expected = tensor_type(tensor, wanted.shape, kind)
    if found.tensor_type != expected or tuple(int(n) for n in reversed(found.shape)) != wanted.shape:
        raise InputError(f"{tensor.name} has another type or shape than planned", where=str(path))
    values: Array = quants.dequantize(found.data, found.tensor_type).reshape(wanted.shape)
    errors, peaks = np.abs(values - wanted).max(-1), np.abs(wanted).max(-1)
    # The smallest number of F16 bounds its error near zero; NaN compares as False.
    if not bool((errors <= TOLERANCE[expected] * peaks + (2.0**-25 if expected == Type.F16 else 0.0)).all()):
        raise InputError(
            f"{tensor.name} differs by {float(errors.max()):.3g} (its largest weight is {float(peaks.max()):.3g})",
            where=str(path),
            mend="export again; if this stays, the file must not be used",
        )
    peak = float(peaks.max())
    return float(errors.max()) / peak if peak else 0.0


def _check_metadata(reader: Any, shape: Shape, source: Path, path: Path) -> None:
    vocabulary = read_vocabulary(source, shape.vocabulary)
    prefix = shape.architecture
    wanted = {
        "general.architecture": prefix,
        f"{prefix}.block_count": shape.layers,
        f"{prefix}.embedding_length": shape.hidden,
        f"{prefix}.feed_forward_length": shape.intermediate,
        f"{prefix}.attention.head_count": shape.heads,
        f"{prefix}.attention.head_count_kv": shape.key_value_heads,
        f"{prefix}.rope.dimension_count": shape.head_size,
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.bos_token_id": vocabulary.bos,
        "tokenizer.ggml.eos_token_id": vocabulary.eos,
        "tokenizer.ggml.tokens": vocabulary.pieces,
        "tokenizer.ggml.token_type": vocabulary.kinds,
    }
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


def compare_predictions(
    original: Sequence[dict[int, float]], converted: Predictor, prompts: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """KL divergence (nats) of the next token from the original to the converted model.

    Args:
        original: next-token log-probabilities of the original model after each prompt, by token id.
        converted: the model to compare.
        prompts: token ids.

    Returns:
        prompts, kl_mean, kl_max, same_first_choice (share of prompts with the same likeliest token).
    """
    divergences, same = [], 0
    for prompt, mine in zip(prompts, original, strict=True):
        other = converted.next_log_probabilities(prompt)
        divergences.append(_divergence(mine, other))
        same += max(mine, key=mine.__getitem__) == max(other, key=other.__getitem__)
    return {
        "prompts": len(prompts),
        "kl_mean": _rounded(sum(divergences) / len(divergences)),
        "kl_max": _rounded(max(divergences)),
        "same_first_choice": round(same / len(prompts), 3),
    }


def _divergence(mine: dict[int, float], other: dict[int, float]) -> float:
    """KL divergence in nats; both sides are made to sum to 1 again.

    An engine's float32 sum over the vocabulary shifts all of its log-probabilities by about 1e-5 alike, which says
    nothing about the model but would count in full.
    """
    # Tokens of no weight may be missing in the other engine's answer.
    pairs = [(p, other.get(token, -100.0)) for token, p in mine.items() if p > -50]
    shift = [math.log(math.fsum(math.exp(pair[side]) for pair in pairs)) for side in range(2)]
    return math.fsum(math.exp(p - shift[0]) * ((p - shift[0]) - (q - shift[1])) for p, q in pairs)


def _rounded(value: float) -> float:
    # Below 1e-6 the sum of float32 rounding errors is all that is left, and its sign is chance.
    return 0.0 if abs(value) < 1e-6 else float(f"{value:.2g}")


def refuse_divergence(result: dict[str, Any], kind: GgufKind, path: Path) -> None:
    """Raise InputError when llama.cpp computes another function than the original.

    Raises:
        InputError: the mean KL divergence is larger than the type explains.
    """
    if not result["kl_mean"] <= LARGEST_DIVERGENCE[kind]:
        raise InputError(
            f"llama.cpp predicts other tokens than the original (mean KL {result['kl_mean']} nats)",
            where=str(path),
            mend="do not use this file; export with gguf f32 to tell rounding from a wrong conversion",
        )
