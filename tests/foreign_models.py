"""Open models as others publish them: random weights of any stock class beside a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer


def open_model(folder: Path, kind: str, spare: int = 0, **sizes: Any) -> Path:
    """Random weights beside a tokenizer; `spare` rows more than it has entries."""
    loader: Any = AutoTokenizer
    tokenizer = loader.from_pretrained(folder)
    values = {
        "vocab_size": len(tokenizer) + spare,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 1024,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
    }
    torch.manual_seed(0)
    maker: Any = AutoModelForCausalLM
    maker.from_config(AutoConfig.for_model(kind, **{**values, **sizes})).save_pretrained(folder)
    return folder
