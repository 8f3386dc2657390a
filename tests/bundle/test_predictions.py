"""The comparison of a converted model's predictions with the original's: what it measures, and what it refuses."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from igakulm.bundle.gguf import GgufKind, write_gguf
from igakulm.bundle.predictions import (
    Predictions,
    compare_predictions,
    compare_reading,
    original_predictions,
    refuse_divergence,
)
from igakulm.errors import InputError
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.load import load_model
from tiny_bundle import TEXTS, encoder, write_model

llamacpp = pytest.mark.skipif(not available(), reason="needs xllamacpp")
PROMPT = [1, 40, 300, 12, 7, 55, 9, 210]


class Fixed:
    def __init__(self, shares: Sequence[float], shift: float = 0.0) -> None:
        self.answer = {token: math.log(share) + shift for token, share in enumerate(shares)}

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        return self.answer


def known(*shares: float, times: int = 1) -> Predictions:
    return Predictions([[1]] * times, [np.log(np.array(shares, np.float32))] * times)


def test_divergence_is_the_textbook_sum() -> None:
    mine, other = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.5, 0.25])
    result = compare_predictions(known(*mine, times=2), Fixed(other.tolist()))
    assert result["kl_mean"] == pytest.approx(float((mine * np.log(mine / other)).sum()), rel=0.05)
    assert result["largest_difference"] == pytest.approx(math.log(2), rel=0.05)
    assert (result["places"], result["same_first_choice"]) == (2, 0.0)
    with pytest.raises(InputError, match="other tokens"):
        refuse_divergence(result, "q8_0", Path("m.gguf"))
    same = compare_predictions(known(*mine), Fixed(mine.tolist()))
    assert (same["kl_mean"], same["kl_max"], same["same_first_choice"]) == (0.0, 0.0, 1.0)
    refuse_divergence(same, "f32", Path("m.gguf"))
    with pytest.raises(InputError):
        refuse_divergence(same | {"kl_mean": float("nan")}, "f32", Path("m.gguf"))


def test_a_shift_of_all_log_probabilities_is_no_divergence() -> None:
    shifted = Fixed((0.5, 0.3, 0.2), 2e-5)
    assert compare_predictions(known(0.5, 0.3, 0.2), shifted)["kl_mean"] == 0.0
    assert compare_predictions(known(0.3, 0.5, 0.2), shifted)["kl_mean"] == pytest.approx(0.10, abs=0.01)


def test_an_f32_file_may_not_differ_in_one_likely_token() -> None:
    result = compare_predictions(known(0.98, 0.01, 0.01), Fixed((0.98, 0.0101, 0.0099)))
    assert result["kl_mean"] < 1e-5 and result["largest_difference"] > 5e-3
    refuse_divergence(result, "bf16", Path("m.gguf"))
    with pytest.raises(InputError, match="largest difference"):
        refuse_divergence(result, "f32", Path("m.gguf"))


def test_missing_and_padded_tokens_count_as_never() -> None:
    padded = compare_predictions(known(0.6, 0.4), Fixed((0.6, 0.4, 1e-12)))
    assert padded["kl_mean"] == 0.0
    del (engine := Fixed((0.6, 0.4))).answer[1]
    assert compare_predictions(known(0.6, 0.4), engine)["kl_mean"] > 10


def test_places_are_those_of_the_model_itself(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    every = original_predictions(folder, [PROMPT])
    assert every.beginnings == [PROMPT[:length] for length in range(1, 9)]
    logits = load_model(folder)(input_ids=torch.tensor([PROMPT[:5]])).logits[0, -1]
    assert np.allclose(every.tables[4], torch.log_softmax(logits, -1).detach().numpy(), atol=1e-5)
    few = original_predictions(folder, [PROMPT, PROMPT[:3]], most=encoder().size * 4)
    assert [len(one) for one in few.beginnings] == [4, 8, 1, 3]


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("arcee", "silu", {}),
    ("arcee", "relu2", {}),
    ("llama", "silu", {"tie_word_embeddings": True}),
    ("llama", "silu", {"attention_bias": True, "mlp_bias": True}),
    ("gemma3", "gelu_pytorch_tanh", {}),
]


@llamacpp
@pytest.mark.parametrize(("kind", "activation", "sizes"), CASES)
def test_llama_cpp_computes_the_same_in_f32(tmp_path: Path, kind: str, activation: str, sizes: dict[str, Any]) -> None:
    folder = write_model(tmp_path / "model", kind, activation, **sizes)
    write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    with LlamaCppEngine(tmp_path / "m.gguf", precise=True) as engine:
        result = compare_predictions(original_predictions(folder, [PROMPT]), engine)
    gemma = kind == "gemma3"  # llama.cpp takes GELU from a table of 16-bit numbers
    refuse_divergence(result, "f32", tmp_path / "m.gguf", "geglu" if gemma else "")
    assert result["largest_difference"] < (2e-2 if gemma else 1e-3)


@llamacpp
def test_rotations_divided_as_in_llama_3(tmp_path: Path) -> None:
    rope = {
        "rope_type": "llama3",
        "rope_theta": 10_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    folder = write_model(tmp_path / "model", "llama", rope_parameters=rope)
    assert write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")["tensors"]["F32"] == 3 + 2 * 9 + 1
    with LlamaCppEngine(tmp_path / "m.gguf", precise=True) as engine:
        result = compare_predictions(original_predictions(folder, [PROMPT * 5]), engine)
    assert result["largest_difference"] < 1e-3
    plain = write_model(tmp_path / "plain", "llama")
    with LlamaCppEngine(tmp_path / "m.gguf", precise=True) as engine:
        assert compare_predictions(original_predictions(plain, [PROMPT * 5]), engine)["kl_mean"] > 0.01


@llamacpp
@pytest.mark.parametrize("kind", ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0"])
def test_quantised_files_stay_near_the_original(tmp_path: Path, kind: GgufKind) -> None:
    folder = write_model(tmp_path / "model", hidden_size=256, intermediate_size=256, initializer_range=0.05)
    write_gguf(folder, tmp_path / "m.gguf", kind, "tiny")
    with LlamaCppEngine(tmp_path / "m.gguf", precise=True) as engine:
        result = compare_predictions(original_predictions(folder, [PROMPT]), engine)
    assert 0 < result["kl_mean"] < 0.05
    refuse_divergence(result, kind, tmp_path / "m.gguf")


@llamacpp
def test_our_ids_and_those_of_llama_cpp(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    texts = [text.format(n=3) for text in TEXTS]
    assert compare_reading(tmp_path / "m.gguf", encoder(), texts) == {"texts": 7, "equal": 7, "send_ids": False}
