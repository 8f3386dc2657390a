"""GGUF files from a stock Hugging Face folder (Arcee or Llama), written tensor by tensor.

Does: choose the llama.cpp architecture that computes the same function, permute Q and K rows, quantise, write the
vocabulary. Does not: quantise below 8 bits, or write a file that a runtime would load and compute wrongly.

Encodings (`architecture/encoding` in bundle.json):
- `llama/swiglu`: Llama with a gate (SwiGLU), as everybody writes it.
- `arcee/relu2`: Arcee with squared ReLU, the only activation that llama.cpp's arch `arcee` computes.
- `llama/one-expert`: Arcee with SiLU. llama.cpp's `arcee` would load it and silently use squared ReLU. A mixture of
  one expert without gate tensors computes down(silu(up(x))) times softmax of one logit, which is 1: the same function.
GGUF specification: github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

from igakulm.bundle.gguf_vocabulary import Vocabulary, read_vocabulary
from igakulm.bundle.weights import Weights, read_config
from igakulm.errors import InputError
from igakulm.files import atomic_path
from igakulm.progress import Progress, SilentProgress

GgufKind = Literal["f32", "bf16", "q8_0"]
Array = np.ndarray[Any, np.dtype[Any]]
Form = Literal["plain", "permute_q", "permute_k", "expert", "zero_gate"]

_TYPES = {"f32": Type.F32, "bf16": Type.BF16, "q8_0": Type.Q8_0}
_FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
Q8_BLOCK = 32
"""Q8_0 stores 32 weights of a row with one scale; a row whose width is no multiple of it is stored as F16."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model, and the encoding that llama.cpp computes correctly."""

    architecture: Literal["llama", "arcee"]
    encoding: Literal["swiglu", "one-expert", "relu2"]
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_size: int
    context_length: int
    vocabulary: int
    epsilon: float
    rope_theta: float
    tied: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """One tensor of the GGUF file: its name, the Hugging Face tensor behind it, and how that is rearranged."""

    name: str
    source: str
    form: Form = "plain"


def model_shape(config: dict[str, Any], where: str) -> Shape:
    """Sizes and encoding from config.json.

    Raises:
        InputError: an architecture, activation, bias or RoPE variant that llama.cpp would compute differently.
    """
    heads = int(config["num_attention_heads"])
    hidden = int(config["hidden_size"])
    architecture, encoding = _encoding(config, where)
    return Shape(
        architecture=architecture,
        encoding=encoding,
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        intermediate=int(config["intermediate_size"]),
        heads=heads,
        key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_size=int(config.get("head_dim") or hidden // heads),
        context_length=int(config["max_position_embeddings"]),
        vocabulary=int(config["vocab_size"]),
        epsilon=float(config["rms_norm_eps"]),
        rope_theta=_rope_theta(config, where),
        tied=bool(config.get("tie_word_embeddings")),
    )


def _encoding(
    config: dict[str, Any], where: str
) -> tuple[Literal["llama", "arcee"], Literal["swiglu", "one-expert", "relu2"]]:
    for key in ("attention_bias", "mlp_bias"):
        if config.get(key):
            raise InputError(f"GGUF export does not support {key}", where=where, mend="set export.gguf to []")
    kind = config["model_type"]
    activation = config.get("hidden_act", "relu2" if kind == "arcee" else "silu")
    if (kind, activation) == ("llama", "silu"):
        return "llama", "swiglu"
    if (kind, activation) == ("arcee", "silu"):
        return "llama", "one-expert"
    if (kind, activation) == ("arcee", "relu2"):
        return "arcee", "relu2"
    raise InputError(
        f"no GGUF architecture computes {kind!r} with activation {activation!r} correctly",
        where=where,
        mend="supported are llama with silu and arcee with silu or relu2; or set export.gguf to []",
    )


def _rope_theta(config: dict[str, Any], where: str) -> float:
    # transformers 5 writes rope_parameters, 4.57 writes rope_theta and rope_scaling.
    parameters = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or parameters
    variant = scaling.get("rope_type", scaling.get("type", "default"))
    if variant != "default" or float(parameters.get("partial_rotary_factor", 1.0)) != 1.0:
        raise InputError(f"GGUF export does not support RoPE variant {variant!r}", where=where)
    return float(parameters.get("rope_theta", config.get("rope_theta", 10_000.0)))


def plan(shape: Shape) -> Iterator[Planned]:
    """All tensors of the file in the order in which they are written."""
    yield Planned("token_embd.weight", "model.embed_tokens.weight")
    yield Planned("output_norm.weight", "model.norm.weight")
    if not shape.tied:
        yield Planned("output.weight", "lm_head.weight")
    for layer in range(shape.layers):
        source, target = f"model.layers.{layer}.", f"blk.{layer}."
        yield Planned(f"{target}attn_norm.weight", f"{source}input_layernorm.weight")
        yield Planned(f"{target}ffn_norm.weight", f"{source}post_attention_layernorm.weight")
        yield Planned(f"{target}attn_q.weight", f"{source}self_attn.q_proj.weight", "permute_q")
        yield Planned(f"{target}attn_k.weight", f"{source}self_attn.k_proj.weight", "permute_k")
        yield Planned(f"{target}attn_v.weight", f"{source}self_attn.v_proj.weight")
        yield Planned(f"{target}attn_output.weight", f"{source}self_attn.o_proj.weight")
        up, down = f"{source}mlp.up_proj.weight", f"{source}mlp.down_proj.weight"
        if shape.encoding == "one-expert":
            yield Planned(f"{target}ffn_gate_inp.weight", up, "zero_gate")
            yield Planned(f"{target}ffn_up_exps.weight", up, "expert")
            yield Planned(f"{target}ffn_down_exps.weight", down, "expert")
            continue
        if shape.encoding == "swiglu":
            yield Planned(f"{target}ffn_gate.weight", f"{source}mlp.gate_proj.weight")
        yield Planned(f"{target}ffn_up.weight", up)
        yield Planned(f"{target}ffn_down.weight", down)


def arrange(planned: Planned, array: Array, shape: Shape) -> Array:
    """The float32 values as they stand in the GGUF file."""
    if planned.form == "permute_q":
        return permute_rows(array, shape.heads)
    if planned.form == "permute_k":
        return permute_rows(array, shape.key_value_heads)
    if planned.form == "expert":
        return array[None]
    if planned.form == "zero_gate":
        return np.zeros((1, shape.hidden), np.float32)
    return array


def permute_rows(array: Array, heads: int) -> Array:
    """Rows of each head from halves (Hugging Face's rotation) to interleaved pairs (llama.cpp's).

    Args:
        array: (heads x head_size, width).
        heads: how many heads the rows belong to.

    >>> permute_rows(np.arange(8).reshape(8, 1), 2).ravel().tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    half = array.shape[0] // heads // 2
    return array.reshape(heads, 2, half, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def tensor_type(planned: Planned, dimensions: tuple[int, ...], kind: GgufKind) -> Type:
    """The stored type: vectors and the gate stay F32; rows that Q8_0 cannot hold become F16."""
    if len(dimensions) == 1 or planned.form == "zero_gate":
        return Type.F32
    if kind == "q8_0" and dimensions[-1] % Q8_BLOCK:
        return Type.F16
    return _TYPES[kind]


def write_gguf(
    source: Path, target: Path, kind: GgufKind, name: str, progress: Progress | None = None
) -> dict[str, Any]:
    """Write one GGUF file atomically; one tensor in memory at a time.

    Args:
        source: stock Hugging Face folder with tokenizer.
        target: the file to write.
        kind: type of the matrices.
        name: `general.name`.
        progress: where to show it.

    Returns:
        architecture, encoding, kind, tensors by type, padded vocabulary entries.

    Raises:
        InputError: whatever llama.cpp would abort on or compute wrongly, weights of the wrong shape, a full disk.
    """
    shape = model_shape(read_config(source), str(source / "config.json"))
    vocabulary = read_vocabulary(source, shape.vocabulary)
    weights = Weights(source)
    planned = list(plan(shape))
    _check_shapes(planned, shape, weights)
    with atomic_path(target) as temporary:
        writer = gguf.GGUFWriter(temporary, shape.architecture)
        _write_metadata(writer, shape, vocabulary, kind, name)
        counts = _announce(writer, planned, shape, weights, kind)
        with (progress or SilentProgress()).task(f"GGUF {kind}", len(planned), "tensors") as task:
            for tensor in planned:
                array = np.ascontiguousarray(arrange(tensor, weights.array(tensor.source), shape))
                writer.write_tensor_data(_encode(array, tensor_type(tensor, array.shape, kind)))
                task.advance()
        writer.close()
    return {
        "architecture": shape.architecture,
        "encoding": shape.encoding,
        "kind": kind,
        "tensors": counts,
        "padded_vocabulary": vocabulary.padded,
    }


def _dimensions(tensor: Planned, shape: Shape, weights: Weights) -> tuple[int, ...]:
    dimensions = weights.shape(tensor.source)
    if tensor.form == "expert":
        return (1, *dimensions)
    return (1, shape.hidden) if tensor.form == "zero_gate" else dimensions


def _announce(writer: Any, planned: list[Planned], shape: Shape, weights: Weights, kind: GgufKind) -> dict[str, int]:
    """Write the header and the table of tensors; return how many have which type."""
    counts: dict[str, int] = {}
    for tensor in planned:
        dimensions = _dimensions(tensor, shape, weights)
        stored = tensor_type(tensor, dimensions, kind)
        counts[stored.name] = counts.get(stored.name, 0) + 1
        block, block_bytes = gguf.GGML_QUANT_SIZES[stored]
        size = int(np.prod(dimensions[:-1], dtype=np.int64)) * (dimensions[-1] // block * block_bytes)
        writer.add_tensor_info(tensor.name, dimensions, np.dtype(np.float32), size, raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return counts


def _encode(array: Array, stored: Type) -> Array:
    if stored == Type.F32:
        return array.astype(np.float32, copy=False)
    if stored == Type.F16:
        with np.errstate(over="raise"):
            return array.astype(np.float16)
    encoded: Array = quants.quantize(array, stored)
    return encoded


def _check_shapes(planned: list[Planned], shape: Shape, weights: Weights) -> None:
    width, values = shape.heads * shape.head_size, shape.key_value_heads * shape.head_size
    wanted = {
        "embed_tokens": (shape.vocabulary, shape.hidden),
        "lm_head": (shape.vocabulary, shape.hidden),
        "q_proj": (width, shape.hidden),
        "k_proj": (values, shape.hidden),
        "v_proj": (values, shape.hidden),
        "o_proj": (shape.hidden, width),
        "gate_proj": (shape.intermediate, shape.hidden),
        "up_proj": (shape.intermediate, shape.hidden),
        "down_proj": (shape.hidden, shape.intermediate),
    }
    for tensor in planned:
        expected = wanted.get(tensor.source.split(".")[-2], (shape.hidden,))
        if weights.shape(tensor.source) != expected:
            raise InputError(
                f"{tensor.source} has shape {weights.shape(tensor.source)}, config.json says {expected}",
                where=str(weights.folder),
            )


def _write_metadata(writer: Any, shape: Shape, vocabulary: Vocabulary, kind: GgufKind, name: str) -> None:
    if sys.byteorder != "little":
        raise InputError("GGUF files are written on little-endian machines only")
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[kind])
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
    if shape.encoding == "one-expert":
        writer.add_expert_count(1)
        writer.add_expert_used_count(1)
    writer.add_tokenizer_model("t5")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.encode("utf-8") for piece in vocabulary.pieces])
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.kinds)
    writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(vocabulary.eos)
    writer.add_unk_token_id(vocabulary.unk)
    writer.add_pad_token_id(vocabulary.eos)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_remove_extra_whitespaces(False)
    if vocabulary.template:
        writer.add_chat_template(vocabulary.template)
