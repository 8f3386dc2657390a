"""What a converted model predicts, beside what the original does: the proof that a runtime computes the same function.

Does: take the original's log-probabilities after many beginnings of real prompts, compare an engine's with them,
refuse what the type of the weights does not explain; count texts that llama.cpp's own tokenizer reads as ours does.
Does not: convert, or score benchmarks (answer_change.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from igakulm.bundle.quantise import Array, GgufKind
from igakulm.errors import InputError
from igakulm.tokenizer.open import Encoder

LARGEST_DIVERGENCE = {
    "f32": 1e-5,
    "bf16": 0.05,
    "q8_0": 0.1,
    "q6_k": 0.1,
    "q5_k_m": 0.3,
    "q4_k_m": 0.5,
    "q4_0": 0.7,
}
"""Largest allowed mean KL divergence (nats) of the next token. With float32 keys and values f32 is exact; a wrong
conversion is off by several nats."""
LARGEST_DIFFERENCE, LARGEST_WITH_TABLE = 5e-3, 5e-2
"""Largest allowed difference of a log-probability (nats) of an f32 file, for tokens that matter; where llama.cpp takes
GELU from a table of 16-bit numbers (encoding geglu), the second one."""
MATTERS = 1e-4
"""Probability from which on a token matters."""
MOST_VALUES, MOST_PLACES = 1_000_000, 48
"""Log-probabilities, and places in the prompts, that are compared: all places where these are few, else evenly spaced
ones and always the last (llama.cpp takes some tenths of a second to hand out a large vocabulary)."""


class Predictor(Protocol):
    """An engine that can tell the probabilities of all next tokens."""

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Natural log-probabilities by token id."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Beginnings of prompts, and the log-probabilities (vocabulary,) of the token that follows each."""

    beginnings: list[list[int]]
    tables: list[Array]


def original_predictions(folder: Path, prompts: Sequence[Sequence[int]], most: int = MOST_VALUES) -> Predictions:
    """What the model of a Hugging Face folder predicts, in float32 on the CPU.

    Args:
        folder: loads in stock transformers.
        prompts: token ids.
        most: how many log-probabilities are taken at most, beside one place of each prompt.

    Raises:
        InputError: the folder does not load.
    """
    import torch

    from igakulm.inference.load import load_model

    model = load_model(folder)
    room = min(MOST_PLACES, most // int(model.config.vocab_size))
    places = _places([len(prompt) for prompt in prompts], room)
    beginnings, tables = [], []
    with torch.inference_mode():
        for prompt, wanted in zip(prompts, places, strict=True):
            logits = model(input_ids=torch.tensor([list(prompt)])).logits[0]
            for length in wanted:
                beginnings.append(list(prompt[:length]))
                tables.append(torch.log_softmax(logits[length - 1], -1).numpy())
    return Predictions(beginnings, tables)


def _places(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Of each prompt, the lengths of the beginnings that are compared; evenly spaced, the whole prompt among them.

    >>> _places([3, 2], 10), _places([9, 4], 4)
    ([[1, 2, 3], [1, 2]], [[4, 9], [2, 4]])
    """
    share = max(1, most // max(1, len(lengths)))
    if sum(lengths) <= most:
        share = max(lengths, default=1)
    return [[length * (k + 1) // min(share, length) for k in range(min(share, length))] for length in lengths]


def compare_predictions(original: Predictions, converted: Predictor) -> dict[str, Any]:
    """KL divergence (nats) of the next token from the original to the converted model.

    Returns:
        places (beginnings compared), kl_mean, kl_max, largest_difference (of a log-probability of tokens that the
        original gives at least `MATTERS`; None where nothing is that likely), same_first_choice (share of places).
    """
    divergences, differences, same = [], [], 0
    for beginning, mine in zip(original.beginnings, original.tables, strict=True):
        other = np.full(len(mine), -100.0)  # an engine may leave out tokens of no weight
        for token, value in converted.next_log_probabilities(beginning).items():
            if token < len(other):
                other[token] = value
        divergences.append(_divergence(mine, other))
        likely = mine >= math.log(MATTERS)
        differences += [float(np.abs(mine - other)[likely].max())] if likely.any() else []
        same += int(mine.argmax()) == int(other.argmax())
    return {
        "places": len(divergences),
        "kl_mean": _rounded(sum(divergences) / len(divergences)),
        "kl_max": _rounded(max(divergences)),
        "largest_difference": float(f"{max(differences):.2g}") if differences else None,
        "same_first_choice": round(same / len(divergences), 3),
    }


def _divergence(mine: Array, other: Array) -> float:
    """KL divergence in nats; both sides are made to sum to 1 again.

    An engine's float32 sum over the vocabulary shifts all of its log-probabilities by about 1e-5 alike, which says
    nothing about the model but would count in full.
    """
    kept = mine > -50
    p, q = mine[kept].astype(np.float64), other[kept].astype(np.float64)
    p, q = p - math.log(np.exp(p).sum()), q - math.log(np.exp(q).sum())
    return float((np.exp(p) * (p - q)).sum())


def _rounded(value: float) -> float:
    # Below 1e-6 the sum of float32 rounding errors is all that is left, and its sign is chance.
    return 0.0 if abs(value) < 1e-6 else float(f"{value:.2g}")


def refuse_divergence(result: dict[str, Any], kind: GgufKind, path: Path, encoding: str = "") -> None:
    """Raise InputError when llama.cpp computes another function than the original.

    Args:
        result: of `compare_predictions`.
        kind: type of the file's matrices.
        path: of the file.
        encoding: of the model in the file (gguf_layout.py).

    Raises:
        InputError: the mean KL divergence is larger than the type explains, or log-probabilities of an f32 file
            differ by more than `LARGEST_DIFFERENCE` (`LARGEST_WITH_TABLE`).
    """
    difference = result["largest_difference"] or 0.0
    bound = LARGEST_WITH_TABLE if encoding == "geglu" else LARGEST_DIFFERENCE
    if result["kl_mean"] <= LARGEST_DIVERGENCE[kind] and (kind != "f32" or difference <= bound):
        return
    raise InputError(
        f"llama.cpp predicts other tokens than the original (mean KL {result['kl_mean']} nats, "
        f"largest difference of a log-probability {result['largest_difference']})",
        where=str(path),
        hint="do not use this file; export with gguf f32 to tell rounding from a wrong conversion",
    )


def compare_reading(path: Path, encoder: Encoder, texts: Sequence[str]) -> dict[str, object]:
    """On how many texts llama.cpp's tokenizer of a GGUF file gives our ids.

    IgakuLM always sends ids. Where `send_ids` is true, a program that sends text to this file gets other tokens than
    the model was trained on for some texts.

    Returns:
        texts, equal, send_ids.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """
    from igakulm.inference.llamacpp_tokenizer import LlamaCppTokenizer

    with LlamaCppTokenizer(path) as tokenizer:
        theirs = tokenizer.encode_batch(texts)
    equal = sum(ids == encoder.encode(text) for ids, text in zip(theirs, texts, strict=True))
    return {"texts": len(texts), "equal": equal, "send_ids": equal < len(texts)}
