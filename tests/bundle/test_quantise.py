"""Types of tensors, and their encoding: as llama.cpp does it, and refused where it cannot be."""

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from gguf import quants

from igakulm.bundle import quantise
from igakulm.bundle.gguf_check import TOLERANCE
from igakulm.bundle.quantise import GgufKind, encode, matrix_type, refuse_without_library, stored_bytes
from igakulm.errors import InputError

library = pytest.mark.skipif(quantise._library() is None, reason="needs xllamacpp")


def test_the_mix_of_a_model_with_24_layers() -> None:
    def layers(name: str, kind: GgufKind) -> list[int]:
        types = [matrix_type(f"blk.{n}.{name}.weight", 2048, 24, kind, tied=False) for n in range(24)]
        return [n for n, found in enumerate(types) if found == Type.Q6_K]

    delicate = [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23]
    assert layers("ffn_down", "q4_k_m") == layers("attn_v", "q5_k_m") == layers("ffn_down_exps", "q4_k_m") == delicate
    assert layers("attn_q", "q4_k_m") == layers("ffn_up", "q5_k_m") == []
    assert layers("attn_q", "q6_k") == list(range(24))


@pytest.mark.parametrize(
    ("name", "width", "kind", "tied", "expected"),
    [
        ("output.weight", 2048, "q4_k_m", False, Type.Q6_K),
        ("output.weight", 192, "q4_k_m", False, Type.Q8_0),
        ("output.weight", 2048, "q4_0", False, Type.Q6_K),
        ("output.weight", 2048, "q8_0", False, Type.Q8_0),
        ("token_embd.weight", 2048, "q4_k_m", False, Type.Q4_K),
        ("token_embd.weight", 2048, "q4_k_m", True, Type.Q6_K),
        ("blk.0.attn_q.weight", 192, "q4_k_m", False, Type.Q5_0),
        ("blk.0.attn_q.weight", 192, "q5_k_m", False, Type.Q5_1),
        ("blk.0.attn_q.weight", 192, "q6_k", False, Type.Q8_0),
        ("blk.0.attn_q.weight", 80, "q4_k_m", False, Type.F16),
        ("output.weight", 80, "q4_k_m", False, Type.F16),
        ("blk.0.attn_q.weight", 80, "bf16", False, Type.BF16),
    ],
)
def test_types(name: str, width: int, kind: GgufKind, tied: bool, expected: Type) -> None:
    assert matrix_type(name, width, 4, kind, tied=tied) == expected


@library
@pytest.mark.parametrize("stored", [Type.Q8_0, Type.Q6_K, Type.Q5_K, Type.Q4_K, Type.Q5_1, Type.Q5_0, Type.Q4_0])
def test_encoding_is_near_and_its_error_within_what_the_check_allows(stored: Type) -> None:
    rows = np.random.default_rng(0).standard_normal((2, 40, 512)).astype(np.float32)
    rows[0, 0, 7], rows[0, 1], rows[1, 2, 3] = 30.0, 0.0, -30.0
    data = encode(rows, stored)
    assert data.nbytes == stored_bytes(rows.shape, stored)
    errors = np.abs(quants.dequantize(data, stored).reshape(rows.shape) - rows)
    assert (errors.max(-1) <= TOLERANCE[stored] * np.abs(rows).max(-1) + 2.0**-18).all()
    assert errors.max() > 0 and not errors[0, 1].any()


@library
def test_the_library_and_the_package_write_the_same_q8(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).standard_normal((300, 2048)).astype(np.float32)
    with_library = encode(rows, Type.Q8_0)
    monkeypatch.setattr(quantise, "_library", lambda: None)
    assert (encode(rows, Type.Q8_0) == with_library).all()


@library
def test_how_rows_are_dealt_to_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(2).standard_normal((33, 256)).astype(np.float32)
    whole = encode(rows, Type.Q4_K)
    monkeypatch.setattr(quantise, "_PIECE", 1000)
    assert (encode(rows, Type.Q4_K) == whole).all()
    assert (encode(rows[5:6], Type.Q4_K) == whole[5:6]).all()


def test_without_the_library_only_simple_types_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantise, "_library", lambda: None)
    for kind in ("q4_k_m", "q5_k_m", "q6_k", "q4_0"):
        with pytest.raises(InputError, match=f"files of kind {kind}") as caught:
            refuse_without_library(kind)
        assert "igakulm[llamacpp]" in str(caught.value)
    for kind in ("f32", "bf16", "q8_0"):
        refuse_without_library(kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "stored", "reason"), [(np.nan, Type.F32, "NaN"), (np.inf, Type.Q8_0, "NaN"), (7e4, Type.F16, "float16")]
)
def test_weights_that_no_file_can_hold(value: float, stored: Type, reason: str) -> None:
    rows = np.ones((2, 32), np.float32)
    rows[1, 3] = value
    with pytest.raises(InputError, match=f"w .*{reason}"):
        encode(rows, stored, "w")


def test_sizes_are_those_of_the_format() -> None:
    assert stored_bytes((3, 512), Type.Q4_K) == 3 * 2 * 144
    assert stored_bytes((1, 5, 64), Type.F32) == 1280
    assert gguf.GGML_QUANT_SIZES[Type.Q6_K] == (256, 210)
