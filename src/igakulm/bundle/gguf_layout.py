"""Which tensors a GGUF file holds, and how they follow from those of a stock Hugging Face folder.

Does: choose the llama.cpp architecture that computes the same function, refuse what none computes, name the tensors,
permute Q and K rows. Does not: quantise, write files, or know vocabularies.

Encodings (`architecture/encoding` in bundle.json):
- `llama/swiglu`: Llama with a gate (SwiGLU), as everybody writes it; with biases where the model has them.
- `qwen2/swiglu`: Qwen 2, whose rotation llama.cpp computes in halves: no permutation.
- `arcee/relu2`: Arcee with squared ReLU, the only activation that llama.cpp's arch `arcee` computes.
- `llama/one-expert`: Arcee with SiLU. llama.cpp's `arcee` would load it and silently use squared ReLU. A mixture of
  one expert without gate tensors computes down(silu(up(x))) times softmax of one logit, which is 1: the same function.
- `gemma3/geglu`: Gemma 3 (text). llama.cpp scales the embeddings itself, multiplies by norm weights that hold 1 + w,
  knows the rotation base 10,000 of its windowed layers, and takes every sixth layer as the one without a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from igakulm.bundle.weights import Weights
from igakulm.errors import InputError

Array = np.ndarray[Any, np.dtype[Any]]
Form = Literal["plain", "permute_q", "permute_k", "expert", "zero_gate", "rope_factors", "one_more"]
Architecture = Literal["llama", "arcee", "qwen2", "gemma3"]
Encoding = Literal["swiglu", "one-expert", "relu2", "geglu"]

ROPE_FACTORS = "rope_freqs.weight"
GEMMA_PERIOD, GEMMA_WINDOWED_THETA = 6, 10_000.0
"""What llama.cpp takes for granted of Gemma 3: every sixth layer sees all, the others rotate with this base."""
_NO_GGUF = "set export.gguf to []"


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model, and the encoding that llama.cpp computes correctly.

    Attributes:
        attention_biases: the projections with a bias, of "qkvo".
        mlp_bias: whether gate, up and down have one.
        window: tokens that a layer with a sliding window sees; 0 = there is none.
        rope_factors: what each pair's rotation frequency is divided by (Llama 3.1's scaling); empty = nothing.
    """

    architecture: Architecture
    encoding: Encoding
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
    attention_biases: str = ""
    mlp_bias: bool = False
    rope_factors: tuple[float, ...] = ()
    window: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """One tensor of the GGUF file: its name, the Hugging Face tensor behind it, and how that is rearranged."""

    name: str
    source: str
    form: Form = "plain"


def model_shape(config: Mapping[str, Any], where: str) -> Shape:
    """Sizes and encoding from config.json.

    Raises:
        InputError: an architecture, activation, bias or RoPE variant that llama.cpp would compute differently.
    """
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    head_size = int(config.get("head_dim") or hidden // heads)
    architecture, encoding = _encoding(config, where)
    biased = "qkv" if architecture == "qwen2" else "qkvo" if config.get("attention_bias") else ""
    gemma = architecture == "gemma3"
    theta, factors = (_gemma_theta(config, head_size, where), ()) if gemma else _rotation(config, head_size, where)
    return Shape(
        architecture=architecture,
        encoding=encoding,
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        intermediate=int(config["intermediate_size"]),
        heads=heads,
        key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_size=head_size,
        context_length=int(config["max_position_embeddings"]),
        vocabulary=int(config["vocab_size"]),
        epsilon=float(config["rms_norm_eps"]),
        rope_theta=theta,
        tied=bool(config.get("tie_word_embeddings")),
        attention_biases=biased,
        mlp_bias=bool(config.get("mlp_bias")),
        rope_factors=factors,
        window=int(config["sliding_window"]) if gemma else 0,
    )


def _encoding(config: Mapping[str, Any], where: str) -> tuple[Architecture, Encoding]:
    kind = config["model_type"]
    usual = {"arcee": "relu2", "gemma3_text": "gelu_pytorch_tanh"}.get(kind, "silu")
    activation = config.get("hidden_activation") or config.get("hidden_act", usual)
    if kind == "qwen2" and config.get("use_sliding_window"):
        raise InputError("GGUF export does not support use_sliding_window", where=where, hint=_NO_GGUF)
    for key in ("attention_bias", "mlp_bias"):
        if kind != "llama" and config.get(key):
            raise InputError(f"GGUF export does not support {key} in {kind}", where=where, hint=_NO_GGUF)
    if (kind, activation) == ("llama", "silu"):
        return "llama", "swiglu"
    if (kind, activation) == ("qwen2", "silu"):
        return "qwen2", "swiglu"
    if (kind, activation) == ("arcee", "silu"):
        return "llama", "one-expert"
    if (kind, activation) == ("arcee", "relu2"):
        return "arcee", "relu2"
    if (kind, activation) == ("gemma3_text", "gelu_pytorch_tanh"):
        return "gemma3", "geglu"
    raise InputError(
        f"no GGUF architecture computes {kind!r} with activation {activation!r} correctly",
        where=where,
        hint=f"supported are llama, qwen2, gemma3 (text), and arcee with silu or relu2; or {_NO_GGUF}",
    )


def _rotation(config: Mapping[str, Any], head_size: int, where: str) -> tuple[float, tuple[float, ...]]:
    """Base of the rotation, and the divisors of its frequencies."""
    # transformers 5 writes rope_parameters, 4.57 writes rope_theta and rope_scaling.
    parameters = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or parameters
    variant = scaling.get("rope_type", scaling.get("type", "default"))
    theta = float(parameters.get("rope_theta", config.get("rope_theta", 10_000.0)))
    if float(parameters.get("partial_rotary_factor", 1.0)) != 1.0 or variant not in ("default", "llama3"):
        raise InputError(f"GGUF export does not support RoPE variant {variant!r}", where=where, hint=_NO_GGUF)
    if variant == "default":
        return theta, ()
    keys = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    try:
        factor, low, high, length = (float(scaling[key]) for key in keys)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"RoPE variant 'llama3' needs {', '.join(keys)}", where=where) from error
    return theta, llama3_factors(theta, head_size, factor, low, high, length)


def _gemma_theta(config: Mapping[str, Any], head_size: int, where: str) -> float:
    """Base of the rotation of Gemma 3's layers without a window.

    Raises:
        InputError: anything that llama.cpp takes for granted is otherwise in this model.
    """
    parameters = config.get("rope_parameters") or {}
    whole, windowed = parameters.get("full_attention") or {}, parameters.get("sliding_attention") or {}
    layers = config.get("layer_types") or []
    period = ["sliding_attention"] * (GEMMA_PERIOD - 1) + ["full_attention"]
    taken = {
        "layer_types": all(kind == period[place % GEMMA_PERIOD] for place, kind in enumerate(layers)),
        "rope_scaling": not config.get("rope_scaling") and whole.get("rope_type", "default") == "default",
        "rope_local_base_freq": float(
            windowed.get("rope_theta", config.get("rope_local_base_freq", GEMMA_WINDOWED_THETA))
        )
        == GEMMA_WINDOWED_THETA,
        "query_pre_attn_scalar": int(config.get("query_pre_attn_scalar", head_size)) == head_size,
        "attn_logit_softcapping": not config.get("attn_logit_softcapping"),
        "final_logit_softcapping": not config.get("final_logit_softcapping"),
        "use_bidirectional_attention": not config.get("use_bidirectional_attention"),
    }
    other = [key for key, right in taken.items() if not right]
    if other:
        raise InputError(f"llama.cpp computes Gemma 3 with another {other[0]}", where=where, hint=_NO_GGUF)
    return float(whole.get("rope_theta", config.get("rope_theta", 1e6)))


def llama3_factors(
    theta: float, head_size: int, factor: float, low: float, high: float, length: float
) -> tuple[float, ...]:
    """What Llama 3.1 divides the frequency of each pair by: slow rotations by `factor`, quick ones by 1.

    Args:
        theta: base of the rotation.
        head_size: of which there are half as many pairs.
        factor: how many times longer the context became.
        low: rotations over the old context below which a frequency is divided by all of `factor`.
        high: rotations above which it stays.
        length: the old context, in tokens.

    >>> [round(value, 2) for value in llama3_factors(500_000.0, 8, 8.0, 1.0, 4.0, 512)]
    [1.0, 1.38, 8.0, 8.0]
    """
    factors = []
    for pair in range(head_size // 2):
        turns = length * theta ** (-2 * pair / head_size) / (2 * math.pi)
        share = min(1.0, max(0.0, (turns - low) / (high - low)))
        factors.append(1.0 / ((1.0 - share) / factor + share))
    return tuple(factors)


def plan(shape: Shape) -> Iterator[Planned]:
    """All tensors of the file in the order in which they are written."""
    if shape.rope_factors:
        yield Planned(ROPE_FACTORS, "", "rope_factors")
    yield Planned("token_embd.weight", "model.embed_tokens.weight")
    norm: Form = "one_more" if shape.architecture == "gemma3" else "plain"
    yield Planned("output_norm.weight", "model.norm.weight", norm)
    if not shape.tied:
        yield Planned("output.weight", "lm_head.weight")
    for layer in range(shape.layers):
        source, target = f"model.layers.{layer}.", f"blk.{layer}."
        yield from (
            Planned(f"{target}{name}.weight", f"{source}{origin}.weight", norm) for name, origin in _norms(shape)
        )
        yield from _attention(shape, source, target)
        yield from _mlp(shape, source, target)


def _norms(shape: Shape) -> list[tuple[str, str]]:
    """Names of a layer's norms in the file and in the folder."""
    if shape.architecture != "gemma3":
        return [("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")]
    return [
        ("attn_norm", "input_layernorm"),
        ("post_attention_norm", "post_attention_layernorm"),
        ("ffn_norm", "pre_feedforward_layernorm"),
        ("post_ffw_norm", "post_feedforward_layernorm"),
        ("attn_q_norm", "self_attn.q_norm"),
        ("attn_k_norm", "self_attn.k_norm"),
    ]


def _attention(shape: Shape, source: str, target: str) -> Iterator[Planned]:
    for short, name in (("q", "attn_q"), ("k", "attn_k"), ("v", "attn_v"), ("o", "attn_output")):
        form: Form = "plain"
        if shape.architecture not in ("qwen2", "gemma3") and short in "qk":
            form = "permute_q" if short == "q" else "permute_k"
        for part in ("weight", "bias") if short in shape.attention_biases else ("weight",):
            yield Planned(f"{target}{name}.{part}", f"{source}self_attn.{short}_proj.{part}", form)


def _mlp(shape: Shape, source: str, target: str) -> Iterator[Planned]:
    up, down = f"{source}mlp.up_proj.weight", f"{source}mlp.down_proj.weight"
    if shape.encoding == "one-expert":
        yield Planned(f"{target}ffn_gate_inp.weight", up, "zero_gate")
        yield Planned(f"{target}ffn_up_exps.weight", up, "expert")
        yield Planned(f"{target}ffn_down_exps.weight", down, "expert")
        return
    for name in ("gate", "up", "down") if shape.encoding in ("swiglu", "geglu") else ("up", "down"):
        for part in ("weight", "bias") if shape.mlp_bias else ("weight",):
            yield Planned(f"{target}ffn_{name}.{part}", f"{source}mlp.{name}_proj.{part}")


def dimensions(tensor: Planned, shape: Shape, weights: Weights) -> tuple[int, ...]:
    """The shape of a planned tensor; nothing is read."""
    if tensor.form == "rope_factors":
        return (len(shape.rope_factors),)
    if tensor.form == "zero_gate":
        return (1, shape.hidden)
    found = weights.shape(tensor.source)
    return (1, *found) if tensor.form == "expert" else found


def tensor_values(tensor: Planned, shape: Shape, weights: Weights) -> Array:
    """The float32 values as they stand in the GGUF file, before they are quantised."""
    if tensor.form == "rope_factors":
        return np.asarray(shape.rope_factors, np.float32)
    if tensor.form == "zero_gate":
        return np.zeros((1, shape.hidden), np.float32)
    array = weights.array(tensor.source)
    if tensor.form == "permute_q":
        return permute_rows(array, shape.heads)
    if tensor.form == "permute_k":
        return permute_rows(array, shape.key_value_heads)
    if tensor.form == "one_more":
        return array + np.float32(1)
    return array[None] if tensor.form == "expert" else array


def permute_rows(array: Array, heads: int) -> Array:
    """Rows of each head from halves (Hugging Face's rotation) to interleaved pairs (llama.cpp's).

    Args:
        array: (heads x head_size, width), or a bias (heads x head_size).
        heads: how many heads the rows belong to.

    >>> permute_rows(np.arange(8).reshape(8, 1), 2).ravel().tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    half = array.shape[0] // heads // 2
    return array.reshape(heads, 2, half, *array.shape[1:]).swapaxes(1, 2).reshape(array.shape)


def check_shapes(planned: list[Planned], shape: Shape, weights: Weights) -> None:
    """Compare the tensors of the folder with its config.json.

    Raises:
        InputError: another shape, a missing tensor, or one that the file would leave out.
    """
    width, values = shape.heads * shape.head_size, shape.key_value_heads * shape.head_size
    sizes = {
        "embed_tokens": (shape.vocabulary, shape.hidden),
        "lm_head": (shape.vocabulary, shape.hidden),
        "q_proj": (width, shape.hidden),
        "k_proj": (values, shape.hidden),
        "v_proj": (values, shape.hidden),
        "o_proj": (shape.hidden, width),
        "gate_proj": (shape.intermediate, shape.hidden),
        "up_proj": (shape.intermediate, shape.hidden),
        "down_proj": (shape.hidden, shape.intermediate),
        "q_norm": (shape.head_size,),
        "k_norm": (shape.head_size,),
    }
    used = {tensor.source for tensor in planned if tensor.source}
    for name in sorted(used):
        expected = sizes.get(name.split(".")[-2], (shape.hidden,))
        expected = expected[:1] if name.endswith(".bias") else expected
        if weights.shape(name) != expected:
            what = f"{name} has shape {weights.shape(name)}, config.json says {expected}"
            raise InputError(what, where=str(weights.folder))
    # A tied output matrix may be written twice; old folders hold the rotation's frequencies, which config.json gives.
    known = ("lm_head.weight", "rotary_emb.inv_freq")
    left = [name for name in weights if name not in used and not name.endswith(known)]
    if left:
        what = f"the weights hold {len(left)} tensors that config.json does not explain: {', '.join(left[:3])}"
        raise InputError(what, where=str(weights.folder), hint=_NO_GGUF)
