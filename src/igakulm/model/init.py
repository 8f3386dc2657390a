"""Initial weights of section 2.3, new vocabulary rows (2.4.2), and folding of the embedding scale.

Does: small init, residual outputs / sqrt(2N), Xavier head, growth by chat tokens, scale in and out of the embedding.
Does not: apply the scale or dropout during training (objective.py).
"""

from __future__ import annotations

import math

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
    head = model.get_output_embeddings().weight
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


@torch.no_grad()
def grow_vocabulary(model: PreTrainedModel, size: int, seed: int) -> None:
    """Append rows to embedding and head up to `size` entries (section 2.4.2); old rows keep their bits.

    New rows are normal with the spread of the old rows of the same matrix, which for weights fresh from `initialise`
    is that initialisation, and for trained weights keeps the new rows among the old ones in size.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head.weight is embedding.weight
    generator = torch.Generator().manual_seed(seed)
    embedding.weight = _grown(embedding.weight, size, generator)
    embedding.num_embeddings = size
    head.weight = embedding.weight if tied else _grown(head.weight, size, generator)
    head.out_features = size
    model.config.vocab_size = size
    model.vocab_size = size
    model.model.vocab_size = size


def _grown(weight: nn.Parameter, size: int, generator: torch.Generator) -> nn.Parameter:
    old, width = weight.shape
    rows = torch.empty(size - old, width, dtype=weight.dtype).normal_(0.0, float(weight.std()), generator=generator)
    return nn.Parameter(torch.cat([weight.detach(), rows.to(weight.device)]))


@torch.no_grad()
def replace_vocabulary(model: PreTrainedModel, size: int, seed: int) -> None:
    """Give the model a new vocabulary: embedding and head are drawn anew with the spread of the old matrices."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head.weight is embedding.weight
    width = model.config.hidden_size
    embedding_spread, head_spread = embedding.weight[:1], head.weight[:1]
    deviations = float(embedding.weight.std()), float(head.weight.std())
    generator = torch.Generator().manual_seed(seed)
    embedding.weight = nn.Parameter(embedding_spread.new_empty(0, width))
    del embedding_spread, head_spread
    embedding.weight = nn.Parameter(torch.empty(size, width).normal_(0.0, deviations[0], generator=generator))
    embedding.num_embeddings, embedding.padding_idx = size, None
    if tied:
        head.weight = embedding.weight
    else:
        head.weight = nn.Parameter(torch.empty(size, width).normal_(0.0, deviations[1], generator=generator))
    head.out_features = size
    model.config.vocab_size = model.vocab_size = model.model.vocab_size = size


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
    model.get_input_embeddings().weight.div_(scale)
