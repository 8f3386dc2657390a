"""GGUF files: what is written, and what is refused because a runtime would load it wrongly."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from hypothesis import given
from hypothesis import strategies as st

from igakulm.bundle.gguf import write_gguf
from igakulm.bundle.gguf_layout import permute_rows
from igakulm.bundle.weights import Weights
from igakulm.errors import InputError
from tiny_bundle import encoder, write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


def changed(tmp_path: Path, name: str, change: Callable[[dict[str, Any]], None], **sizes: Any) -> Path:
    folder = write_model(tmp_path / "model", **sizes)
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))
    return folder


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_rotation_pairs_become_neighbours(heads: int, half: int, width: int) -> None:
    rows = np.arange(heads * 2 * half * width).reshape(heads * 2 * half, width)
    moved = permute_rows(rows, heads)
    for head in range(heads):
        for pair in range(half):
            start = head * 2 * half
            assert (moved[start + 2 * pair] == rows[start + pair]).all()
            assert (moved[start + 2 * pair + 1] == rows[start + half + pair]).all()


def test_metadata_and_one_expert_form(folder: Path, tmp_path: Path) -> None:
    result = write_gguf(folder, tmp_path / "m.gguf", "bf16", "名前")
    assert (result["architecture"], result["encoding"]) == ("llama", "one-expert")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    contents = {key: field.contents() for key, field in reader.fields.items()}
    tiny = encoder()
    assert contents["general.name"] == "名前"
    assert contents["llama.expert_count"] == contents["llama.expert_used_count"] == 1
    assert contents["tokenizer.ggml.model"] == "t5"
    assert contents["tokenizer.ggml.bos_token_id"] == tiny.bos
    assert contents["tokenizer.ggml.eos_token_id"] == tiny.eos
    assert contents["tokenizer.ggml.unknown_token_id"] == tiny.unk
    assert contents["tokenizer.ggml.tokens"].count("\n") == 1
    assert not any(" " in piece for piece in contents["tokenizer.ggml.tokens"])
    kinds = contents["tokenizer.ggml.token_type"]
    control = {tiny.bos, tiny.eos, tiny.system, tiny.user, tiny.assistant}
    assert {number for number, kind in enumerate(kinds) if kind == gguf.TokenType.CONTROL} == control
    assert kinds.count(gguf.TokenType.BYTE) == 256 and kinds[tiny.unk] == gguf.TokenType.UNKNOWN
    assert "generation %}" not in contents["tokenizer.chat_template"].replace("add_generation_prompt", "")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    assert not tensors["blk.0.ffn_gate_inp.weight"].data.any()
    assert tensors["blk.0.ffn_up_exps.weight"].shape.tolist() == [64, 96, 1]
    assert tensors["blk.0.attn_q.weight"].tensor_type == Type.BF16
    assert tensors["blk.0.attn_norm.weight"].tensor_type == Type.F32
    assert not any("ffn_gate_exps" in name for name in tensors)


def test_rows_that_q8_cannot_hold_are_f16(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", intermediate_size=80)
    result = write_gguf(folder, tmp_path / "m.gguf", "q8_0", "tiny")
    types = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert types["blk.0.ffn_down_exps.weight"] == Type.F16
    assert types["blk.0.ffn_up_exps.weight"] == types["token_embd.weight"] == Type.Q8_0
    assert result["tensors"]["F16"] == 2


def test_the_same_model_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for name in "ab":
        write_gguf(folder, tmp_path / name, "q8_0", "tiny")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_vocabulary_is_padded_with_unused_pieces(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", vocab_size=encoder().size + 5)
    assert write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")["padded_vocabulary"] == 5
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    assert fields["tokenizer.ggml.token_type"].contents()[-5:] == [gguf.TokenType.UNUSED] * 5
    pieces = fields["tokenizer.ggml.tokens"].contents()
    assert len(set(pieces)) == len(pieces) == encoder().size + 5


GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "sliding_window": 4, "rope_parameters": None, "head_dim": 16}
CONFIGS: dict[str, dict[str, Any]] = {
    "activation 'gelu'": {"hidden_act": "gelu"},
    "no GGUF architecture": {"model_type": "gemma"},
    "another layer_types": {"model_type": "gemma3_text", **GEMMA, "layer_types": ["full_attention"] * 2},
    "another query_pre_attn_scalar": {"model_type": "gemma3_text", **GEMMA, "query_pre_attn_scalar": 99},
    "another final_logit_softcapping": {"model_type": "gemma3_text", **GEMMA, "final_logit_softcapping": 30.0},
    "another rope_local_base_freq": {"model_type": "gemma3_text", **GEMMA, "rope_local_base_freq": 5.0},
    "attention_bias": {"attention_bias": True},
    "mlp_bias": {"mlp_bias": True},
    "use_sliding_window": {"model_type": "qwen2", "use_sliding_window": True},
    "'llama3' needs factor": {"rope_parameters": {"rope_type": "llama3", "rope_theta": 10_000.0}},
    "RoPE variant 'yarn'": {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0}},
    "RoPE variant 'linear'": {"rope_scaling": {"type": "linear", "factor": 2.0}},
    "only 100 embeddings": {"vocab_size": 100},
    "bos is id 1": {"bos_token_id": 7},
    "has shape": {"num_key_value_heads": 4},
}


@pytest.mark.parametrize("reason", list(CONFIGS))
def test_what_a_runtime_would_compute_wrongly_is_refused(tmp_path: Path, reason: str) -> None:
    folder = changed(tmp_path, "config.json", lambda value: value.update(CONFIGS[reason]))
    with pytest.raises(InputError, match=reason):
        write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    assert not list(tmp_path.glob("*m.gguf*"))


def double_newline(value: dict[str, Any]) -> None:
    value["model"]["vocab"][300][0] = "\n"


def hole(value: dict[str, Any]) -> None:
    value["added_tokens"][-1]["id"] += 1


def other_kind(value: dict[str, Any]) -> None:
    value["model"]["type"] = "WordPiece"


def far_unknown(value: dict[str, Any]) -> None:
    value["model"]["unk_id"] = 99_999


def contradiction(value: dict[str, Any]) -> None:
    value["added_tokens"][0]["content"] = "<s>"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (double_newline, "twice"),
        (hole, "hole"),
        (other_kind, "WordPiece"),
        (far_unknown, "unknown token is id 99999"),
        (contradiction, "added_tokens"),
    ],
)
def test_tokenizers_that_llama_cpp_cannot_hold(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    folder = changed(tmp_path, "tokenizer.json", change)
    with pytest.raises(InputError, match=reason):
        write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")


def test_theta_of_older_configurations(tmp_path: Path) -> None:
    def old_form(value: dict[str, Any]) -> None:
        del value["rope_parameters"]
        value |= {"rope_theta": 5000.0, "rope_scaling": None}

    folder = changed(tmp_path, "config.json", old_form)
    write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    assert gguf.GGUFReader(tmp_path / "m.gguf").fields["llama.rope.freq_base"].contents() == 5000.0


def test_f32_holds_the_weights_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
    stored = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    weights = Weights(folder)
    assert (stored["output.weight"] == weights.array("lm_head.weight")).all()
    assert (stored["blk.1.attn_v.weight"] == weights.array("model.layers.1.self_attn.v_proj.weight")).all()
    assert (stored["blk.1.ffn_down_exps.weight"][0] == weights.array("model.layers.1.mlp.down_proj.weight")).all()


def test_tensors_that_no_configuration_explains_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "biased", "llama", attention_bias=True)
    value = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(value | {"attention_bias": False}))
    with pytest.raises(InputError, match=r"8 tensors that config.json does not explain: .*k_proj\.bias"):
        write_gguf(folder, tmp_path / "m.gguf", "f32", "tiny")
