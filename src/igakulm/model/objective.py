"""What the training loop differentiates: a stock causal model plus the paper's extras, from rows to a summed loss.

The loop knows of an objective: what a row counts (`amount`), how rows become a micro-batch (`collate`, `idle`), the
summed loss or, for validation, each row's (`forward`). Another objective is a class with these.

Does: scaled embedding, embedding and residual dropout, NEFTune, document masking, head only where a target is.
Does not: change the model's class or parameter names, so weights move in and out of stock folders unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from igakulm.errors import InputError
from igakulm.model.attention import DOCUMENTS, document_arguments
from igakulm.model.batch import NO_TARGET, Batch, Row, collate
from igakulm.model.fast_ends import FastEnds
from igakulm.model.fast_layers import LowCopies, use_fast_layers, use_stock_layers
from igakulm.model.init import embedding_of, head_of
from igakulm.model.loss import linear_cross_entropy, target_losses


class Objective(nn.Module):
    """Sum of next-token cross entropies over a batch's targets.

    Args:
        model: a stock causal model, fp32; its attention backend and residual outputs are set for training.
        scale: factor on embeddings (1.0 for none).
        dropout: on the embedding and on what each block adds to the residual stream (section 2.4.1), training only.
            Not on attention probabilities: section 2.4.1 names the embedding and the residual streams only, and a
            kernel that never writes the probabilities down has none to drop; what attention adds is dropped anyway.
        neftune_alpha: uniform noise alpha / sqrt(L d) on embeddings, L = the document's tokens (section 2.4.2),
            training only; 0 = none.
        bf16: bf16 autocast.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        scale: float = 1.0,
        dropout: float = 0.0,
        neftune_alpha: float = 0.0,
        bf16: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.compiled = False
        self.copies: LowCopies | None = None
        self.ends: FastEnds | None = None
        self.scale, self.dropout, self.neftune_alpha, self.bf16 = scale, dropout, neftune_alpha, bf16
        model.config._attn_implementation = DOCUMENTS
        model.config.use_cache = False
        if dropout:
            for layer in model.model.layers:
                _drop_residual(layer, dropout)

    idle = Row(np.zeros(2, np.int64), np.full(2, NO_TARGET, np.int64), (2,))
    """What a process computes when there are fewer micro-batches than processes: nothing is learnt from it."""

    def amount(self, row: Row) -> float:
        """What a row counts: the loss of a step is the sum over its rows divided by the sum of this."""
        return row.share * row.learnt

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Rows as a micro-batch."""
        return collate(rows)

    def forward(self, batch: Batch, *, by_row: bool = False) -> torch.Tensor:
        """fp32 scalar: the sum of the targets' losses, each times what it counts.

        With `by_row`, for validation: (rows,) fp32, the sum of each row's losses in nats, whatever its targets count.
        """
        states, head, lower = self._targets_states(batch)
        if not by_row and self.ends is not None and torch.is_grad_enabled():
            return self.ends.loss(states, batch.targets, batch.shares)
        if not by_row:
            return linear_cross_entropy(states, head, batch.targets, lower, batch.shares, compiled=self.compiled)
        losses = target_losses(states, head, batch.targets, lower)
        rows = torch.repeat_interleave(torch.arange(len(batch.learnt)), batch.learnt).to(losses.device)
        return torch.zeros(len(batch.learnt), device=losses.device).index_add_(0, rows, losses)

    def _targets_states(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.dtype]:
        """The last hidden states (P, d) where a target is, the head (V, d), and the type of their product."""
        with torch.autocast(batch.tokens.device.type, torch.bfloat16, enabled=self.bf16):
            states = self.model.model(
                inputs_embeds=self.embed(batch)[None],
                position_ids=batch.positions[None],
                use_cache=False,
                **document_arguments(batch.lengths, batch.tokens.device),
            ).last_hidden_state[0]
        if len(batch.where) != len(states):
            states = states.index_select(0, batch.where)
        return states, head_of(self.model).weight, torch.bfloat16 if self.bf16 else torch.float32

    def use_fast_layers(self, *, ends: bool, compiled: bool = False) -> None:
        """Compute the layers in few passes; for bf16 in one process on a CPU (fast_layers.py).

        With `ends` the gradients of embedding and head are made once a step, by `finish_step`: for few targets a step.
        With `compiled` what lies between the products is compiled.
        """
        self.copies = use_fast_layers(self.model, compiled=compiled)
        self.ends = FastEnds(self.model, self.copies) if ends else None

    def use_stock_layers(self) -> None:
        """Back to the model's own code."""
        use_stock_layers(self.model)
        self.copies = self.ends = None

    def weights_changed(self) -> None:
        """After an update, and after weights were read."""
        if self.copies is not None:
            self.copies.renew()

    def finish_step(self) -> None:
        """After the last micro-batch of a step: gradients that waited for it."""
        if self.ends is not None:
            self.ends.finish()

    def compile_layers(self) -> None:
        """Compile each layer by itself (quick, and equal layers share the result) and, on a GPU, the softmax."""
        self.compiled = True
        for layer in self.model.model.layers:
            layer.compile(dynamic=True)

    def embed(self, batch: Batch) -> torch.Tensor:
        """(T, d) fp32 embeddings, scaled; with noise and dropout while training."""
        module = embedding_of(self.model)
        # Some classes (Gemma) scale inside their look-up. Stock look-ups take no gradient at `padding_idx`, ours do.
        plain = type(module).forward is nn.Embedding.forward
        if self.ends is not None:
            embedded = self.ends.look_up(batch.tokens)
            embedded = embedded if plain else embedded * getattr(module, "embed_scale", 1.0)
        else:
            embedded = F.embedding(batch.tokens, module.weight) if plain else module(batch.tokens)
        if self.scale != 1.0:
            embedded = embedded * self.scale
        if not self.training:
            return embedded
        if self.neftune_alpha:
            embedded = embedded + neftune_noise(batch.lengths, self.neftune_alpha, embedded)
        return drop(embedded, self.dropout) if self.dropout else embedded


def drop(states: torch.Tensor, probability: float) -> torch.Tensor:
    """Inverted dropout; on a CPU with 16 random bits an element (probability rounded to 1/65,536).

    Torch's CPU dropout draws a double for every element, which costs four times as much.
    """
    if states.device.type != "cpu":
        return F.dropout(states, probability)
    threshold = round(probability * 65_536)
    count = states.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    kept = bits.view(torch.int16)[:count].view(states.shape) >= threshold - 32_768
    return states * kept.to(states.dtype).mul_(65_536 / (65_536 - threshold))


def neftune_noise(lengths: torch.Tensor, alpha: float, like: torch.Tensor) -> torch.Tensor:
    """Noise (T, d), uniform within +-alpha / sqrt(L d) of each token's own document (Jain et al., 2023)."""
    widths = alpha / torch.sqrt(lengths.to(torch.float32) * like.shape[1])
    bounds = torch.repeat_interleave(widths, lengths).to(like.device)
    return torch.empty_like(like).uniform_(-1.0, 1.0) * bounds[:, None]


def _drop_residual(layer: Any, probability: float) -> None:
    """Drop what attention and MLP add to the residual stream: the output of their last matrix, or of a norm after it.

    Raises:
        InputError: a layer of other parts.
    """
    behind = ("post_attention_layernorm", "post_feedforward_layernorm")
    if hasattr(layer, behind[1]):  # Gemma, OLMo 2: the block's output is normalised before it is added
        for name in behind:
            getattr(layer, name).register_forward_hook(partial(_dropped, probability))
        return
    try:
        outputs = layer.self_attn.o_proj, layer.mlp.down_proj
    except AttributeError as error:
        what = f"dropout does not know the parts of {type(layer).__name__}"
        raise InputError(what, where="model.dropout, finetune.dropout", hint="set both to 0") from error
    for module in outputs:
        module.register_forward_hook(partial(_dropped, probability))


def _dropped(probability: float, module: nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
    return drop(output, probability) if module.training else output
