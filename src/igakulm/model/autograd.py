"""What PyTorch hands to the forward and backward pass of a function of our own.

Does: name its type. Does not: exist at run time: PyTorch makes an object of its own with these fields, and each module
declares what its functions add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import FunctionCtx


class Context(FunctionCtx):
    """Attributes: `saved_tensors`: what `save_for_backward` was given, None included; `needs_input_grad`: per input."""

    saved_tensors: tuple[Any, ...]
    needs_input_grad: tuple[bool, ...]

    if TYPE_CHECKING:  # PyTorch's own annotation knows no None, which it takes

        def save_for_backward(self, *tensors: torch.Tensor | None) -> None: ...
