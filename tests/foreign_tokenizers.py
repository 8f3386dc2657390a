"""Tokenizers as foreign models bring them, trained in a moment: byte-level BPE, and BPE in the way of sentencepiece."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = (
    "糖尿病の治療に A B C を使う。\n\n答え：A\n",
    "hello world 123 。高血圧症の患者は塩分を控える。",
    "A B\nC\n",
) * 5
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
STRICT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '[' + m['role'] + ']' + m['content'] + ('</s>' if m['role'] == 'assistant' else '') }}{% endfor %}"
)


def byte_level(folder: Path, template: str | None = CHATML, reserved: int = 0) -> Path:
    """As in Qwen: no begin token, an end of turn that no configuration file names."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|reserved_{n}|>" for n in range(reserved))]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return _write(tokenizer, folder, template, eos_token="<|endoftext|>", additional_special_tokens=special[1:])


def metaspace(folder: Path, template: str | None = None) -> Path:
    """As in Llama 2: a begin token before, and a space put before every text."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    described = json.loads(tokenizer.to_str())
    vocabulary = described["model"]["vocab"]
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    tokenizer = Tokenizer.from_str(json.dumps(described))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _write(tokenizer, folder, template, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def _write(tokenizer: Tokenizer, folder: Path, template: str | None, **tokens: str | list[str]) -> Path:
    loader: Any = PreTrainedTokenizerFast
    stock = loader(tokenizer_object=tokenizer, **tokens)
    stock.chat_template = template
    stock.save_pretrained(folder)
    return folder
