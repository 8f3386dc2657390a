"""Initial weights of section 2.3, new vocabulary rows (2.4.2), and folding of the embedding scale.

Does: small init, residual outputs / sqrt(2N), Xavier head, growth by chat tokens, scale in and out of the embedding.
Does not: apply the scale or dropout during training (objective.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel

RESIDUAL_OUTPUTS = ("o_proj.weight", "down_proj.weight")
"""Matrices that write into the residual stream, by the end of their names."""


def small_init(hidden_size: int) -> float:
    """Standard deviation sqrt(2 / 5d) of Nguyen & Salazar (2019).

    >>> round(small_init(2048), 6)
    0.013975
    """
    return math.sqrt(2 / (5 * hidden_size))


def residual_init(hidden_size: int, layers: int) -> float:
    """Standard deviation of residual outputs: small init / sqrt(2N) (Takase et al., 2023).

    >>> round(residual_init(2048, 24), 6)
    0.002017
    """
    return small_init(hidden_size) / math.sqrt(2 * layers)


def xavier_normal(hidden_size: int, vocabulary_size: int) -> float:
    """Standard deviation sqrt(2 / (d + V)) of the output head.

    >>> round(xavier_normal(2048, 32768), 6)
    0.007579
    """
    return math.sqrt(2 / (hidden_size + vocabulary_size))


def embedding_scale(hidden_size: int) -> float:
    """Factor sqrt(d) right after the embedding look-up (scaled embedding, section 2.3).

    >>> round(embedding_scale(2048) * small_init(2048), 3)
    0.632
    """
    return math.sqrt(hidden_size)


@torch.no_grad()
def initialise(model: PreTrainedModel, seed: int) -> None:
    """Fill every weight in place: matrices from one generator in the order of their names, norms with ones."""
    config = model.config
    generator = torch.Generator().manual_seed(seed)
    head = head_of(model).weight
    for name, weight in sorted(model.named_parameters()):
        if weight.dim() < 2:
            weight.fill_(1.0)
            continue
        if weight is head:
            deviation = xavier_normal(config.hidden_size, config.vocab_size)
        elif name.endswith(RESIDUAL_OUTPUTS):
            deviation = residual_init(config.hidden_size, config.num_hidden_layers)
        else:
            deviation = small_init(config.hidden_size)
        weight.normal_(0.0, deviation, generator=generator)


def embedding_of(model: PreTrainedModel) -> nn.Embedding:
    """The model's input embedding."""
    return cast(nn.Embedding, model.get_input_embeddings())


def head_of(model: PreTrainedModel) -> nn.Linear:
    """The model's output head (the embedding's own matrix in a tied model)."""
    return cast(nn.Linear, model.get_output_embeddings())  # type: ignore[no-untyped-call]


@torch.no_grad()
def grow_vocabulary(model: PreTrainedModel, size: int, seed: int, fresh: Sequence[int] = ()) -> None:
    """Append rows to embedding and head up to `size` entries (section 2.4.2), and draw the rows `fresh` anew.

    Other rows keep their bits. New rows are normal with the spread of the old rows of the same matrix, which for
    weights fresh from `initialise` is that initialisation, and for trained weights keeps the new rows among the old
    ones in size. `fresh` are ids that the model never saw although it has rows for them: padding, reserved entries.
    """
    generator = torch.Generator().manual_seed(seed)

    def grown(weight: torch.Tensor) -> torch.Tensor:
        old = len(weight)
        again = [number for number in fresh if number < old]
        matrix = torch.cat([weight, _drawn_like(weight, max(0, size - old), generator)])
        matrix[again] = _drawn_like(weight, len(again), generator)
        return matrix

    _set_vocabulary(model, max(size, embedding_of(model).weight.shape[0]), grown)


@torch.no_grad()
def replace_vocabulary(model: PreTrainedModel, size: int, seed: int) -> None:
    """Give the model a new vocabulary: embedding and head are drawn anew with the spread of the old matrices."""
    generator = torch.Generator().manual_seed(seed)
    _set_vocabulary(model, size, lambda weight: _drawn_like(weight, size, generator))


def _drawn_like(weight: torch.Tensor, rows: int, generator: torch.Generator) -> torch.Tensor:
    drawn = torch.empty(rows, weight.shape[1], dtype=weight.dtype)
    return drawn.normal_(0.0, float(weight.std()), generator=generator).to(weight.device)


def _set_vocabulary(model: PreTrainedModel, size: int, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    embedding, head = embedding_of(model), head_of(model)
    tied = head.weight is embedding.weight
    embedding.weight = nn.Parameter(change(embedding.weight.detach()))
    head.weight = embedding.weight if tied else nn.Parameter(change(head.weight.detach()))
    embedding.num_embeddings = head.out_features = size
    embedding.padding_idx = None
    for part in (model.config, model, model.model):
        part.vocab_size = size


@torch.no_grad()
def folded(weight: torch.Tensor, scale: float) -> torch.Tensor:
    """The embedding matrix with the scale multiplied in.

    A look-up commutes with an element-wise product, and both round the same fp32 product, so the folded stock model's
    logits are bit-identical to the training model's.
    """
    return weight.detach() * scale


@torch.no_grad()
def unfold(model: PreTrainedModel, scale: float) -> None:
    """Take the scale out of a folded model's embedding, to train on with the scaled embedding (1 ulp at most)."""
    embedding_of(model).weight.div_(scale)
