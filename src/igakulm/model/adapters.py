"""Low-rank adapters (Hu et al., 2021, arXiv 2106.09685): y = W x + alpha / r · B A x, with W frozen.

Does: put adapters on the linear maps of every layer, freeze what is not trained, merge them into the weights again.
Does not: train, or change the names of the model's own parameters.

Ours rather than peft's: 100 lines against 250 files, no copies between types in the forward pass, and the base's
frozen matrices stay free for the products in bf16 (fast_layers.py).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from igakulm.errors import InputError
from igakulm.model.init import embedding_of, head_of


class AdaptedLinear(nn.Linear):
    """A frozen linear map with an adapter; its weight and bias keep their names.

    `lora_down` (r, in) is A, `lora_up` (out, r) is B.
    """

    lora_down: nn.Parameter
    lora_up: nn.Parameter
    scale: float
    probability: float

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        dropped = F.dropout(input, self.probability, self.training) if self.probability else input
        small = F.linear(F.linear(dropped, self.lora_down), self.lora_up)
        return F.linear(input, self.weight, self.bias) + small * self.scale


def add_adapters(model: PreTrainedModel, *, rank: int, alpha: float, dropout: float, seed: int) -> None:
    """Freeze the model and put an adapter on every linear map inside its layers.

    A is uniform within ±sqrt(6 / ((1 + 5) in)), as in the paper's code, from one generator in the order of names; B is
    zero, so that training starts from the base's own function.

    Raises:
        InputError: layers without linear maps.
    """
    for weight in model.parameters():
        weight.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    found = sorted(
        (name, module) for name, module in model.model.layers.named_modules() if isinstance(module, nn.Linear)
    )
    if not found:
        what = f"the layers of {type(model).__name__} have no linear maps to adapt"
        raise InputError(what, where="finetune.method: lora", hint="set finetune.method: full")
    for name, linear in found:
        adapted = AdaptedLinear(linear.in_features, linear.out_features, bias=False, device="meta")
        adapted.weight, adapted.bias = linear.weight, linear.bias
        bound = 1 / math.sqrt(linear.in_features)
        down = torch.empty(rank, linear.in_features).uniform_(-bound, bound, generator=generator)
        adapted.lora_down, adapted.lora_up = nn.Parameter(down), nn.Parameter(torch.zeros(linear.out_features, rank))
        adapted.scale, adapted.probability = alpha / rank, dropout
        parent, _, last = name.rpartition(".")
        setattr(model.model.layers.get_submodule(parent), last, adapted)


@torch.no_grad()
def merge_adapters(model: PreTrainedModel) -> None:
    """Add every adapter to its weight, in fp32, and take it away; the model is a stock one again."""
    for name, module in list(model.model.layers.named_modules()):
        if not isinstance(module, AdaptedLinear):
            continue
        linear = nn.Linear(module.in_features, module.out_features, bias=False, device="meta")
        module.weight.add_(module.lora_up @ module.lora_down, alpha=module.scale)
        linear.weight, linear.bias = module.weight, module.bias
        parent, _, last = name.rpartition(".")
        setattr(model.model.layers.get_submodule(parent), last, linear)


def freeze_ends(model: PreTrainedModel) -> None:
    """Freeze embedding and head."""
    embedding_of(model).weight.requires_grad_(False)
    head_of(model).weight.requires_grad_(False)
