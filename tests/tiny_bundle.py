"""A model of a few thousand weights with a hand-made Unigram tokenizer, for tests of inference, bundle and serving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
WORDS = [
    "▁",
    "糖尿病",
    "インスリン",
    "高血圧",
    "薬",
    "は",
    "の",
    "を",
    "。",
    "、",
    "a",
    "b",
    "c",
    "A",
    "B",
    "C",
    "D",
    "1",
    "2",
]
PIECES = ["<unk>", "<|begin_of_text|>", "<|end_of_text|>", "\n", *(f"<0x{n:02X}>" for n in range(256)), *WORDS]
CHAT = ["<|system|>", "<|user|>", "<|assistant|>"]
BASE_SIZE = len(PIECES)


def write_tokenizer(folder: Path) -> int:
    """Write tokenizer.json and its settings; return the number of entries."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

    never = -1e4
    scores = [never] * 3 + [-3.0] + [never] * 256 + [-2.0 - 0.1 * n for n in range(len(WORDS))]
    tokenizer = Tokenizer(models.Unigram(list(zip(PIECES, scores, strict=True)), unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<unk>", *CHAT]
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|end_of_text|>",
        "unk_token": "<unk>",
        "model_max_length": 256,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return int(tokenizer.get_vocab_size())


def write_model(folder: Path, kind: str = "arcee", activation: str = "silu", seed: int = 0, **sizes: Any) -> Path:
    """Write a random model with tokenizer; `sizes` override config values. Weights are large enough to differ."""
    from transformers import ArceeConfig, ArceeForCausalLM, LlamaConfig, LlamaForCausalLM

    entries = write_tokenizer(folder)
    values: dict[str, Any] = {
        "vocab_size": entries,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "hidden_act": activation,
        "initializer_range": 0.2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        **sizes,
    }
    torch.manual_seed(seed)
    if kind == "arcee":
        model: Any = ArceeForCausalLM(ArceeConfig(**values))
    else:
        model = LlamaForCausalLM(LlamaConfig(**values))
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    model.save_pretrained(folder)
    return folder
