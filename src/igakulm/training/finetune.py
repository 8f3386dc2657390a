"""The stage `finetune`: training rows of the benchmarks to an instruct model (section 2.4.2).

Does: render rows, grow the vocabulary by the chat tokens, run the loop with the loss on answers only and NEFTune.
Does not: read benchmark files (benchmarks/) or score.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from igakulm.benchmarks.items import Item
from igakulm.benchmarks.load import load_split
from igakulm.benchmarks.prompts import chat_answer, chat_prompt
from igakulm.errors import InputError
from igakulm.files import write_jsonl
from igakulm.model import init
from igakulm.model.folder import continue_greedily, write_folder
from igakulm.model.objective import Objective
from igakulm.model.presets import load_folder
from igakulm.progress import Progress, track
from igakulm.recipe.schema import BenchmarksSection, FinetuneSection, ModelSection
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import TextEncoder
from igakulm.training.batch import NO_TARGET, Ids, Row
from igakulm.training.loop import Job, identity_of, train
from igakulm.training.pretrain import SAMPLE_TOKENS, write_metrics

SAMPLES_A_TASK = 1


@dataclass(frozen=True, slots=True)
class TuningRow:
    """One rendered training item: `ids` (T,) int64 and `targets` (T,), -100 where nothing is learnt."""

    task: str
    name: str
    ids: Ids
    targets: Ids


class TuningRows:
    """All tuning rows, each one document, for `loop.train`."""

    def __init__(self, rows: Sequence[TuningRow]) -> None:
        self._rows = rows
        digest = hashlib.sha256()
        for row in rows:
            digest.update(row.name.encode("utf-8", "surrogatepass") + row.ids.tobytes() + row.targets.tobytes())
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> Row:
        """The row as one document."""
        row = self._rows[index]
        return Row(row.ids, row.targets, (len(row.ids),))

    def names(self, index: int) -> list[str]:
        """The item's task and id."""
        return [self._rows[index].name]


def finetune(
    model: ModelSection,
    train_section: FinetuneSection,
    benchmarks: BenchmarksSection,
    pretrain_dir: Path,
    tokenizer_dir: Path,
    out_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Tune the base model of `pretrain_dir`; after a kill the same call goes on from `out_dir/checkpoints`.

    Writes `model/`, `checkpoints/`, `metrics.json`, `left_out.jsonl` (rows longer than `max_length`),
    `logs/steps.jsonl`.

    Raises:
        InputError: no training rows, a row without answer, a base model of another vocabulary, and all that
            `loop.train` raises.
    """
    encoder = TextEncoder.load(tokenizer_dir)
    items = load_split(benchmarks, train_section.split).train
    rows, left_out = render_rows(items, encoder, train_section.max_length, progress)
    write_jsonl(out_dir / "left_out.jsonl", left_out)
    epochs = train_section.steps * train_section.global_batch / len(rows)
    progress.say(
        f"{len(rows):,} rows, {len(left_out):,} longer than {train_section.max_length} tokens left out; "
        f"{train_section.steps:,} steps of {train_section.global_batch} rows are {epochs:.1f} epochs"
    )
    longest = max(len(row.ids) for row in rows)
    base, scale = tuning_model(model, pretrain_dir / "model", encoder, longest, train_section.seed or 0)
    job = _job(train_section, base, scale, TuningRows(rows), out_dir, tokenizer=encoder.sha256, model=model)
    history = train(job, progress)
    folder = out_dir / "model"
    write_folder(job.objective.model, scale, encoder, tokenizer_dir, folder, chat=True)
    samples = _samples(folder, items, encoder)
    counts = dict(sorted(Counter(row.task for row in rows).items()))
    others = {"rows": len(rows), "rows_left_out": len(left_out), "epochs": round(epochs, 3), "rows_by_task": counts}
    return write_metrics(out_dir, job.objective.model, train_section, history, samples, **others)


def _job(
    section: FinetuneSection,
    base: PreTrainedModel,
    scale: float,
    rows: TuningRows,
    out_dir: Path,
    *,
    tokenizer: str,
    model: ModelSection,
) -> Job:
    objective = Objective(
        base,
        scale=scale,
        dropout=section.dropout,
        neftune_alpha=section.neftune_alpha,
        bf16=section.precision == "bf16",
    )
    return Job(
        name="finetune",
        objective=objective,
        rows=rows,
        section=section,
        token_budget=section.micro_batch * section.max_length,
        folder=out_dir,
        identity=identity_of(section, data=rows.fingerprint, tokenizer=tokenizer, model=model.model_dump(mode="json")),
    )


def render_rows(
    items: Mapping[str, Sequence[Item]], encoder: TextEncoder, max_length: int, progress: Progress
) -> tuple[list[TuningRow], list[dict[str, Any]]]:
    """Rows in the order of tasks and items, and what was left out for its length.

    Raises:
        InputError: an item whose answer is empty; nothing left to train on.
    """
    rows: list[TuningRow] = []
    left_out: list[dict[str, Any]] = []
    flat = [item for task in items for item in items[task]]
    for item in track(progress, flat, "render rows", unit="rows"):
        row = render_row(item, encoder)
        if len(row.ids) > max_length:
            left_out.append({"task": item.task, "id": item.id, "tokens": len(row.ids)})
        else:
            rows.append(row)
    if not rows:
        raise InputError(
            "there are no training rows",
            where="benchmarks",
            mend="give benchmarks that have training rows, or raise finetune.max_length",
        )
    return rows, left_out


def render_row(item: Item, encoder: TextEncoder) -> TuningRow:
    """One item as a conversation; the loss runs from after `<|assistant|>` to `<|end_of_text|>` (section 2.4.2)."""
    answer = chat_answer(item)
    if not answer.strip():
        raise InputError("a training row has no answer to learn", where=f"{item.task}, row {item.id}")
    messages = [{"role": "user", "content": chat_prompt(item)}, {"role": "assistant", "content": answer}]
    ids, mask = render_chat(encoder, messages, add_generation_prompt=False)
    tokens = np.asarray(ids, np.int64)
    learnt = np.append(np.asarray(mask[1:], bool), False)
    targets = np.where(learnt, np.append(tokens[1:], NO_TARGET), NO_TARGET)
    if not learnt.any():
        raise InputError("a training row has no answer token", where=f"{item.task}, row {item.id}")
    return TuningRow(item.task, f"{item.task}/{item.id}", tokens, targets)


def tuning_model(
    section: ModelSection, folder: Path, encoder: TextEncoder, longest: int, seed: int
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
            mend="tune with the tokenizer that the base model was trained with",
        )
    scale = 1.0
    if section.scaled_embedding and section.from_folder is None:
        scale = init.embedding_scale(base.config.hidden_size)
        init.unfold(base, scale)
    if entries < encoder.size:
        init.grow_vocabulary(base, encoder.size, seed)
    base.config.max_position_embeddings = max(base.config.max_position_embeddings, longest)
    return base, scale


def _samples(folder: Path, items: Mapping[str, Sequence[Item]], encoder: TextEncoder) -> list[dict[str, Any]]:
    chosen = [item for task in items for item in items[task][:SAMPLES_A_TASK]]
    prompts = [
        render_chat(encoder, [{"role": "user", "content": chat_prompt(item)}], add_generation_prompt=True)[0]
        for item in chosen
    ]
    answers = continue_greedily(folder, prompts, SAMPLE_TOKENS)
    return [
        {"task": item.task, "prompt": chat_prompt(item), "text": encoder.decode(ids), "gold": chat_answer(item)}
        for item, ids in zip(chosen, answers, strict=True)
    ]
