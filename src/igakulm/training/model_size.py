"""What a model's size costs: parameters and FLOPs of a recipe's model, or of one that is loaded. No torch.

Does: put sizes and vocabulary together and count. Does not: read folders (model/presets.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from igakulm.model.presets import Architecture, architecture, planned_vocabulary
from igakulm.recipe.schema import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A decoder's sizes with the rows of its embedding."""

    sizes: Architecture
    vocabulary_size: int

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.sizes.parameters(self.vocabulary_size)

    @property
    def embedding_parameters(self) -> int:
        """V d: looked up, not multiplied."""
        return self.vocabulary_size * self.sizes.hidden_size

    @property
    def query_width(self) -> int:
        """Heads x head size."""
        return self.sizes.heads * self.sizes.head_size

    @property
    def key_value_width(self) -> int:
        """Key-value heads x head size."""
        return self.sizes.key_value_heads * self.sizes.head_size

    def flops_per_token(self, sequence_length: float) -> float:
        """Forward and backward for one token (PaLM's convention, attention not halved for causality).

        A tied matrix is looked up and multiplied, so it counts once.
        """
        multiplied = self.parameters - (0 if self.sizes.tied else self.embedding_parameters)
        return 6.0 * multiplied + 12.0 * self.sizes.layers * sequence_length * self.query_width


def size_of_recipe(recipe: Recipe) -> ModelSize:
    """Size of the model that a recipe pretrains.

    Raises:
        InputError: sizes that do not fit together, or `model.from_folder` holds no model.
    """
    return ModelSize(architecture(recipe.model), planned_vocabulary(recipe))


def size_of_model(model: PreTrainedModel) -> ModelSize:
    """Size of a loaded model, counted from its weights."""
    from igakulm.model.init import embedding_of, head_of

    config = model.config
    embedding, head = embedding_of(model).weight, head_of(model).weight
    tied, heads = embedding is head, config.num_attention_heads
    total = sum(weight.numel() for weight in model.parameters())
    in_layers = total - embedding.numel() - (0 if tied else head.numel()) - config.hidden_size
    sizes = Architecture(
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        layers=config.num_hidden_layers,
        heads=heads,
        key_value_heads=getattr(config, "num_key_value_heads", None) or heads,
        gated=any("gate" in name for name, _ in model.named_parameters()),
        tied=tied,
        head_width=getattr(config, "head_dim", None),
        measured_layer=in_layers // config.num_hidden_layers,
    )
    return ModelSize(sizes, len(embedding))
