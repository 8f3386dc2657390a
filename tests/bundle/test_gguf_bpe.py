"""GGUF files of models that bring their own BPE tokenizer: written where llama.cpp cuts text alike, else refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from foreign_tokenizers import byte_level, metaspace
from igakulm.bundle.gguf import write_gguf
from igakulm.bundle.gguf_bpe import PATTERNS
from igakulm.bundle.gguf_check import check_gguf
from igakulm.bundle.predictions import compare_predictions, compare_reading, original_predictions, refuse_divergence
from igakulm.errors import InputError
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.tokenizer.adopt import adopt
from igakulm.tokenizer.open import load_encoder

TEXTS = (
    "糖尿病の治療に A B C を使う。\n\n答え：A\n",
    "hello world 123、体温38.5℃  と  血圧120/80。",
    "It's 2026; 囊胞性 <|im_end|> </s> 🫀",
    "  two spaces\tand a tab\r\n",
)
llamacpp = pytest.mark.skipif(not available(), reason="needs xllamacpp")


def adopted_model(tmp_path: Path, make: Callable[..., Path], model_type: str, edit: Any = None) -> Path:
    """A random model with an adopted tokenizer; `edit` changes tokenizer.json before it is adopted."""
    source = make(tmp_path / "source")
    if edit:
        value = json.loads((source / "tokenizer.json").read_text())
        edit(value)
        (source / "tokenizer.json").write_text(json.dumps(value))
    folder = tmp_path / "model"
    adopt(source, folder)
    encoder = load_encoder(folder)
    sizes: dict[str, Any] = {
        "vocab_size": encoder.size + 5,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
        "bos_token_id": encoder.bos,
        "eos_token_id": encoder.eos,
    }
    torch.manual_seed(0)
    model: Any = Qwen2ForCausalLM(Qwen2Config(**sizes)) if model_type == "qwen2" else None
    model = model or LlamaForCausalLM(LlamaConfig(**sizes))
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    model.save_pretrained(folder)
    return folder


def split_by(pattern: str) -> Callable[[dict[str, Any]], None]:
    def edit(value: dict[str, Any]) -> None:
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
        value["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, byte]}

    return edit


LLAMA3, QWEN2 = PATTERNS
CASES = [
    (byte_level, "llama", None, "gpt2", "gpt-2"),
    (byte_level, "llama", split_by(LLAMA3), "gpt2", "llama-bpe"),
    (byte_level, "qwen2", split_by(QWEN2), "gpt2", "qwen2"),
    (metaspace, "llama", None, "llama", "default"),
]


@llamacpp
@pytest.mark.parametrize(("make", "model_type", "edit", "model", "before"), CASES)
def test_llama_cpp_reads_and_computes_alike(
    tmp_path: Path, make: Callable[..., Path], model_type: str, edit: Any, model: str, before: str
) -> None:
    folder, path = adopted_model(tmp_path, make, model_type, edit), tmp_path / "m.gguf"
    result = write_gguf(folder, path, "f32", "tiny")
    assert result["architecture"] == model_type and result["padded_vocabulary"] == 5
    assert check_gguf(path, folder, "f32")["largest_error"] == 0
    fields = gguf.GGUFReader(path).fields
    assert fields["tokenizer.ggml.model"].contents() == model
    assert fields["tokenizer.ggml.pre"].contents() == before
    encoder = load_encoder(folder)
    assert ("tokenizer.ggml.bos_token_id" in fields) == (encoder.bos is not None)
    prompt = [*encoder.begin, *encoder.encode(TEXTS[0])]
    with LlamaCppEngine(path, precise=True) as engine:
        compared = compare_predictions(original_predictions(folder, [prompt]), engine)
    refuse_divergence(compared, "f32", path)
    read = compare_reading(path, encoder, TEXTS)
    assert read["texts"] == 4
    if make is byte_level:
        assert read["equal"] == 4


def test_unknown_rules_are_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = adopted_model(tmp_path, byte_level, "llama", split_by(r"\p{L}+|\s+"))
    with pytest.raises(InputError, match="no known rule that cuts text") as caught:
        write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    assert "--engine transformers" in str(caught.value) and not (tmp_path / "m.gguf").exists()


def without_a_byte(value: dict[str, Any]) -> None:
    number = value["model"]["vocab"].pop("<0x41>")
    value["model"]["vocab"]["<0x41"] = number


def hole(value: dict[str, Any]) -> None:
    last = max(value["model"]["vocab"], key=value["model"]["vocab"].__getitem__)
    value["model"]["vocab"][last] += 1


@pytest.mark.parametrize(("edit", "reason"), [(without_a_byte, "lacks 1 of the 256 bytes"), (hole, "hole")])
def test_vocabularies_that_llama_cpp_aborts_on(tmp_path: Path, edit: Any, reason: str) -> None:
    folder = adopted_model(tmp_path, metaspace, "llama")
    value = json.loads((folder / "tokenizer.json").read_text())
    edit(value)
    (folder / "tokenizer.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=reason):
        write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
