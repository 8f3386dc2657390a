"""The stock Hugging Face folder of a bundle: copied file by file, and proved to be the model that it was copied from.

Does: refuse weights with NaN, a tokenizer of another size, missing files; copy; compare logits with the source.
Does not: convert or fold anything (pretraining and tuning write stock folders already).
"""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from igakulm.bundle.weights import Weights, not_finite, read_config
from igakulm.errors import InputError
from igakulm.files import atomic_path, read_json, write_json
from igakulm.inference.load import load_model
from igakulm.pretrained import load_tokenizer
from igakulm.progress import Progress
from igakulm.tasks.layouts import TASKS_FILE
from igakulm.text.preparation import PREPARATION_FILE
from igakulm.tokenizer.adopted import ADOPTED_FILE, ADOPTED_FILES
from igakulm.tokenizer.encode import ENCODER_FILE, TEMPLATE_FILE, TOKENIZER_FILES
from igakulm.tokenizer.open import Encoder, load_encoder
from igakulm.tokenizer.padding import padded

KEPT = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    *dict.fromkeys((*TOKENIZER_FILES, *ADOPTED_FILES)),
    PREPARATION_FILE,
    TASKS_FILE,
)
"""Nothing else of a model folder enters a bundle: no checkpoints, no optimizer state, no logs, no code."""


def copy_folder(source: Path, target: Path, progress: Progress) -> dict[str, Any]:
    """Check a model folder and copy it.

    Args:
        source: stock Hugging Face folder with tokenizer.
        target: where to; created.
        progress: where to show it.

    Returns:
        architecture, activation, parameters, vocabulary, context_length, layers, hidden_size.

    Raises:
        InputError: the folder is incomplete, damaged, or its tokenizer belongs to another model.
    """
    config, weights = read_config(source), Weights(source)
    bad = not_finite(weights)
    if bad:
        raise InputError(
            f"{len(bad)} tensors hold NaN or infinity: {', '.join(bad[:3])}",
            where=str(source),
            hint="training diverged; start again from a checkpoint before it, with a smaller learning rate",
        )
    if not any((source / name).is_file() for name in (ENCODER_FILE, ADOPTED_FILE)):
        what = f"IgakuLM's description of the tokenizer is missing: no {ENCODER_FILE} and no {ADOPTED_FILE}"
        hint = (
            "for a model from elsewhere, train it with a recipe whose tokenizer.from_folder is its folder, then export"
        )
        raise InputError(what, where=str(source), hint=hint)
    check_vocabulary(source, config, load_encoder(source))
    shards = sorted(path.name for path in source.glob("model-*-of-*.safetensors"))
    names = [name for name in (*KEPT, *shards) if (source / name).is_file()]
    target.mkdir(parents=True, exist_ok=True)
    with progress.task("copy the model", len(names), "files") as task:
        for name in names:
            with atomic_path(target / name) as temporary:
                _copy(source / name, temporary)
            task.advance()
    _say_length(target, config)
    return _facts(config, weights)


def _say_length(folder: Path, config: dict[str, Any]) -> None:
    """Give the tokenizer the model's longest input, after which stock tools cut or warn.

    The settings of an adopted tokenizer stay as they came: its description holds their hash.
    """
    settings = folder / "tokenizer_config.json"
    if (folder / ENCODER_FILE).is_file() and settings.is_file() and config.get("max_position_embeddings"):
        write_json(settings, {**read_json(settings), "model_max_length": config["max_position_embeddings"]})


def _copy(source: Path, target: Path) -> None:
    """Copy a file; a full disk is told of the target, where shutil names the source."""
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            error.filename = str(target)
        raise


def _facts(config: dict[str, Any], weights: Weights) -> dict[str, object]:
    return {
        "architecture": (config.get("architectures") or [config["model_type"]])[0],
        "activation": config.get("hidden_act"),
        "parameters": sum(math.prod(weights.shape(name)) for name in weights),
        "vocabulary": config["vocab_size"],
        "context_length": config.get("max_position_embeddings"),
        "layers": config.get("num_hidden_layers"),
        "hidden_size": config.get("hidden_size"),
    }


def check_vocabulary(folder: Path, config: dict[str, Any], encoder: Encoder) -> None:
    """Refuse a tokenizer that is not the model's. Embeddings may be padded to a multiple of 64, an open model's to any.

    Raises:
        InputError: ids beyond the embeddings, another size than tokenizer.json, other begin or end tokens, a base
            model, which has no chat template.
    """
    data = read_json(folder / "tokenizer.json")
    ids = [int(token["id"]) for token in data.get("added_tokens", [])]
    entries = max([len(data["model"]["vocab"]) - 1, *ids]) + 1
    rows = int(config["vocab_size"])
    fits = rows >= entries if encoder.adopted else rows in (entries, padded(entries))
    if encoder.size != entries or not fits:
        raise InputError(
            f"the tokenizer has {entries:,} entries ({encoder.size:,} for IgakuLM's encoder), the model {rows:,}",
            where=str(folder),
            hint="export the tuned model, together with the tokenizer that it was trained with",
        )
    if not (folder / TEMPLATE_FILE).is_file():
        hint = "export the tuned model"
        raise InputError("this is a base model: it has no chat template", where=str(folder), hint=hint)
    for key, number in (("bos_token_id", encoder.bos), ("eos_token_id", encoder.eos)):
        if config.get(key) != number:
            raise InputError(
                f"{key} is {config.get(key)} in config.json and {number} in the tokenizer", where=str(folder)
            )


@torch.inference_mode()
def same_logits(source: Path, copy: Path, prompts: Sequence[Sequence[int]]) -> None:
    """Load both folders as stock transformers do and compare their logits bit for bit.

    Raises:
        InputError: the copy does not load or computes something else.
    """
    wanted = []
    model = load_model(source)
    for prompt in prompts:
        wanted.append(model(input_ids=torch.tensor([list(prompt)])).logits)
    del model
    model = load_model(copy)
    for prompt, logits in zip(prompts, wanted, strict=True):
        if not torch.equal(model(input_ids=torch.tensor([list(prompt)])).logits, logits):
            raise InputError("the copied model computes other values than its source", where=str(copy))


def same_tokenizer(folder: Path, encoder: Encoder, texts: Sequence[str]) -> None:
    """Compare stock AutoTokenizer with IgakuLM's encoder on texts (not with MeCab at run time: stock tools lack it).

    Raises:
        InputError: other ids.
    """
    if encoder.runtime != "plain":
        return
    tokenizer = load_tokenizer(folder)
    for text in texts:
        if list(tokenizer(text, add_special_tokens=False)["input_ids"]) != encoder.encode(text):
            raise InputError(f"stock transformers read {text!r} as other tokens", where=str(folder / "tokenizer.json"))
