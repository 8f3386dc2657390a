"""The stage `pretrain`: packed rows to a base model (sections 2.3, 2.4.1).

Does: build or load the starting model, run the loop, write the stock folder, metrics and a few continuations.
Does not: hold the loop itself (loop.py) or score benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.model import init
from igakulm.model.base import knows_chat, load_base
from igakulm.model.batch import Row
from igakulm.model.exact import refuse_inexact
from igakulm.model.folder import continue_greedily, write_folder
from igakulm.model.objective import Objective
from igakulm.model.presets import model_config, new_model, vocabulary_rows
from igakulm.progress import Progress
from igakulm.recipe.schema import ModelSection, TrainSection
from igakulm.tasks.layouts import TASKS_FILE, write_tasks
from igakulm.text.preparation import write_preparation
from igakulm.tokenizer.base_source import find_base, vocabulary_sha256
from igakulm.tokenizer.open import Encoder, load_encoder, refuse_other_reading
from igakulm.training.fit import device_peak, say_warnings
from igakulm.training.loop import History, Job, Validation, identity_of, train
from igakulm.training.model_size import size_of_model
from igakulm.training.packed import PackedRows
from igakulm.training.samples import continue_in_training
from igakulm.training.world import current_world

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
) -> dict[str, object]:
    """Train a base model; after a kill the same call goes on from `out_dir/checkpoints`.

    Writes `model/` (stock folder, scale folded; `preparation.json`, and `tasks.json` without a task), `checkpoints/`,
    `metrics.json`, `logs/steps.jsonl`.

    Raises:
        InputError: rows of another tokenizer, damaged rows, impossible sizes, a checkpoint of other settings,
            a loss that became NaN.
    """
    encoder = load_encoder(tokenizer_dir)
    rows = PackedRows.open(packed_dir / "train", encoder.sha256)
    held_out = PackedRows.open(packed_dir / "valid", encoder.sha256)
    start, scale = starting_model(model, encoder, rows.sequence_length, train_section.seed or 0, progress)
    if encoder.adopted or start.config.model_type != "arcee":
        refuse_other_reading(encoder, start.config.model_type)
    if train_section.warmup_steps >= train_section.steps:
        progress.say(f"warm-up ({train_section.warmup_steps} steps) lasts as long as the training itself")
    step_tokens = train_section.global_batch * rows.sequence_length
    objective = Objective(start, scale=scale, dropout=model.dropout, bf16=train_section.precision == "bf16")
    job = Job(
        name="pretrain",
        objective=objective,
        rows=rows,
        section=train_section,
        token_budget=train_section.micro_batch * rows.sequence_length,
        folder=out_dir,
        identity=identity_of(
            train_section, data=rows.fingerprint, tokenizer=encoder.sha256, model=model.model_dump(mode="json")
        ),
        validation=validation_of(held_out, max(VALIDATION_TOKENS, 2 * step_tokens)),
        samples=partial(_samples_now, objective, encoder),
        flops_per_token=size_of_model(start).flops_per_token(rows.sequence_length),
        peak_flops=device_peak(current_world().device()),
    )
    say_warnings(size_of_model(start), train_section, rows.sequence_length, out_dir, progress)
    history = train(job, progress)
    if not current_world().leads:
        return {}
    folder = out_dir / "model"
    write_folder(start, scale, encoder, tokenizer_dir, folder, chat=starts_with_chat(model, encoder))
    write_preparation(folder, "cleaned")  # what the packed rows are made of
    write_tasks(folder / TASKS_FILE, [])
    return write_metrics(out_dir, start, train_section, history, _samples(out_dir / "model", encoder))


def _samples(folder: Path, encoder: Encoder) -> list[dict[str, object]]:
    return _sample_rows(encoder, continue_greedily(folder, _sample_prompts(encoder), SAMPLE_TOKENS))


def _samples_now(objective: Objective, encoder: Encoder) -> list[dict[str, object]]:
    prompts = _sample_prompts(encoder)
    return _sample_rows(encoder, continue_in_training(objective, prompts, SAMPLE_TOKENS, vocabulary=encoder.base_size))


def _sample_prompts(encoder: Encoder) -> list[list[int]]:
    return [[*encoder.begin, *encoder.encode(text)] for text in PROMPTS]


def _sample_rows(encoder: Encoder, answers: Sequence[Sequence[int]]) -> list[dict[str, object]]:
    return [{"prompt": prompt, "text": encoder.decode(ids)} for prompt, ids in zip(PROMPTS, answers, strict=True)]


def starting_model(
    section: ModelSection, encoder: Encoder, sequence_length: int, seed: int, progress: Progress
) -> tuple[PreTrainedModel, float]:
    """A new model with section 2.3's weights, or the model of `from_folder`; and the factor on its embeddings.

    A folder with another tokenizer keeps its layers and gets a new embedding and head for ours. Embedding and head may
    have rows beyond the vocabulary (`model.pad_vocabulary`): trained as any other row, never a target, so the head
    learns as little of them as of the begin token, and decoding renders them as nothing.

    Raises:
        InputError: a folder whose class would be trained wrongly, or with fewer entries than its tokenizer.
    """
    rows = vocabulary_rows(section, encoder.base_size)
    if section.from_folder is None:
        config = model_config(section, rows, sequence_length, bos=encoder.bos, eos=encoder.eos)
        model = new_model(config)
        init.initialise(model, seed)
        return model, init.embedding_scale(config.hidden_size) if section.scaled_embedding else 1.0
    return _opened(Path(section.from_folder), encoder, rows, sequence_length, seed, progress), 1.0


def _opened(
    folder: Path, encoder: Encoder, rows: int, sequence_length: int, seed: int, progress: Progress
) -> PreTrainedModel:
    """The model of a folder, with `rows` new rows for another tokenizer and positions for the longest row."""
    model = load_base(folder)
    refuse_inexact(model, str(folder))
    entries, context = int(model.config.vocab_size), int(model.config.max_position_embeddings)
    if not same_tokenizer(folder, encoder):
        progress.say(f"{folder} has another tokenizer: its embedding and head are replaced by new ones for ours")
        init.replace_vocabulary(model, rows, seed)
    elif entries < encoder.base_size and encoder.adopted:
        # Some tokenizers name control tokens, of images for instance, that their text model has no rows for.
        init.grow_vocabulary(model, rows, seed)
    elif entries < encoder.base_size:
        raise InputError(f"the model has {entries} entries and its tokenizer {encoder.base_size}", where=str(folder))
    if context < sequence_length:
        progress.say(f"{folder} was made for {context:,} tokens at once and is now trained on {sequence_length:,}")
        model.config.max_position_embeddings = sequence_length
    return model


def same_tokenizer(base: Path, encoder: Encoder) -> bool:
    """Whether a tokenizer is a base's own, or was adopted from it."""
    return vocabulary_sha256(find_base(base)) in {encoder.sha256, encoder.source_sha256}


def starts_with_chat(section: ModelSection, encoder: Encoder) -> bool:
    """A model that was tuned before keeps its chat template, as long as it keeps its tokenizer."""
    folder = Path(section.from_folder) if section.from_folder else None
    return folder is not None and knows_chat(folder) and same_tokenizer(folder, encoder)


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
    samples: Sequence[dict[str, object]],
    **others: object,
) -> dict[str, object]:
    """Write metrics.json; return what goes into the manifest."""
    summary = {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "steps": section.steps,
        "tokens": history.tokens,
        "loss_tokens": history.loss_tokens,
        "loss_first": history.loss_first,
        "loss_last": history.loss_last,
        **({"best_step": history.best_step} if history.best_step else {}),
        **others,
    }
    write_json(
        out_dir / "metrics.json", {**summary, "validation": history.validation, "samples": [*history.samples, *samples]}
    )
    return summary
