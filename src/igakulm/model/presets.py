"""The decoder of section 2.3 as a stock `ArceeForCausalLM`: sizes, their arithmetic, and new or loaded models.

Does: turn a `ModelSection` into sizes, count parameters without torch, build the stock class, load a local folder.
Does not: initialise weights (init.py), train, or write folders. Nothing custom is ever needed to load what we train.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.model.folder_sizes import layer_weights, read_config, tokenizer_entries
from igakulm.pretrained import load_weights
from igakulm.recipe.schema import ModelSection, Recipe
from igakulm.tokenizer.base_source import find_base
from igakulm.tokenizer.padding import padded

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

HEAD_SIZE = 64
"""Width of one attention head (section 2.3)."""
_ORIGINAL = "start from the original weights of a model that transformers has built in"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a decoder; by default ours: without biases, untied embeddings and a two-matrix (not gated) MLP."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    key_value_heads: int
    activation: str = "silu"
    gated: bool = False  # a third MLP matrix, as in Llama
    tied: bool = False  # head and embedding are one matrix
    head_width: int | None = None  # where it is not hidden size / heads
    measured_layer: int | None = None  # parameters of one layer as a folder's weights have them

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.head_width or self.hidden_size // self.heads

    @property
    def layer_parameters(self) -> int:
        """Parameters of one layer: q and o (d x d), k and v (d x kv), up and down (d x ff), two norms (d).

        >>> PRESETS["paper-1b"].layer_parameters
        44044288
        """
        if self.measured_layer is not None:
            return self.measured_layer
        queries, keys = self.heads * self.head_size, self.key_value_heads * self.head_size
        matrices = 2 * queries + 2 * keys + (3 if self.gated else 2) * self.intermediate_size
        return self.hidden_size * matrices + 2 * self.hidden_size

    def parameters(self, vocabulary_size: int) -> int:
        """All parameters: layers, last norm, embedding and head (V x d each; one of them in a tied model).

        >>> PRESETS["paper-1b"].parameters(32_768)
        1191282688
        """
        return (
            self.layers * self.layer_parameters
            + self.hidden_size
            + (1 if self.tied else 2) * vocabulary_size * self.hidden_size
        )


_PAPER = Architecture(2048, 8192, 24, 32, 8)
PRESETS: dict[str, Architecture] = {
    "paper-1b": _PAPER,  # section 2.3: 1.19 B at 32,768 entries
    "relu2-1b": replace(_PAPER, activation="relu2"),  # the activation that every Arcee runtime knows
    "small-110m": Architecture(768, 3072, 10, 12, 3),  # 112 M at 32,768 entries
    "tiny": Architecture(192, 768, 4, 3, 1),  # 3 M at 4,096 entries
}


def architecture(section: ModelSection) -> Architecture:
    """Sizes of a section: the preset's, replaced by every key that is given.

    A given width without given head counts gets heads of 64 and a quarter as many key-value heads (at least one).
    With `from_folder` they are the folder's, whatever else is given.

    Raises:
        InputError: no model in the folder; sizes that do not divide each other, or no preset and a size missing.
    """
    if section.from_folder is not None:
        return folder_architecture(find_base(Path(section.from_folder)))
    preset = PRESETS[section.preset] if section.preset else None
    hidden, layers = section.hidden_size, section.layers
    if preset is None and (hidden is None or layers is None):
        raise InputError(
            "without a preset the model needs its sizes",
            where="model.preset",
            hint="give model.hidden_size and model.layers, or a preset",
        )
    hidden = hidden or (preset.hidden_size if preset else 0)
    wider = preset is None or section.hidden_size is not None
    heads = section.heads or (max(1, hidden // HEAD_SIZE) if wider or preset is None else preset.heads)
    keys = section.key_value_heads
    if keys is None:
        keys = preset.key_value_heads if preset and not wider and section.heads is None else _key_value_heads(heads)
    inner = section.intermediate_size or (4 * hidden if wider or preset is None else preset.intermediate_size)
    chosen = Architecture(
        hidden_size=hidden,
        intermediate_size=inner,
        layers=layers or (preset.layers if preset else 0),
        heads=heads,
        key_value_heads=keys,
        activation=section.activation or (preset.activation if preset else "silu"),
    )
    _check(chosen)
    return chosen


def folder_architecture(folder: Path) -> Architecture:
    """Sizes of a Hugging Face folder or a GGUF file, from its JSON and headers; nothing is loaded.

    Raises:
        InputError: no model folder, or a configuration without the sizes of a decoder.
    """
    config = read_config(folder)
    try:
        heads = int(config["num_attention_heads"])
        layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
        inner = int(config["intermediate_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"config.json lacks {error}, a size of a decoder", where=str(folder)) from error
    kind = str(config.get("model_type"))
    return Architecture(
        hidden_size=hidden,
        intermediate_size=inner,
        layers=layers,
        heads=heads,
        key_value_heads=int(config.get("num_key_value_heads") or heads),
        activation=str(config.get("hidden_act") or config.get("hidden_activation") or "silu"),
        gated=kind != "arcee",
        tied=bool(config.get("tie_word_embeddings", kind.startswith("gemma"))),
        head_width=int(config["head_dim"]) if config.get("head_dim") else None,
        measured_layer=layer_weights(folder) // layers or None,
    )


def planned_vocabulary(recipe: Recipe) -> int:
    """Rows of the embedding while the base model is trained.

    Raises:
        InputError: `from_folder` is no model folder.
    """
    model, tokenizer = recipe.model, recipe.tokenizer
    if tokenizer.from_folder is None:
        return vocabulary_rows(model, tokenizer.vocabulary_size)
    if model.from_folder is None:
        return vocabulary_rows(model, tokenizer_entries(Path(tokenizer.from_folder)))
    return int(read_config(find_base(Path(model.from_folder)))["vocab_size"])


def vocabulary_rows(section: ModelSection, entries: int) -> int:
    """Rows of embedding and head for a vocabulary: a multiple of 64, unless `pad_vocabulary` is off.

    >>> vocabulary_rows(ModelSection(), 32_771), vocabulary_rows(ModelSection(pad_vocabulary=False), 32_771)
    (32832, 32771)
    """
    return padded(entries) if section.pad_vocabulary else entries


def _key_value_heads(heads: int) -> int:
    """A quarter of the heads as in the paper, lowered to the next divisor.

    >>> [_key_value_heads(heads) for heads in (1, 3, 6, 12, 32)]
    [1, 1, 1, 3, 8]
    """
    wanted = max(1, heads // 4)
    return next(number for number in range(wanted, 0, -1) if heads % number == 0)


def _check(sizes: Architecture) -> None:
    if sizes.hidden_size % sizes.heads:
        raise InputError(
            f"the width {sizes.hidden_size} cannot be divided into {sizes.heads} heads",
            where="model.hidden_size",
            hint=f"choose a multiple of {HEAD_SIZE} and leave model.heads out",
        )
    if sizes.head_size % 2:
        raise InputError(
            f"heads of {sizes.head_size} are odd, and rotary positions turn pairs",
            where="model.heads",
            hint="choose an even head size",
        )
    if sizes.heads % sizes.key_value_heads:
        raise InputError(
            f"{sizes.heads} heads cannot share {sizes.key_value_heads} key-value heads",
            where="model.key_value_heads",
            hint="choose a divisor of model.heads",
        )


def model_config(
    section: ModelSection, vocabulary_size: int, sequence_length: int, *, bos: int | None, eos: int
) -> PretrainedConfig:
    """The stock `ArceeConfig` of a section; `sequence_length` in tokens becomes `max_position_embeddings`."""
    from transformers import ArceeConfig

    sizes = architecture(section)
    values: dict[str, Any] = {
        "vocab_size": vocabulary_size,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.key_value_heads,
        "head_dim": sizes.head_size,
        "hidden_act": sizes.activation,
        "max_position_embeddings": sequence_length,
        "rms_norm_eps": section.rms_norm_eps,
        "rope_theta": section.rope_theta,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": None,
    }
    return ArceeConfig(**values)


def new_model(config: PretrainedConfig) -> PreTrainedModel:
    """A stock model with unspecified weights in fp32; call `init.initialise` next."""
    import torch
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
        config, dtype=torch.float32
    )
    return model


def load_folder(folder: Path) -> PreTrainedModel:
    """Load a local Llama-like Hugging Face folder in fp32: safetensors only, no remote code, no network.

    Raises:
        InputError: missing folder or config, weights in another format, quantised or missing weights, code of its own,
            an architecture that transformers lacks or that is not built like Llama.
    """
    import torch

    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    if isinstance(config, dict) and config.get("quantization_config"):
        what = "this model is quantised, and quantised weights are not trained"
        raise InputError(what, where=f"{path}, key quantization_config", hint=_ORIGINAL)
    model: PreTrainedModel = load_weights(folder, torch.float32, instead=_ORIGINAL)
    if not hasattr(model, "model") or not hasattr(model.model, "layers"):
        raise InputError(
            f"{type(model).__name__} is not built like Llama",
            where=str(folder),
            hint="start from a model with model.layers and a separate head",
        )
    return model
