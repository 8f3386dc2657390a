"""The stage `finetune`: training rows of the benchmarks, and conversations, to an instruct model (section 2.4.2).

Does: gather rows, grow the vocabulary by the chat tokens, run the loop with the loss on answers only and NEFTune.
Does not: read benchmark files (benchmarks/), render rows (tuning_rows.py) or score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from igakulm.errors import InputError
from igakulm.files import write_jsonl
from igakulm.model import init
from igakulm.model.adapters import add_adapters, freeze_ends, merge_adapters
from igakulm.model.base import knows_chat
from igakulm.model.folder import continue_greedily, write_folder
from igakulm.model.objective import Objective
from igakulm.model.presets import load_folder, vocabulary_rows
from igakulm.progress import Progress
from igakulm.recipe.keys import Form
from igakulm.recipe.schema import BenchmarksSection, FinetuneSection, ModelSection
from igakulm.tasks.chats import Chat, read_chats
from igakulm.tasks.conversation import conversation_of_chat, conversation_of_item
from igakulm.tasks.find_layouts import layouts_of
from igakulm.tasks.items import Item
from igakulm.tasks.layouts import TASKS_FILE, write_tasks
from igakulm.tasks.load import load_split
from igakulm.tasks.personal_data import account
from igakulm.text.messages import Message
from igakulm.text.preparation import read_preparation, write_preparation
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import Encoder, load_encoder
from igakulm.training.fit import device_peak, say_warnings
from igakulm.training.loop import Job, Validation, identity_of, train
from igakulm.training.mixture import Mixture, by_class, mixture, task_shares
from igakulm.training.model_size import size_of_model
from igakulm.training.objectives import objective_maker
from igakulm.training.pretrain import SAMPLE_TOKENS, write_metrics
from igakulm.training.row_shares import with_shares
from igakulm.training.samples import continue_in_training
from igakulm.training.tuning_rows import CHATS, TuningRow, TuningRows, hold_out, render_rows, validation_of
from igakulm.training.world import current_world

SAMPLES_A_TASK = 1
Question = tuple[str, list[Message], str]
"""Task, messages, the right answer."""
Answer = Callable[[list[list[int]]], list[list[int]]]
"""Prompts to continuations, as token ids."""


def finetune(
    model: ModelSection,
    train_section: FinetuneSection,
    benchmarks: BenchmarksSection,
    pretrain_dir: Path,
    tokenizer_dir: Path,
    out_dir: Path,
    progress: Progress,
) -> dict[str, object]:
    """Tune the base model of `pretrain_dir`; after a kill the same call goes on from `out_dir/checkpoints`.

    Writes `model/` with its `preparation.json` (how its text is prepared) and `tasks.json` (how the messages of the
    rows are laid out), `checkpoints/`, `metrics.json`, `left_out.jsonl` (rows longer than `max_length`),
    `logs/steps.jsonl`. With several processes the leading one writes; the others take part and return nothing.

    Raises:
        InputError: no training rows, a row without answer, a base model of another vocabulary, and all that
            `loop.train` raises.
    """
    make_objective = objective_maker(train_section.objective)
    encoder = load_encoder(tokenizer_dir)
    split = load_split(benchmarks, train_section.split)
    for line in split.screen.lines():
        progress.say(line)
    items, chats = split.train, read_chats(train_section.chats, split.screen.personal_data)
    form = form_of_rows(train_section, pretrain_dir / "model", encoder)
    found, left_out = render_rows(items, encoder, train_section.max_length, progress, chats, form=form)
    kept, held_out = hold_out(found, train_section.validation_share, train_section.seed or 0)
    rows = TuningRows(with_shares(kept, by_row=train_section.loss == "row", class_balance=train_section.class_balance))
    train_section = with_steps(train_section, len(rows))
    if current_world().leads:
        write_jsonl(out_dir / "left_out.jsonl", left_out)
    counts = _tell(train_section, _counts(train_section, rows, kept, held_out, left_out), progress)
    counts["personal_data"] = account(split.screen.personal_data)
    longest = max(len(row.ids) for row in found)
    base, scale = tuning_model(model, pretrain_dir / "model", encoder, longest, train_section.seed or 0)
    identity = {"tokenizer": encoder.sha256, "model": model.model_dump(mode="json"), "preparation": form}
    prepare_weights(base, train_section)
    objective = make_objective(base, scale, train_section)
    job = _job(train_section, objective, rows, validation_of(held_out), out_dir, **identity)
    asked = _questions(items, chats, form)
    if held_out:
        job = replace(job, samples=partial(_samples_now, asked, encoder, job.objective))
    say_warnings(size_of_model(base), train_section, train_section.max_length, out_dir, progress)
    history = train(job, progress)
    if not current_world().leads:
        return {}
    merge_adapters(base)
    write_folder(base, scale, encoder, tokenizer_dir, folder := out_dir / "model", chat=True)
    write_preparation(folder, form)
    titles = {row.name: row.title for row in benchmarks.rows if row.title}
    write_tasks(folder / TASKS_FILE, layouts_of(items, titles))
    samples = _samples(asked, encoder, lambda prompts: continue_greedily(folder, prompts, SAMPLE_TOKENS))
    return write_metrics(out_dir, base, train_section, history, samples, **counts)


def _counts(
    section: FinetuneSection,
    rows: TuningRows,
    kept: Sequence[TuningRow],
    held_out: Sequence[TuningRow],
    left_out: Sequence[Mapping[str, object]],
) -> dict[str, object]:
    """What the metrics say about the rows."""
    tasks = Counter[str]()
    for row in kept:
        tasks[row.task] += row.repeats
    counts: dict[str, Any] = {
        "rows": len(rows),
        "rows_left_out": len(left_out),
        "answers_lost": sum(len(row.lost) for row in kept),
        "epochs": round(section.steps * section.global_batch / len(rows), 3),
        "shares_by_task": {task: round(share, 6) for task, share in sorted(shares_of(section, rows).items())},
        "rows_by_task": dict(sorted(tasks.items())),
    }
    if left_out:
        counts["left_out_by_task"] = dict(sorted(Counter(str(row["task"]) for row in left_out).items()))
    if held_out:
        counts["validation_rows"] = len(held_out)
    return counts


def _tell(section: FinetuneSection, counts: dict[str, Any], progress: Progress) -> dict[str, object]:
    by_task = ", ".join(f"{task} {number:,}" for task, number in counts.get("left_out_by_task", {}).items())
    progress.say(
        f"{counts['rows']:,} rows, {counts['rows_left_out']:,} longer than {section.max_length} tokens left out"
        f"{f' ({by_task})' if by_task else ''}; "
        f"{section.steps:,} steps of {section.global_batch} rows are {counts['epochs']:.1f} epochs"
    )
    if counts["answers_lost"]:
        progress.say(f"{counts['answers_lost']:,} strings of answers hold only characters that no model reads")
    if "validation_rows" in counts:
        progress.say(f"{counts['validation_rows']:,} rows are held out for validation, by document")
    return counts


def with_steps(section: FinetuneSection, rows: int) -> FinetuneSection:
    """The keys with the number of steps that `epochs` means."""
    if section.epochs is None:
        return section
    return section.model_copy(update={"steps": max(1, round(section.epochs * rows / section.global_batch))})


def shares_of(section: FinetuneSection, rows: TuningRows) -> dict[str, float]:
    """The share of the rows that each task gets."""
    temperature = {"natural": 1.0, "temperature": section.sampling_temperature, "equal": None}[section.sampling]
    return task_shares(dict(sorted(Counter(rows.tasks).items())), section.weights, temperature)


def _mixture(section: FinetuneSection, rows: TuningRows) -> Mixture | None:
    """Which rows a step sees; None = every row once an epoch."""
    if section.sampling == "natural" and not section.weights and not section.class_sampling:
        return None
    groups, shares = rows.tasks, shares_of(section, rows)
    if section.class_sampling:
        groups, shares = by_class(groups, rows.labels, shares, section.class_sampling)
    return mixture(groups, shares, section.seed or 0)


def prepare_weights(base: PreTrainedModel, section: FinetuneSection) -> None:
    """Put adapters on, or freeze what is not trained."""
    if section.method == "lora":
        add_adapters(
            base,
            rank=section.lora_rank,
            alpha=section.lora_alpha,
            dropout=section.lora_dropout,
            seed=section.seed or 0,
        )
    elif not section.trains_embeddings:
        freeze_ends(base)


def _job(
    section: FinetuneSection,
    objective: Objective,
    rows: TuningRows,
    validation: Validation | None,
    out_dir: Path,
    **identity: object,
) -> Job:
    if section.early_stopping:  # where training ends then depends on when it looks
        identity["validate_every"] = section.validate_every
    return Job(
        name="finetune",
        objective=objective,
        rows=rows,
        section=section,
        token_budget=section.micro_batch * section.max_length,
        folder=out_dir,
        identity=identity_of(section, data=rows.fingerprint, **identity),
        validation=validation,
        mixture=_mixture(section, rows),
        patience=section.early_stopping,
        few_targets=True,
        flops_per_token=size_of_model(objective.model).flops_per_token(rows.tokens / len(rows)),
        peak_flops=device_peak(current_world().device()),
    )


def tuning_model(
    section: ModelSection, folder: Path, encoder: Encoder, longest: int, seed: int
) -> tuple[PreTrainedModel, float]:
    """The base model ready for tuning: scale taken out of its embedding, chat tokens added, positions for all rows.

    Raises:
        InputError: the base model's vocabulary is not the tokenizer's.
    """
    base = load_folder(folder)
    entries = base.config.vocab_size
    if entries < encoder.base_size:
        raise InputError(
            f"the base model has {entries} entries, the tokenizer {encoder.base_size}",
            where=str(folder),
            hint="tune with the tokenizer that the base model was trained with",
        )
    scale = 1.0
    if section.scaled_embedding and section.from_folder is None:
        scale = init.embedding_scale(base.config.hidden_size)
        init.unfold(base, scale)
    # A model with a chat template knows its chat tokens; else their rows, padding or reserved until now, begin anew.
    fresh = () if knows_chat(folder) else encoder.chat_tokens
    if entries < encoder.size or fresh:
        rows = entries if entries >= encoder.size else vocabulary_rows(section, encoder.size)
        init.grow_vocabulary(base, rows, seed, fresh)
    base.config.max_position_embeddings = max(base.config.max_position_embeddings, longest)
    return base, scale


def form_of_rows(section: FinetuneSection, base: Path, encoder: Encoder) -> Form:
    """How the rows are prepared: as the recipe says, else as the base model's text was.

    The corpus of a vocabulary of our own was cleaned; a base with an adopted one says it in its folder, or reads raw.
    """
    if section.preparation is not None:
        return section.preparation
    return read_preparation(base) if encoder.adopted else "cleaned"


def _questions(items: Mapping[str, Sequence[Item]], chats: Sequence[Chat], form: Form) -> list[Question]:
    """The first row of every task, and the last question of the first conversation, as the model reads them."""
    asked: list[Question] = []
    for task in items:
        for item in items[task][:SAMPLES_A_TASK]:
            question, answer = conversation_of_item(item, form, f"{task}, row {item.id}").messages
            asked.append((task, [question], answer["content"]))
    for chat in chats[:SAMPLES_A_TASK]:
        messages = conversation_of_chat(chat.messages, form, chat.where).messages
        last = max(place for place, message in enumerate(messages) if message["role"] == "assistant")
        asked.append((CHATS, list(messages[:last]), messages[last]["content"]))
    return asked


def _samples(asked: Sequence[Question], encoder: Encoder, answer: Answer) -> list[dict[str, object]]:
    prompts = [render_chat(encoder, messages, add_generation_prompt=True)[0] for _, messages, _ in asked]
    return [
        {"task": task, "prompt": messages[-1]["content"] if messages else "", "text": encoder.decode(ids), "gold": gold}
        for (task, messages, gold), ids in zip(asked, answer(prompts), strict=True)
    ]


def _samples_now(asked: Sequence[Question], encoder: Encoder, objective: Objective) -> list[dict[str, object]]:
    """In the middle of training."""

    def answer(prompts: list[list[int]]) -> list[list[int]]:
        found = continue_in_training(objective, prompts, SAMPLE_TOKENS, vocabulary=encoder.size)
        return [list(takewhile(lambda token: token not in encoder.stops, ids)) for ids in found]

    return _samples(asked, encoder, answer)
