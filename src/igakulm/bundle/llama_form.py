"""The Llama form of an Arcee model with SiLU: a stock folder that every runtime of Llama models computes alike.

Does: write the same function as a Llama, tensor by tensor, in shards. Does not: approximate; squared ReLU has no exact
Llama form and is refused. vLLM and others that load `LlamaForCausalLM` with `mlp_bias` can serve the folder.

Arcee computes down(silu(up(x))), Llama down(silu(gate(x)) * up(x)). With gate = Arcee's up, up.weight = 0 and
up.bias = 1, the second factor is exactly 1. `mlp_bias` gives gate and down a bias too: zeros. The folder is larger by
the zeros: half of the MLP again. In float32 the logits are identical, which huggingface.same_logits proves for each
folder. In bfloat16 a kernel that adds a bias may round otherwise than one that does not: the last bit can differ.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from igakulm.bundle.huggingface import KEPT
from igakulm.bundle.weights import Weights, read_config
from igakulm.errors import InputError
from igakulm.files import atomic_path, write_json
from igakulm.progress import Progress, SilentProgress

SHARD_BYTES = 1 << 30
_WEIGHTS = {"config.json", "model.safetensors", "model.safetensors.index.json"}


def as_llama(source: Path, target: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write the Llama form of a stock folder.

    Args:
        source: stock Hugging Face folder of an Arcee model with SiLU, with tokenizer.
        target: where to; created.
        progress: where to show it.

    Returns:
        architecture, parameters, of which `ballast` (the zeros and ones that Arcee does not have), shards.

    Raises:
        InputError: a model that is a Llama already, or has no exact Llama form.
    """
    config, weights = read_config(source), Weights(source)
    _refuse_others(config, source)
    target.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if name not in _WEIGHTS and (source / name).is_file():
            with atomic_path(target / name) as temporary:
                shutil.copyfile(source / name, temporary)
    shards = _shards(weights)
    with (progress or SilentProgress()).task("Llama form", len(shards), "shards") as task:
        parameters = _write_shards(weights, shards, target, task.advance)
    write_json(target / "config.json", _llama_config(config))
    ballast = parameters - sum(math.prod(weights.shape(name)) for name in weights)
    found = {"architecture": "LlamaForCausalLM", "parameters": parameters, "ballast": ballast}
    return found | {"shards": len(shards)}


def _write_shards(weights: Weights, shards: list[list[str]], target: Path, done: Callable[[], None]) -> int:
    """Write the weights, one shard in memory at a time, and their index where there are several; count them."""
    place: dict[str, str] = {}
    size = parameters = 0
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors" if len(shards) > 1 else "model.safetensors"
        tensors = {name: tensor for source_name in names for name, tensor in _tensors(weights, source_name)}
        with atomic_path(target / file) as temporary:
            save_file(tensors, temporary, metadata={"format": "pt"})
            temporary.chmod(0o644)  # safetensors makes files that only their owner can read
        place |= dict.fromkeys(tensors, file)
        size += sum(tensor.nbytes for tensor in tensors.values())
        parameters += sum(tensor.numel() for tensor in tensors.values())
        done()
    if len(shards) > 1:
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(place.items()))}
        write_json(target / "model.safetensors.index.json", index)
    return parameters


def _refuse_others(config: dict[str, object], source: Path) -> None:
    kind, activation = config["model_type"], config.get("hidden_act", "relu2")
    where = str(source / "config.json")
    if kind == "llama":
        raise InputError("this is a Llama already", where=where, hint="leave out --as llama")
    if (kind, activation) != ("arcee", "silu"):
        what = (
            f"{kind!r} with activation {activation!r} has no exact Llama form: a Llama's MLP computes SiLU times a gate"
        )
        raise InputError(what, where=where, hint="leave out --as llama; its GGUF file and transformers compute it")
    if config.get("mlp_bias"):
        raise InputError("an Arcee model with mlp_bias is not supported", where=where, hint="leave out --as llama")


def _shards(weights: Weights) -> list[list[str]]:
    """Names of the source's tensors, dealt so that what becomes of them fits `SHARD_BYTES`."""
    shards: list[list[str]] = [[]]
    room = SHARD_BYTES
    for name in weights:
        size = sum(tensor.nbytes for _, tensor in _tensors(weights, name))
        if size > room and shards[-1]:
            shards.append([])
            room = SHARD_BYTES
        shards[-1].append(name)
        room -= size
    return shards


def _tensors(weights: Weights, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """What becomes of one tensor of the source."""
    tensor = weights.tensor(name)
    stem, _, last = name.rpartition(".mlp.")
    if last == "up_proj.weight":
        yield f"{stem}.mlp.gate_proj.weight", tensor
        yield f"{stem}.mlp.gate_proj.bias", tensor.new_zeros(len(tensor))
        yield f"{stem}.mlp.up_proj.weight", torch.zeros_like(tensor)
        yield f"{stem}.mlp.up_proj.bias", tensor.new_ones(len(tensor))
        return
    yield name, tensor
    if last == "down_proj.weight":
        yield f"{stem}.mlp.down_proj.bias", tensor.new_zeros(len(tensor))


def _llama_config(config: dict[str, object]) -> dict[str, object]:
    changed = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "mlp_bias": True}
    value: dict[str, Any] = json.loads(json.dumps(config)) | changed
    return value
