"""The stage `pretrain`: packed rows to a base model (sections 2.3, 2.4.1).

Does: build or load the starting model, run the loop, write the stock folder, metrics and a few continuations.
Does not: hold the loop itself (loop.py) or score benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from igakulm.errors import InputError
from igakulm.files import sha256_file, write_json
from igakulm.model import init
from igakulm.model.folder import continue_greedily, write_folder
from igakulm.model.objective import Objective
from igakulm.model.presets import load_folder, model_config, new_model
from igakulm.progress import Progress
from igakulm.recipe.schema import ModelSection, TrainSection
from igakulm.tokenizer.encode import TOKENIZER_FILE, TextEncoder
from igakulm.training.batch import Row
from igakulm.training.loop import History, Job, Validation, identity_of, train
from igakulm.training.packed import PackedRows

PROMPTS = ("糖尿病は、", "高血圧の治療では、", "朝起きて、")
SAMPLE_TOKENS = 48
VALIDATION_TOKENS = 200_000
"""Validation reads at most this many tokens, or two steps' worth where that is more."""


def pretrain(
    model: ModelSection,
    train_section: TrainSection,
    packed_dir: Path,
    tokenizer_dir: Path,
    out_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Train a base model; after a kill the same call goes on from `out_dir/checkpoints`.

    Writes `model/` (stock folder, scale folded), `checkpoints/`, `metrics.json`, `logs/steps.jsonl`.

    Raises:
        InputError: rows of another tokenizer, damaged rows, impossible sizes, a checkpoint of other settings,
            a loss that became NaN.
    """
    encoder = TextEncoder.load(tokenizer_dir)
    rows = PackedRows.open(packed_dir / "train", encoder.sha256)
    held_out = PackedRows.open(packed_dir / "valid", encoder.sha256)
    start, scale = starting_model(model, encoder, rows.sequence_length, train_section.seed or 0, progress)
    if train_section.warmup_steps >= train_section.steps:
        progress.say(f"warm-up ({train_section.warmup_steps} steps) lasts as long as the training itself")
    step_tokens = train_section.global_batch * rows.sequence_length
    job = Job(
        name="pretrain",
        objective=Objective(start, scale=scale, dropout=model.dropout, bf16=train_section.precision == "bf16"),
        rows=rows,
        section=train_section,
        token_budget=train_section.micro_batch * rows.sequence_length,
        folder=out_dir,
        identity=identity_of(
            train_section, data=rows.fingerprint, tokenizer=encoder.sha256, model=model.model_dump(mode="json")
        ),
        validation=validation_of(held_out, max(VALIDATION_TOKENS, 2 * step_tokens)),
    )
    history = train(job, progress)
    write_folder(start, scale, encoder, tokenizer_dir, out_dir / "model", chat=False)
    return write_metrics(out_dir, start, train_section, history, _samples(out_dir / "model", encoder))


def _samples(folder: Path, encoder: TextEncoder) -> list[dict[str, Any]]:
    prompts = [[encoder.bos, *encoder.encode(text)] for text in PROMPTS]
    answers = continue_greedily(folder, prompts, SAMPLE_TOKENS)
    return [{"prompt": prompt, "text": encoder.decode(ids)} for prompt, ids in zip(PROMPTS, answers, strict=True)]


def starting_model(
    section: ModelSection, encoder: TextEncoder, sequence_length: int, seed: int, progress: Progress
) -> tuple[PreTrainedModel, float]:
    """A new model with section 2.3's weights, or the model of `from_folder`; and the factor on its embeddings.

    A folder with another tokenizer keeps its layers and gets a new embedding and head for ours.
    """
    if section.from_folder is None:
        config = model_config(section, encoder.base_size, sequence_length, bos=encoder.bos, eos=encoder.eos)
        model = new_model(config)
        init.initialise(model, seed)
        return model, init.embedding_scale(config.hidden_size) if section.scaled_embedding else 1.0
    folder = Path(section.from_folder)
    model = load_folder(folder)
    tokenizer = folder / TOKENIZER_FILE
    if not tokenizer.is_file() or sha256_file(tokenizer) != encoder.sha256:
        progress.say(f"{folder} has another tokenizer: its embedding and head are replaced by new ones for ours")
        init.replace_vocabulary(model, encoder.base_size, seed)
    elif model.config.vocab_size < encoder.base_size:
        raise InputError(
            f"the model has {model.config.vocab_size} entries and its tokenizer {encoder.base_size}", where=str(folder)
        )
    return model, 1.0


def validation_of(rows: PackedRows, most_tokens: int) -> Validation | None:
    """The first validation rows up to `most_tokens` tokens, with their share of the split's text bytes."""
    chosen: list[Row] = []
    tokens = 0
    for number in range(len(rows)):
        if tokens >= most_tokens:
            break
        chosen.append(rows.row(number))
        tokens += len(chosen[-1].tokens)
    if not chosen:
        return None
    return Validation(chosen, rows.index["text_bytes"] * tokens / rows.index["tokens"])


def write_metrics(
    out_dir: Path,
    model: PreTrainedModel,
    section: TrainSection,
    history: History,
    samples: Sequence[dict[str, Any]],
    **others: Any,
) -> dict[str, Any]:
    """Write metrics.json; return what goes into the manifest."""
    summary = {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "steps": section.steps,
        "tokens": history.tokens,
        "loss_tokens": history.loss_tokens,
        "loss_first": history.loss_first,
        "loss_last": history.loss_last,
        **others,
    }
    write_json(out_dir / "metrics.json", {**summary, "validation": history.validation, "samples": list(samples)})
    return summary
