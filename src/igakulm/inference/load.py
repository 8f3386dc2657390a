"""The weights of a local Hugging Face folder.

Does: load safetensors offline, refuse what would be run wrongly. Does not: load pickled weights, run code that a model
folder brings along, or choose a device.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors import SafetensorError

from igakulm.errors import InputError
from igakulm.files import read_json

ELSEWHERE = "convert it to a GGUF file, or serve it and evaluate the endpoint"


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """The causal language model of a local folder, in evaluation mode.

    Raises:
        InputError: not a model folder, code of its own, missing or damaged weights.
    """
    _check_folder(folder)
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    loader: Any = AutoModelForCausalLM
    try:
        model, report = loader.from_pretrained(
            str(folder),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    # ImportError: weights packed by a package that is not there (GPTQ, AWQ and others).
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        known = _is_known(folder)
        hint = "copy it again" if known else ELSEWHERE
        raise InputError(f"the model cannot be loaded: {reason}", where=str(folder), hint=hint) from error
    missing = sorted(report.get("missing_keys") or ())
    if missing:
        raise InputError(
            f"{len(missing)} weights are missing and would be random: {', '.join(missing[:3])}", where=str(folder)
        )
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        what = f"models of type {model.config.model_type} have no attention, which this engine is made for"
        raise InputError(what, where=str(folder), hint=ELSEWHERE)
    return model.eval()


def _is_known(folder: Path) -> bool:
    """Whether this version of transformers has a causal language model of this type."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    try:
        return type(AutoConfig.from_pretrained(str(folder), local_files_only=True)) in MODEL_FOR_CAUSAL_LM_MAPPING
    except (OSError, ValueError, KeyError):
        return False


def _check_folder(folder: Path) -> None:
    config_path = folder / "config.json"
    if not config_path.is_file():
        raise InputError("this is not a model folder: there is no config.json", where=str(folder))
    config = read_json(config_path)
    if not isinstance(config, dict) or config.get("auto_map"):
        raise InputError(
            "this model brings program code of its own, which is never run here",
            where=str(config_path),
            hint="where transformers has the model type built in, take `auto_map` out of a copy of config.json",
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            "there are no safetensors weights",
            where=str(folder),
            hint="other formats can carry code and are not read; convert the model first",
        )
