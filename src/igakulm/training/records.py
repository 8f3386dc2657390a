"""What a training stage leaves beside its model: metrics.json and logs/steps.jsonl as typed models.

Does: read them. Does not: train, or write (pretrain.py, finetune.py, loop.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, JsonValue

from igakulm.stored import Figure, Part, Stored, finite, read_rows

METRICS, STEPS = "metrics.json", "logs/steps.jsonl"


class StepRow(Part):
    """One line of the log; `tokens` and `seconds` are those of this step."""

    step: int
    loss: Figure = None
    learning_rate: Figure = None
    gradient_norm: Figure = None
    tokens: Figure = None
    seconds: Figure = None
    mfu: Figure = None


class Check(Part):
    """Loss on held-out rows at a step, in nats a token; in tuning `tasks` is each task's mean over its rows of their
    mean loss a token, and `rows_loss` the mean of these.
    """

    step: int
    loss: Figure = None
    bits_per_byte: Figure = None
    rows_loss: Figure = None
    tasks: dict[str, Figure] = Field(default_factory=dict)


class Sample(Part):
    """What the model wrote: at a step, or (None) when it was finished; `gold` is the row's answer, in tuning."""

    step: int | None = None
    task: str = ""
    prompt: str = ""
    text: str = ""
    gold: str | None = None


class Metrics(Stored):
    """metrics.json. `tokens` counts repetitions, `loss_tokens` those of the answers in tuning; `rows` are the training
    rows of tuning, `rows_left_out` the longer ones, `answers_lost` the strings of answers that no model reads;
    `personal_data`: task or file -> what was done about it (tasks/personal_data.py). `shares_by_task`: share of the
    drawn rows. `best_step`: with early stopping, the step whose weights were kept.
    """

    parameters: int | None = None
    steps: int | None = None
    tokens: int | None = None
    loss_tokens: int | None = None
    loss_first: Figure = None
    loss_last: Figure = None
    rows: int | None = None
    rows_left_out: int | None = None
    answers_lost: int | None = None
    validation_rows: int | None = None
    epochs: Figure = None
    rows_by_task: dict[str, int] = Field(default_factory=dict)
    shares_by_task: dict[str, Figure] = Field(default_factory=dict)
    best_step: int | None = None
    personal_data: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    validation: tuple[Check, ...] = ()
    samples: tuple[Sample, ...] = ()


def read_steps(stage_dir: Path) -> list[StepRow]:
    """The log in the order of the steps, empty where there is none; of a step that was repeated after a resume the last
    record counts.

    Raises:
        InputError: a damaged line.
    """
    path = stage_dir / STEPS
    rows = read_rows(path, StepRow) if path.is_file() else []
    by_step = {row.step: row for row in rows}
    return [by_step[step] for step in sorted(by_step)]


def tokens_per_second(steps: Sequence[StepRow]) -> float | None:
    """Rate over the logged steps; None without a log.

    >>> tokens_per_second([StepRow(step=1, tokens=100, seconds=0.5), StepRow(step=2, tokens=300, seconds=1.5)])
    200.0
    """
    known = [(row.tokens, row.seconds) for row in steps if row.tokens is not None and row.seconds is not None]
    total = sum(seconds for _, seconds in known)
    return finite(sum(tokens for tokens, _ in known) / total) if total > 0 else None
