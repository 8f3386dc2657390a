"""Every key of packing, model and training has an effect: two values, one tiny training, another result.

`tests/recipe/test_every_key.py` knows which test is for which key, and that it fails when code ignores the key.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from igakulm.errors import InputError
from igakulm.files import Doc, read_json, write_documents, write_json
from igakulm.model import init
from igakulm.model.folder import write_folder
from igakulm.model.presets import model_config, new_model
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import (
    BenchmarksSection,
    FinetuneSection,
    ModelSection,
    PackSection,
    RowTask,
    TrainSection,
)
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training.finetune import finetune
from igakulm.training.pack import build_packed
from igakulm.training.packed import PackedRows
from igakulm.training.pretrain import pretrain
from small_training import run

QUIET = SilentProgress()
SHAPE: dict[str, Any] = {"preset": None, "hidden_size": 32, "layers": 1, "heads": 2, "key_value_heads": 1}
STEPS: dict[str, Any] = {
    "steps": 3,
    "global_batch": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 1,
    "checkpoint_every": 1,
    "validate_every": 2,
    "precision": "fp32",
    "seed": 0,
}


def digest(*weights: dict[str, torch.Tensor]) -> str:
    whole = hashlib.sha256()
    for group in weights:
        for name, weight in sorted(group.items()):
            whole.update(name.encode() + bytes(weight.contiguous().view(torch.uint8).numpy()))
    return whole.hexdigest()


LEARNT: tuple[tuple[str, object, dict[str, Any]], ...] = (
    ("steps", 3, {}),
    ("global_batch", 5, {}),
    ("learning_rate", 1e-3, {}),
    ("min_learning_rate", 1e-3, {}),
    ("warmup_steps", 0, {}),
    ("schedule", "wsd", {}),
    ("decay_share", 1.0, {"schedule": "wsd"}),
    ("beta1", 0.5, {}),
    ("beta2", 0.5, {}),
    ("weight_decay", 0.5, {}),
    ("clip", 1e-3, {}),
    ("precision", "bf16", {}),
    ("seed", 2, {}),
)
LOOP: dict[str, Any] = {"steps": 4, "warmup_steps": 1, "checkpoint_every": 9, "validate_every": 9}


@pytest.mark.parametrize(("key", "value", "others"), LEARNT)
def test_what_is_learnt(key: str, value: object, others: dict[str, Any], tmp_path: Path) -> None:
    usual, _ = run(tmp_path / "usual", **{**LOOP, **others})
    changed, _ = run(tmp_path / "changed", **{**LOOP, **others, key: value})
    assert digest(usual) != digest(changed)


def test_clipping_bounds_the_step(tmp_path: Path) -> None:
    """Adam divides by the gradient's size, so only a step from one large to small gradients shows it in weights; the
    first moment shows it at once: it is at most (1 - beta1) times the bound after one step."""
    run(tmp_path, steps=1, checkpoint_every=1, warmup_steps=0, clip=1e-3)
    moments = load_file(tmp_path / "checkpoints" / "step-0000001" / "optimizer.safetensors")
    first = [tensor for name, tensor in moments.items() if name.startswith("exp_avg.")]
    norm = float(torch.sqrt(sum((tensor.double() ** 2).sum() for tensor in first)))  # type: ignore[arg-type]
    assert norm == pytest.approx(0.1 * 1e-3, rel=1e-3)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    texts = ["痛みと発熱がある。" * 3, "薬をのむ。\n水ものむ。", "眠れない夜がつづく。" * 9]
    documents = [Doc(f"d{n}", texts[n % 3] + str(n), "books" if n % 4 else "web", "CC0") for n in range(40)]
    write_documents(tmp_path / "corpus" / "documents", documents)
    kinds = {"books": "medical", "web": "general"}
    write_json(
        tmp_path / "corpus" / "sources.json", {name: {"kind": kind, "characters": 1} for name, kind in kinds.items()}
    )
    return tmp_path / "corpus"


def pack(corpus: Path, tokenizer: Path, out: Path, **keys: Any) -> Path:
    out.mkdir()
    usual = {"sequence_length": 48, "validation_share": 0.2, "workers": 1, "seed": 0}
    build_packed(PackSection.model_validate({**usual, **keys}), corpus, tokenizer, out, QUIET)
    return out


def rows(folder: Path, tokenizer: Path) -> list[tuple[list[int], tuple[int, ...]]]:
    """Tokens and lengths of the documents of every row, as training reads them."""
    known = TextEncoder.load(tokenizer).sha256
    opened = [PackedRows.open(folder / split, known) for split in ("train", "valid")]
    read = [split.row(number) for split in opened for number in range(len(split))]
    return [(row.tokens.tolist(), row.lengths) for row in read]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sequence_length", 64),
        ("method", "concatenate"),
        ("restart_positions", False),
        ("validation_share", 0.4),
        ("medical_repeats", 2),
        ("max_tokens", 200),
        ("seed", 1),
    ],
)
def test_packing(key: str, value: object, corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    usual = pack(corpus, tokenizer, tmp_path / "usual")
    changed = pack(corpus, tokenizer, tmp_path / "changed", **{key: value})
    assert rows(usual, tokenizer) != rows(changed, tokenizer)


USUAL: list[str] = []


def based(folder: Path, packed: Path, tokenizer: Path, shape: dict[str, Any], **keys: Any) -> dict[str, torch.Tensor]:
    section = TrainSection.model_validate({**STEPS, **keys})
    pretrain(ModelSection.model_validate({**SHAPE, **shape}), section, packed, tokenizer, folder, QUIET)
    return load_file(folder / "model" / "model.safetensors")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", 48),
        ("intermediate_size", 40),
        ("layers", 2),
        ("heads", 4),
        ("key_value_heads", 2),
        ("activation", "relu2"),
        ("rms_norm_eps", 1e-2),
        ("rope_theta", 100.0),
        ("dropout", 0.0),
        ("scaled_embedding", False),
        ("pad_vocabulary", False),
    ],
)
def test_the_model(key: str, value: object, corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    packed = pack(corpus, tokenizer, tmp_path / "packed")
    if not USUAL:  # the same for all keys
        USUAL.append(digest(based(tmp_path / "usual", packed, tokenizer, {})))
    assert [digest(based(tmp_path / "changed", packed, tokenizer, {key: value}))] != USUAL


def test_a_preset_fills_the_sizes() -> None:
    sizes = {name: model_config(ModelSection(preset=name), 512, 64, bos=1, eos=2).hidden_size for name in PRESETS}
    assert len(set(sizes.values())) == len(PRESETS)


PRESETS: tuple[Any, ...] = ("small-110m", "tiny", "paper-1b")


def test_pretraining_obeys_what_the_stage_itself_reads(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    packed = pack(corpus, tokenizer, tmp_path / "packed")
    usual = based(tmp_path / "usual", packed, tokenizer, {})
    for key, value in (("precision", "bf16"), ("seed", 1), ("micro_batch", 1)):
        assert digest(usual) != digest(based(tmp_path / key, packed, tokenizer, {}, **{key: value})), key


@pytest.fixture
def base(tokenizer: Path, tmp_path: Path) -> Path:
    encoder = TextEncoder.load(tokenizer)
    model = new_model(model_config(ModelSection.model_validate(SHAPE), encoder.base_size, 64, bos=1, eos=2))
    init.initialise(model, 0)
    write_folder(model, init.embedding_scale(32), encoder, tokenizer, tmp_path / "base" / "model", chat=False)
    return tmp_path / "base"


def write_rows(folder: Path) -> tuple[RowTask, Path]:
    """Rows of one task, some of which share a document with its test items, and a file of conversations."""
    choices = ["ある", "ない"]
    test: dict[str, Any] = {"id": "t", "document": "ＣＲＰ　１．２、咳の記録1", "choices": choices, "answer": ["A"]}
    texts = [f"ＣＲＰ　１．２、咳の記録{number % 7}" for number in range(12)]
    train = [{**test, "id": f"{n}", "document": text, "answer": ["AB"[n % 2]]} for n, text in enumerate(texts)]
    train[8]["document"] += "長い" * 40
    parts = {"test": [test], "train": train}
    for name, lines in parts.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    turns = [{"role": "user", "content": "頭痛がします"}, {"role": "assistant", "content": "休んでください"}]
    (folder / "chats.jsonl").write_text(json.dumps({"messages": turns}, ensure_ascii=False) + "\n", encoding="utf-8")
    task = RowTask(
        name="cough", kind="classification", train=str(folder / "train.jsonl"), test=str(folder / "test.jsonl")
    )
    return task, folder / "chats.jsonl"


@pytest.fixture
def tuned(base: Path, tokenizer: Path, tmp_path: Path) -> Any:
    """Tune with some keys; the weights, and what the stage says of its rows."""
    task, chats = write_rows(tmp_path)

    def tune(name: str, **keys: Any) -> tuple[str, Any]:
        if keys.pop("chats", 0):
            keys["chats"] = [{"path": str(chats), "repeats": keys.pop("repeats", 1)}]
        section = FinetuneSection.model_validate({**STEPS, "max_length": 80, **keys})
        benchmarks = BenchmarksSection(rows=(task,))
        finetune(ModelSection.model_validate(SHAPE), section, benchmarks, base, tokenizer, tmp_path / name, QUIET)
        metrics = read_json(tmp_path / name / "metrics.json")
        return digest(load_file(tmp_path / name / "model" / "model.safetensors")), metrics["validation"]

    return tune


@pytest.mark.parametrize(
    ("key", "value", "others"),
    [
        ("neftune_alpha", 0.0, {}),
        ("dropout", 0.0, {}),
        ("max_length", 200, {}),
        ("split", "document-disjoint", {}),
        ("preparation", "raw", {}),
        ("chats", 1, {}),
        ("repeats", 3, {"chats": 1}),
        ("validation_share", 0.3, {}),
        ("precision", "bf16", {}),
        ("seed", 1, {}),
        ("micro_batch", 1, {}),
        ("epochs", 2.0, {}),
        ("loss", "row", {"chats": 1}),
        ("sampling", "equal", {"chats": 1}),
        ("sampling_temperature", 9.0, {"chats": 1, "sampling": "temperature"}),
        ("weights", {"chats": 9.0}, {"chats": 1}),
        ("class_balance", 1.0, {}),
        ("class_sampling", 1.0, {}),
        ("early_stopping", 1, {"validation_share": 0.3, "validate_every": 1, "learning_rate": 0.1}),
        ("method", "lora", {}),
        ("lora_rank", 2, {"method": "lora"}),
        ("lora_alpha", 4.0, {"method": "lora"}),
        ("lora_dropout", 0.5, {"method": "lora"}),
        ("freeze_embeddings", True, {}),
    ],
)
def test_tuning(key: str, value: object, others: dict[str, Any], tuned: Any) -> None:
    usual = tuned("usual", **others)
    assert usual != tuned("changed", **{**others, key: value})


def test_an_objective_that_is_not_there_is_named(tuned: Any) -> None:
    with pytest.raises(InputError, match="did you mean 'answers'"):
        tuned("other", objective="answer")
