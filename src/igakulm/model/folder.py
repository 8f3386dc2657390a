"""A trained model as a stock Hugging Face folder.

Does: fold the embedding scale, write safetensors, config and generation config, copy the tokenizer's files.
Does not: write GGUF or a model card (bundle does).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel

from igakulm.files import atomic_path
from igakulm.model.init import embedding_of, folded
from igakulm.model.presets import load_folder
from igakulm.tokenizer.encode import TEMPLATE_FILE
from igakulm.tokenizer.open import Encoder


def write_folder(
    model: PreTrainedModel, scale: float, encoder: Encoder, tokenizer_dir: Path, folder: Path, *, chat: bool
) -> None:
    """Write fp32 weights with the embedding scale folded in; any stock loader gives the training model's logits.

    Args:
        model: the model as trained (without the scale in its embedding).
        scale: factor on embeddings during training.
        encoder: for the ids of begin and end, and the names of the tokenizer's files.
        tokenizer_dir: its files are copied in.
        folder: where to.
        chat: whether the model knows the chat format; without, the chat template is left out (see `base.knows_chat`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    embedding = embedding_of(model).weight
    tensors = {}
    for name, weight in sorted(model.named_parameters()):
        tensor = folded(weight, scale) if weight is embedding and scale != 1.0 else weight.detach()
        tensors[name] = tensor.to("cpu", torch.float32).contiguous()
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
        temporary.chmod(0o644)  # safetensors makes files that only their owner can read
    config = stock_config(model.config)
    config.bos_token_id, config.eos_token_id = encoder.bos, encoder.eos
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    ends: Any = list(encoder.stops) if encoder.adopted else encoder.eos
    generation = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=encoder.bos, eos_token_id=ends, pad_token_id=encoder.eos, do_sample=False
    )
    generation.save_pretrained(folder)
    for name in encoder.files:
        if (tokenizer_dir / name).is_file() and (chat or name != TEMPLATE_FILE):
            shutil.copyfile(tokenizer_dir / name, folder / name)


def stock_config(config: PretrainedConfig) -> PretrainedConfig:
    """A copy without training's attention backend, with the cache switched on."""
    values = config.to_dict()
    values.pop("_attn_implementation", None)
    values["use_cache"] = True
    copy = type(config).from_dict(values)
    copy.dtype = torch.float32
    return copy


@torch.no_grad()
def continue_greedily(folder: Path, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[list[int]]:
    """Greedy continuations of a written folder, as stock transformers make them; also proves that it loads."""
    model: Any = load_folder(folder)
    model.eval()
    outputs = []
    for prompt in prompts:
        ids = torch.tensor([list(prompt)])
        result = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False)
        outputs.append([int(token) for token in result[0, len(prompt) :]])
    return outputs
