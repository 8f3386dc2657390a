"""The weights of a local Hugging Face folder, for the engine that runs them.

Does: refuse what would be run wrongly. Does not: load weights itself (`pretrained.py`), or choose a device.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from igakulm.errors import InputError
from igakulm.pretrained import load_weights

ELSEWHERE = "convert it to a GGUF file, or serve it and evaluate the endpoint"


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """The causal language model of a local folder, in evaluation mode.

    Raises:
        InputError: as `load_weights`; a model without attention.
    """
    model = load_weights(folder, dtype, instead=ELSEWHERE)
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        what = f"models of type {model.config.model_type} have no attention, which this engine is made for"
        raise InputError(what, where=str(folder), hint=ELSEWHERE)
    return model
