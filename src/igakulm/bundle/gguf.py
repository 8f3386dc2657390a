"""GGUF files from a stock Hugging Face folder (Arcee, Llama, Qwen 2, Gemma 3), written tensor by tensor.

Does: write header, vocabulary and weights; one tensor in memory at a time. Does not: decide what a model's tensors are
(gguf_layout.py) or their types (quantise.py), or write a file that a runtime would load and compute wrongly.
GGUF specification: github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from igakulm.bundle.gguf_layout import Planned, Shape, check_shapes, dimensions, model_shape, plan, tensor_values
from igakulm.bundle.gguf_vocabulary import Vocabulary, read_vocabulary, write_vocabulary
from igakulm.bundle.quantise import FILE_TYPES, encode, matrix_type, refuse_without_library, stored_bytes
from igakulm.bundle.quantise import GgufKind as GgufKind
from igakulm.bundle.weights import Weights, read_config
from igakulm.errors import InputError
from igakulm.files import atomic_path
from igakulm.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from gguf import GGUFWriter


def tensor_type(tensor: Planned, size: tuple[int, ...], shape: Shape, kind: GgufKind) -> Type:
    """The stored type: vectors and the expert's gate stay F32."""
    if len(size) == 1 or tensor.form == "zero_gate":
        return Type.F32
    return matrix_type(tensor.name, size[-1], shape.layers, kind, tied=shape.tied)


def write_gguf(
    source: Path, target: Path, kind: GgufKind, name: str, progress: Progress | None = None
) -> dict[str, Any]:
    """Write one GGUF file atomically; one tensor in memory at a time.

    Args:
        source: stock Hugging Face folder with tokenizer.
        target: the file to write.
        kind: type of the matrices; K-quants mix types as llama.cpp does.
        name: `general.name`.
        progress: where to show it.

    Returns:
        architecture, encoding, kind, tensors by type, padded vocabulary entries.

    Raises:
        InputError: whatever llama.cpp would abort on or compute wrongly, weights of the wrong shape or not finite, a
            K-quant without xllamacpp, a full disk.
    """
    refuse_without_library(kind)
    shape = model_shape(read_config(source), str(source / "config.json"))
    vocabulary = read_vocabulary(source, shape.vocabulary)
    weights = Weights(source)
    planned = list(plan(shape))
    check_shapes(planned, shape, weights)
    with atomic_path(target) as temporary:
        writer = gguf.GGUFWriter(temporary, shape.architecture)
        _write_metadata(writer, shape, vocabulary, kind, name)
        counts = _announce(writer, planned, shape, weights, kind)
        with (progress or SilentProgress()).task(f"GGUF {kind}", len(planned), "tensors") as task:
            _write_tensors(writer, planned, shape, weights, kind, task.advance)
        writer.close()
    return {
        "architecture": shape.architecture,
        "encoding": shape.encoding,
        "kind": kind,
        "tensors": counts,
        "padded_vocabulary": vocabulary.padded,
    }


def _write_tensors(
    writer: GGUFWriter, planned: list[Planned], shape: Shape, weights: Weights, kind: GgufKind, done: Callable[[], None]
) -> None:
    for tensor in planned:
        array = np.ascontiguousarray(tensor_values(tensor, shape, weights))
        stored = tensor_type(tensor, array.shape, shape, kind)
        writer.write_tensor_data(encode(array, stored, tensor.source or tensor.name))
        done()


def _announce(
    writer: GGUFWriter, planned: list[Planned], shape: Shape, weights: Weights, kind: GgufKind
) -> dict[str, int]:
    """Write the header and the table of tensors; return how many have which type."""
    counts: dict[str, int] = {}
    for tensor in planned:
        size = dimensions(tensor, shape, weights)
        stored = tensor_type(tensor, size, shape, kind)
        counts[stored.name] = counts.get(stored.name, 0) + 1
        writer.add_tensor_info(tensor.name, size, np.dtype(np.float32), stored_bytes(size, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return counts


def _write_metadata(writer: GGUFWriter, shape: Shape, vocabulary: Vocabulary, kind: GgufKind, name: str) -> None:
    if sys.byteorder != "little":
        raise InputError("GGUF files are written on little-endian machines only")
    writer.add_name(name)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_vocab_size(shape.vocabulary)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if shape.encoding == "one-expert":
        writer.add_expert_count(1)
        writer.add_expert_used_count(1)
    write_vocabulary(writer, vocabulary)
