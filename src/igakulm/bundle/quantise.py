"""Weights in the block types of GGUF files, and which type llama.cpp gives to which tensor.

Does: choose a tensor's type as `llama-quantize` does for models below 70 B without an importance matrix; encode rows
through `ggml_quantize_chunk` of the library inside xllamacpp, which is loaded without starting llama.cpp. Does not:
dequantise (package gguf does), or write files.

K-quants (Q4_K, Q5_K, Q6_K) hold 256 weights a block and exist in that library only; a file of kind q4_0 holds one too.
F32, F16, BF16 and Q8_0 need just the package gguf.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

from igakulm.errors import InputError
from igakulm.machine import cores

GgufKind = Literal["f32", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0"]
Array = np.ndarray[Any, np.dtype[Any]]

MAIN_TYPES = {
    "f32": Type.F32,
    "bf16": Type.BF16,
    "q8_0": Type.Q8_0,
    "q6_k": Type.Q6_K,
    "q5_k_m": Type.Q5_K,
    "q4_k_m": Type.Q4_K,
    "q4_0": Type.Q4_0,
}
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q6_k": gguf.LlamaFileType.MOSTLY_Q6_K,
    "q5_k_m": gguf.LlamaFileType.MOSTLY_Q5_K_M,
    "q4_k_m": gguf.LlamaFileType.MOSTLY_Q4_K_M,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
}
_NARROWER = {Type.Q4_K: Type.Q5_0, Type.Q5_K: Type.Q5_1, Type.Q6_K: Type.Q8_0}
"""What llama.cpp takes for rows whose width is no multiple of 256."""
_K_QUANTS = frozenset(_NARROWER)
_FROM_THE_LIBRARY = _K_QUANTS | {Type.Q4_0, Type.Q5_0, Type.Q5_1, Type.Q8_0}
_QUANTISE = "ggml_quantize_chunk"
_PIECE = 1 << 22
"""Weights that one thread encodes at a time."""


def matrix_type(name: str, width: int, layers: int, kind: GgufKind, *, tied: bool) -> Type:
    """The type of a matrix.

    Args:
        name: of the tensor in the GGUF file, e.g. "blk.3.ffn_down.weight".
        width: length of its rows.
        layers: how many the model has.
        kind: type of the file.
        tied: whether the embeddings are the output matrix too.

    >>> matrix_type("blk.0.ffn_down.weight", 8192, 24, "q4_k_m", tied=False).name
    'Q6_K'
    >>> matrix_type("blk.3.ffn_down.weight", 8192, 24, "q4_k_m", tied=False).name
    'Q4_K'
    >>> matrix_type("blk.3.attn_q.weight", 192, 24, "q4_k_m", tied=False).name
    'Q5_0'
    """
    wanted = MAIN_TYPES[kind]
    if wanted in (Type.F32, Type.BF16):
        return wanted
    if name == ("token_embd.weight" if tied else "output.weight"):
        wanted = Type.Q8_0 if kind == "q8_0" or width % 256 else Type.Q6_K
    elif kind in ("q4_k_m", "q5_k_m") and _is_delicate(name, layers):
        wanted = Type.Q6_K
    if width % gguf.GGML_QUANT_SIZES[wanted][0]:
        wanted = _NARROWER.get(wanted, Type.F16)
    return Type.F16 if width % gguf.GGML_QUANT_SIZES[wanted][0] else wanted


def _is_delicate(name: str, layers: int) -> bool:
    """Whether the M mixes give this tensor 6 bits: values and the way down, in half of the layers."""
    parts = name.split(".")
    if len(parts) < 3 or parts[2] not in ("attn_v", "ffn_down", "ffn_down_exps"):
        return False
    layer, eighth = int(parts[1]), layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def stored_bytes(dimensions: tuple[int, ...], stored: Type) -> int:
    """Size of a tensor in a file."""
    block, block_bytes = gguf.GGML_QUANT_SIZES[stored]
    return int(np.prod(dimensions[:-1], dtype=np.int64)) * (dimensions[-1] // block * block_bytes)


def refuse_without_library(kind: GgufKind) -> None:
    """Refuse a kind that this installation cannot write, before anything is written.

    Raises:
        InputError: a K-quant without xllamacpp.
    """
    if kind not in ("f32", "bf16", "q8_0") and _library() is None:
        raise InputError(
            f"files of kind {kind} are written with llama.cpp's own library, which is not installed",
            where=f"export.gguf = {kind}",
            hint="pip install 'igakulm[llamacpp]', or export q8_0",
        )


def encode(array: Array, stored: Type, name: str = "") -> Array:
    """Float32 rows in a stored type.

    Args:
        array: (..., width), C-contiguous float32.
        stored: the type; its blocks divide the width.
        name: of the tensor, for messages.

    Returns:
        Float32 or float16 of the same shape, or uint8 (..., bytes of a row).

    Raises:
        InputError: NaN or infinity, a weight too large for float16.
        NotImplementedError: a K-quant without xllamacpp; see `refuse_without_library`.
    """
    if not bool(np.isfinite(array).all()):
        raise InputError(f"{name} holds NaN or infinity", hint="training diverged; export an earlier checkpoint")
    if stored == Type.F32:
        return array.astype(np.float32, copy=False)
    if stored == Type.F16:
        if array.size and float(np.abs(array).max()) > float(np.finfo(np.float16).max):
            raise InputError(f"{name} holds a weight that float16 cannot hold", hint="export f32 or bf16")
        return array.astype(np.float16)
    if stored in _FROM_THE_LIBRARY and _library() is not None:
        return _encode_with_library(array, stored)
    encoded: Array = quants.quantize(array, stored)
    return encoded


def _encode_with_library(array: Array, stored: Type) -> Array:
    library = _library()
    assert library is not None
    width = array.shape[-1]
    block, block_bytes = gguf.GGML_QUANT_SIZES[stored]
    row_bytes = width // block * block_bytes
    source = np.ascontiguousarray(array, dtype=np.float32).reshape(-1, width)
    target = np.empty((len(source), row_bytes), np.uint8)
    step = max(1, _PIECE // width)

    def piece(start: int) -> int:
        rows = min(step, len(source) - start)
        place = (source.ctypes.data, target.ctypes.data, start * width, rows, width, None)
        return int(library.ggml_quantize_chunk(int(stored), *place))

    # Rows are encoded one by one: how they are dealt to threads changes nothing.
    with ThreadPoolExecutor(cores()) as threads:
        written = sum(threads.map(piece, range(0, len(source), step)))
    if written != target.nbytes:
        raise RuntimeError(f"llama.cpp's library wrote {written} bytes of {target.nbytes}")
    return target.reshape(*array.shape[:-1], row_bytes)


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The shared library inside xllamacpp; the package itself, with the server in it, is not imported."""
    found = importlib.util.find_spec("xllamacpp")
    for folder in (found.submodule_search_locations or []) if found else []:
        for pattern in ("*.so", "*.pyd", "*.dylib"):
            for path in sorted(Path(folder).glob(pattern)):
                try:
                    library = ctypes.CDLL(str(path))
                except OSError:
                    continue
                if hasattr(library, _QUANTISE):
                    return _declared(library)
    return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, number, number, number, pointer]
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return library
