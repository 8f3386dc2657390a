"""A local Hugging Face folder as stock transformers loads it: for training, evaluation, export and embedding alike.

Does: load safetensors and tokenizers offline; refuse code that a folder brings along, pickled weights, and weights that
would be drawn at random. Does not: choose a device, or judge whether a model suits its use.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["HF_HUB_OFFLINE"] = "1"

from igakulm.errors import InputError
from igakulm.files import read_json

if TYPE_CHECKING:
    import torch


def load_weights(folder: Path, dtype: torch.dtype, *, head: bool = True, instead: str = "") -> Any:
    """The model of a folder, in evaluation mode on the CPU.

    Args:
        folder: config.json and safetensors.
        dtype: of the weights.
        head: a causal language model; else its body alone, which gives hidden states.
        instead: what to do with a model that this version of transformers does not know.

    Raises:
        InputError: not a model folder, code of its own, no safetensors, missing or damaged weights.
    """
    _check_folder(folder, instead)
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoModelForCausalLM

    _hush()
    loader: Any = AutoModelForCausalLM if head else AutoModel
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
        hint = "copy the folder again" if _is_known(folder) or not instead else instead
        raise InputError(f"the model cannot be loaded: {_reason(error)}", where=str(folder), hint=hint) from error
    _refuse_drawn(model, report, folder, "copy the whole folder again")
    return model.eval()


def load_gguf_weights(path: Path, dtype: torch.dtype, instead: str) -> Any:
    """The causal language model of a GGUF file, dequantised, in evaluation mode; about 20 seconds for 270 M weights.

    Raises:
        InputError: an architecture or type that transformers cannot read, missing weights.
    """
    from transformers import AutoModelForCausalLM

    _hush()
    loader: Any = AutoModelForCausalLM
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # a bar of its own that nothing switches off
            model, report = loader.from_pretrained(
                str(path.parent), gguf_file=path.name, dtype=dtype, local_files_only=True, output_loading_info=True
            )
    # A file of any maker can fail in any way in here.
    except Exception as error:
        what = f"this GGUF file cannot be read as a model to train: {_reason(error)}"
        raise InputError(what, where=str(path), hint=instead) from error
    _refuse_drawn(model, report, path, instead)
    # transformers leaves the mark of a quantised model on it, which would refuse saving and loading.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    return model.to(dtype).eval()


def _refuse_drawn(model: Any, report: Any, path: Path, hint: str) -> None:
    """Transformers draws weights anew that it does not find, and only logs it."""
    tied = {"lm_head.weight"} if getattr(model.config, "tie_word_embeddings", False) else set()
    missing = sorted(set(report.get("missing_keys") or ()) - tied)
    if missing:
        what = f"{len(missing)} weights are missing and would be random: {', '.join(missing[:3])}"
        raise InputError(what, where=str(path), hint=hint)


def load_tokenizer(folder: Path, gguf: str | None = None) -> Any:
    """The stock tokenizer of a folder, or of a GGUF file in it.

    Raises:
        InputError: it cannot be loaded without code of its own, or from this file.
    """
    from transformers import AutoTokenizer

    _hush()
    loader: Any = AutoTokenizer
    try:
        file = {"gguf_file": gguf} if gguf else {}
        return loader.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **file)
    # A foreign tokenizer can fail in any way: the conversion of old formats raises bare Exception.
    except Exception as error:
        hint = "copy the folder again; tokenizers that bring program code of their own are not run"
        raise InputError(f"the tokenizer cannot be loaded: {_reason(error)}", where=str(folder), hint=hint) from error


def _hush() -> None:
    """No progress bars and no warnings of transformers: what matters is raised here."""
    from transformers.utils import logging

    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _is_known(folder: Path) -> bool:
    """Whether this version of transformers has a causal language model of this type."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    try:
        return type(AutoConfig.from_pretrained(str(folder), local_files_only=True)) in MODEL_FOR_CAUSAL_LM_MAPPING
    except (OSError, ValueError, KeyError):
        return False


def _check_folder(folder: Path, instead: str) -> None:
    path = folder / "config.json"
    if not path.is_file():
        hint = "give a folder with config.json, a tokenizer and *.safetensors"
        raise InputError("this is not a model folder: there is no config.json", where=str(folder), hint=hint)
    config = read_json(path)
    if not isinstance(config, dict) or config.get("auto_map"):
        what = "this model brings program code of its own, which is never run here"
        hint = "where transformers has the model type built in, take `auto_map` out of a copy of config.json"
        raise InputError(what, where=f"{path}, key auto_map", hint=hint)
    if not any(folder.glob("*.safetensors")):
        hint = f"pickled weights can carry code and are not read; {instead or 'convert them to safetensors first'}"
        raise InputError("there are no safetensors weights", where=str(folder), hint=hint)
