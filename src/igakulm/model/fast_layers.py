"""A stock model's layers computed by fast_functions.py: bf16 training in one process on a CPU.

Does: replace how norms, linear maps, gated MLPs and attention are computed, by object, of the classes that are known;
keep the bf16 copies of weights. Does not: change parameters or their names, or touch a class that it does not know.

Autocast makes a bf16 copy of every weight for every micro-batch and its gradients pass through three types; here a
copy lasts from one update to the next. tests/model/test_fast_layers.py compares loss and gradients with autocast's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from igakulm.model.adapters import AdaptedLinear
from igakulm.model.attention import attend_documents
from igakulm.model.fast_functions import Gated, Linear, RMSNorm, Rotate, call
from igakulm.model.fast_kernels import LOW, PLAIN, Kernels, compiled_kernels

KINDS = ("Arcee", "Llama", "Mistral", "Qwen2", "Qwen3", "Gemma3")
ATTENTIONS = tuple(f"{kind}Attention" for kind in KINDS)
"""Classes whose attention is: project, norm of the heads (where there is one), rotate, attend, project."""
NORMS = {f"{kind}RMSNorm": 1.0 if kind == "Gemma3" else 0.0 for kind in KINDS}
"""Classes of norms -> what is added to their weight."""
MLPS = tuple(f"{kind}MLP" for kind in KINDS if kind != "Arcee")
"""Classes that compute down(activation(gate(x)) · up(x))."""
_ACTIVATIONS = {"SiLU": False, "SiLUActivation": False, "GELUTanh": True, "PytorchGELUTanh": True}


class LowCopies:
    """bf16 copies of weights; whoever changes weights says so (`renew`)."""

    def __init__(self) -> None:
        self._copies: dict[torch.Tensor, torch.Tensor] = {}
        self._stale: set[torch.Tensor] = set()

    def of(self, weight: torch.Tensor) -> torch.Tensor:
        """The copy, made when it is first asked for after a change."""
        if weight not in self._copies:
            self._copies[weight] = weight.detach().to(LOW)
        elif weight in self._stale:
            self._copies[weight].copy_(weight.detach())
        self._stale.discard(weight)
        return self._copies[weight]

    def renew(self) -> None:
        """All weights that are trained have changed."""
        self._stale = {weight for weight in self._copies if weight.requires_grad}


def use_fast_layers(model: PreTrainedModel, *, compiled: bool = False) -> LowCopies:
    """Compute the layers of a stock model, with or without adapters, by the fast functions; `compiled`: what lies
    between the products as compiled passes (fast_kernels.py).
    """
    copies, kernels = LowCopies(), compiled_kernels() if compiled else PLAIN
    for layer in model.model.layers:
        for module in layer.modules():
            kind = type(module).__name__
            if isinstance(module, nn.Linear):
                module.__dict__["forward"] = partial(_linear, module, copies)
            elif kind in NORMS:
                module.__dict__["forward"] = partial(_norm, module, kernels, NORMS[kind])
            elif kind in ATTENTIONS:
                module.__dict__["forward"] = partial(_attention, module, kernels)
            elif kind in MLPS and type(module.act_fn).__name__ in _ACTIVATIONS:
                module.__dict__["forward"] = partial(_mlp, module, kernels, _ACTIVATIONS[type(module.act_fn).__name__])
    return copies


def use_stock_layers(model: PreTrainedModel) -> None:
    """Compute the layers by their own code again."""
    for module in model.model.layers.modules():
        module.__dict__.pop("forward", None)


def _norm(module: Any, kernels: Kernels, above: float, x: torch.Tensor) -> torch.Tensor:
    eps = module.eps if hasattr(module, "eps") else module.variance_epsilon
    return call(RMSNorm, x, module.weight, eps, above, kernels)


def _linear(module: nn.Linear, copies: LowCopies, x: torch.Tensor) -> torch.Tensor:
    result = call(Linear, x, module.weight, copies.of(module.weight), module.bias)
    if isinstance(module, AdaptedLinear):
        given = F.dropout(x, module.probability, module.training) if module.probability else x
        down, up = module.lora_down, module.lora_up
        small = call(Linear, call(Linear, given, down, copies.of(down), None), up, copies.of(up), None)
        return torch.add(result, small, alpha=module.scale)
    return result


def _mlp(module: Any, kernels: Kernels, gelu: bool, x: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = module.down_proj(call(Gated, module.gate_proj(x), module.up_proj(x), gelu, kernels))
    return result


def _attention(
    module: Any,
    kernels: Kernels,
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    document_lengths: torch.Tensor | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    assert document_lengths is not None
    tokens = hidden_states.shape[1]
    cos, sin = (part[0, :, : module.head_dim // 2].float() for part in position_embeddings)
    low = hidden_states.to(LOW)
    query, key, value = (
        projection(low).view(1, tokens, -1, module.head_dim)
        for projection in (module.q_proj, module.k_proj, module.v_proj)
    )
    if hasattr(module, "q_norm"):
        query, key = module.q_norm(query), module.k_norm(key)
    query, key = call(Rotate, query, cos, sin, kernels), call(Rotate, key, cos, sin, kernels)
    window = getattr(module, "sliding_window", None)
    if type(module).__name__ == "MistralAttention":
        window = getattr(module.config, "sliding_window", None)
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    attended = attend_documents(query, key, value, document_lengths, module.scaling, window=window or 0)
    result: torch.Tensor = module.o_proj(attended.reshape(1, tokens, -1))
    return result, None
