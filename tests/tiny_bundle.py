"""A model of some ten thousand weights with a real small tokenizer, for tests of inference, bundle and serving."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch

from igakulm.files import Doc, write_documents, write_json
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection, TokenizerSection
from igakulm.tokenizer.encode import TOKENIZER_FILES, TextEncoder

TEXTS = (
    "糖尿病の治療にはインスリンを用いることがある。食事と運動も大切である。",
    "高血圧症の患者は塩分を控え、{n}か月ごとに血圧を測る。体温は37.{n}℃であった。",
    "駅前の図書館は{n}時に開く。The bus number {n} goes to the park.\n雨の日は学生が多い。",
    "気管支喘息の発作では、吸入薬を使い、呼吸の音を聞く。夜に咳が出やすい。",
    "朝の市場では{n}番目の店が一番にぎやかだ。魚と野菜の匂いがして、子どもたちが走る。",
    "貧血の原因を調べるため、血液検査を行い、鉄の量と赤血球の大きさを確かめた。",
    "手術の後は痛みの強さを尋ね、傷の様子を毎日記録し、家族に説明する。",
)
SOURCES = {"ward": {"kind": "medical", "licences": ["CC0-1.0"], "documents": 27, "characters": 999}}


@functools.cache
def tokenizer_folder() -> Path:
    """A tokenizer built by the project's own builder, once for all tests of a process."""
    from igakulm.synth.lexicon import write_terms
    from igakulm.synth.term_lists import Term
    from igakulm.tokenizer.build_tokenizer import build_tokenizer

    folder = Path(tempfile.mkdtemp(prefix="igakulm-tests-"))
    texts = [text.format(n=n) for n in range(1, 10) for text in TEXTS]
    write_documents(folder / "corpus" / "documents", [Doc(f"d{i}", t, "ward", "CC0-1.0") for i, t in enumerate(texts)])
    write_json(folder / "corpus" / "sources.json", SOURCES)
    write_terms(folder / "lexicon" / "terms.tsv", [Term("糖尿病", "disease"), Term("高血圧症", "disease")])
    section = TokenizerSection(vocabulary_size=512, user_dictionary=False, required_characters="", workers=1, seed=0)
    (folder / "tokenizer").mkdir()
    build_tokenizer(section, folder / "corpus", folder / "lexicon", folder / "tokenizer", SilentProgress())
    kept = Path(tempfile.mkdtemp(prefix="igakulm-tests-"))
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    copy_tokenizer(folder / "tokenizer", kept)
    shutil.rmtree(folder)
    return kept


def copy_tokenizer(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def encoder() -> TextEncoder:
    return TextEncoder.load(tokenizer_folder())


def write_model(folder: Path, kind: str = "arcee", activation: str = "silu", seed: int = 0, **sizes: Any) -> Path:
    """Write a random model with tokenizer; `sizes` override config values. Weights are large enough to differ."""
    from transformers import (
        ArceeConfig,
        ArceeForCausalLM,
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        LlamaConfig,
        LlamaForCausalLM,
    )

    copy_tokenizer(tokenizer_folder(), folder)
    tokenizer = encoder()
    values: dict[str, Any] = {
        "vocab_size": tokenizer.size,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "hidden_act": activation,
        "initializer_range": 0.2,
        "bos_token_id": tokenizer.bos,
        "eos_token_id": tokenizer.eos,
        **sizes,
    }
    torch.manual_seed(seed)
    if kind == "arcee":
        model: Any = ArceeForCausalLM(ArceeConfig(**values))
    elif kind == "gemma3":
        values |= {"num_hidden_layers": 6, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 4, **sizes}
        values["hidden_activation"] = values.pop("hidden_act")
        model = Gemma3ForCausalLM(Gemma3TextConfig(**values))
    else:
        model = LlamaForCausalLM(LlamaConfig(**values))
    for parameter in model.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    model.save_pretrained(folder)
    return folder


def write_bundle(folder: Path, kinds: tuple[Any, ...] = (), **sizes: Any) -> Path:
    """A bundle of a random model, written by the export stage."""
    from igakulm.bundle.export import export

    model = write_model(folder.with_name(folder.name + "-model"), **sizes)
    folder.mkdir()
    export(ExportSection(gguf=kinds, name="tiny"), model, None, None, folder, SilentProgress())
    return folder
