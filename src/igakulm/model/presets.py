"""The decoder of section 2.3 as a stock `ArceeForCausalLM`: sizes, their arithmetic, and new or loaded models.

Does: turn a `ModelSection` into sizes, count parameters without torch, build the stock class, load a local folder.
Does not: initialise weights (init.py), train, or write folders. Nothing custom is ever needed to load what we train.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from igakulm.errors import InputError
from igakulm.recipe.schema import ModelSection

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

HEAD_SIZE = 64
"""Width of one attention head (section 2.3)."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a pre-normalised decoder without biases, untied embeddings and a two-matrix (not gated) MLP."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    key_value_heads: int
    activation: Literal["silu", "relu2"] = "silu"

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.hidden_size // self.heads

    @property
    def layer_parameters(self) -> int:
        """Parameters of one layer: q and o (d x d), k and v (d x kv), up and down (d x ff), two norms (d).

        >>> PRESETS["paper-1b"].layer_parameters
        44044288
        """
        keys = self.key_value_heads * self.head_size
        matrices = 2 * self.hidden_size + 2 * keys + 2 * self.intermediate_size
        return self.hidden_size * matrices + 2 * self.hidden_size

    def parameters(self, vocabulary_size: int) -> int:
        """All parameters: layers, last norm, embedding and head (V x d each).

        >>> PRESETS["paper-1b"].parameters(32_768)
        1191282688
        """
        return self.layers * self.layer_parameters + self.hidden_size + 2 * vocabulary_size * self.hidden_size


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

    Raises:
        InputError: sizes that do not divide each other, or no preset and a size missing.
    """
    preset = PRESETS[section.preset] if section.preset else None
    hidden, layers = section.hidden_size, section.layers
    if preset is None and (hidden is None or layers is None):
        raise InputError(
            "without a preset the model needs its sizes",
            where="model.preset",
            mend="give model.hidden_size and model.layers, or a preset",
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
            mend=f"choose a multiple of {HEAD_SIZE} and leave model.heads out",
        )
    if sizes.head_size % 2:
        raise InputError(
            f"heads of {sizes.head_size} are odd, and rotary positions turn pairs",
            where="model.heads",
            mend="choose an even head size",
        )
    if sizes.heads % sizes.key_value_heads:
        raise InputError(
            f"{sizes.heads} heads cannot share {sizes.key_value_heads} key-value heads",
            where="model.key_value_heads",
            mend="choose a divisor of model.heads",
        )


def model_config(
    section: ModelSection, vocabulary_size: int, sequence_length: int, *, bos: int, eos: int
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
        InputError: missing folder or config, weights in another format, an architecture that transformers lacks.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if not (folder / "config.json").is_file():
        raise InputError("this is no Hugging Face model folder", where=str(folder), mend="it needs a config.json")
    if not list(folder.glob("*.safetensors")):
        raise InputError(
            "this model folder has no safetensors weights",
            where=str(folder),
            mend="convert the weights to safetensors first; pickled weights are never read",
        )
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"this model folder cannot be loaded: {first_line}", where=str(folder)) from error
    if not hasattr(model, "model") or not hasattr(model.model, "layers"):
        raise InputError(
            f"{type(model).__name__} is not built like Llama",
            where=str(folder),
            mend="start from a model with model.layers and a separate head",
        )
    return model
