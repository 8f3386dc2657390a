"""The report's section on training: curves, a table of both phases, samples of generated text and how they changed.

Does: arrange metrics.json and the logs of the steps. Does not: extrapolate or judge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from igakulm.files import read_json
from igakulm.report.charts import LineChart, line_chart
from igakulm.report.numbers import MISSING, Language, count, decimal, duration, percent
from igakulm.report.record import RunRecord
from igakulm.report.render import render
from igakulm.report.words import words
from igakulm.stored import finite
from igakulm.training.records import METRICS, Metrics, Sample, StepRow, read_steps, tokens_per_second

PHASES = ("pretrain", "finetune")
SHOWN = 8
"""Samples, prompts, and steps of a prompt that are shown at most."""
CURVES: dict[str, Callable[[StepRow], float | None]] = {
    "learning_rate": lambda row: row.learning_rate,
    "gradient_norm": lambda row: row.gradient_norm,
    "rate": lambda row: tokens_per_second([row]),
    "mfu": lambda row: row.mfu,
}


@dataclass(frozen=True, slots=True)
class Phase:
    """One training stage; `random`: the loss of choosing tokens at random; `over_time`: samples prompt by prompt."""

    name: str
    title: str
    metrics: Metrics
    steps: list[StepRow]
    curve: LineChart | None
    random: float | None
    samples: list[Sample]
    has_gold: bool
    over_time: list[list[Sample]]


def training_section(record: RunRecord, language: Language) -> Markup:
    """Curves, table, samples."""
    t = words(language)
    phases = [_phase(record, name, language) for name in PHASES if _is_there(record, name)]
    columns = [_column(record, phase, language) for phase in phases]
    labels = dict.fromkeys(label for column in columns for label in column)
    more = [
        (t("training.of_phase", phase=phase.title, what=t(f"curve.{key}.name")), t(f"curve.{key}.remark"), chart)
        for phase in phases
        for key, value in CURVES.items()
        if (chart := line_chart(_points(phase.steps, value), language))
    ]
    rows = [(t(f"training.row.{label}"), *(column.get(label, MISSING) for column in columns)) for label in labels]
    return render("training.html.j2", language, phases=phases, more_curves=more, rows=rows)


def _is_there(record: RunRecord, name: str) -> bool:
    return bool(record.path(name, METRICS) or (name in record.folders and read_steps(record.folders[name])))


def _phase(record: RunRecord, name: str, language: Language) -> Phase:
    t, metrics, steps = words(language), record.metrics(name), read_steps(record.folders[name])
    checks = [(float(check.step), check.loss) for check in metrics.validation if check.loss is not None]
    config = record.path(name, "model/config.json") if name == "pretrain" else None
    vocabulary = finite(read_json(config).get("vocab_size")) if config else None
    random = math.log(vocabulary) if vocabulary else None
    names = (t("charts.training"), t("charts.validation"))
    curve = line_chart(_points(steps, lambda row: row.loss), language, checks, random, names=names)
    dated = [one for one in metrics.samples if one.step is not None]
    final = [one for one in metrics.samples if one.step is None]
    final = final or [one for one in dated if one.step == max(other.step or 0 for other in dated)]
    known, over_time = any(one.gold is not None for one in final), _over_time(dated)
    return Phase(name, t(f"stage.{name}"), metrics, steps, curve, random, final[:SHOWN], known, over_time)


def _points(steps: Sequence[StepRow], value: Callable[[StepRow], float | None]) -> list[tuple[float, float]]:
    return [(float(row.step), number) for row in steps if (number := value(row)) is not None]


def _over_time(dated: Sequence[Sample]) -> list[list[Sample]]:
    """What the model wrote at each validation step, prompt by prompt; at most eight steps of each."""
    steps = sorted({one.step for one in dated if one.step is not None})
    if len(steps) < 2:
        return []
    last = len(steps) - 1
    chosen = set(steps) if last < SHOWN else {steps[round(place * last / (SHOWN - 1))] for place in range(SHOWN)}
    prompts = list(dict.fromkeys(one.prompt for one in dated))[:SHOWN]
    return [[one for one in dated if one.prompt == prompt and one.step in chosen] for prompt in prompts]


def _column(record: RunRecord, phase: Phase, language: Language) -> dict[str, str]:
    """Label -> figure, of what is known."""
    metrics, manifest = phase.metrics, record.manifests.get(phase.name)
    last = metrics.validation[-1] if metrics.validation else None
    mfu = next((row.mfu for row in reversed(phase.steps) if row.mfu is not None), None)
    figures = {
        "parameters": count(metrics.parameters),
        "steps": count(metrics.steps),
        "tokens": count(metrics.tokens),
        "loss_tokens": count(metrics.loss_tokens),
        "epochs": decimal(_epochs(record, phase), 2),
        "rows": count(metrics.rows),
        "validation_rows": count(metrics.validation_rows),
        "left_out": count(metrics.rows_left_out),
        "time": duration(manifest.seconds if manifest else None, language),
        "rate": count(tokens_per_second(phase.steps)),
        "mfu": percent(mfu),
        "loss_first": decimal(metrics.loss_first),
        "loss_last": decimal(metrics.loss_last),
        "validation_loss": decimal(last and last.loss),
        "bits_per_byte": decimal(last and last.bits_per_byte),
    }
    return {label: value for label, value in figures.items() if value != MISSING}


def _epochs(record: RunRecord, phase: Phase) -> float | None:
    """How often the training data were read: as recorded, else tokens seen divided by tokens packed."""
    index = record.path("pack", "train/index.json") if phase.name == "pretrain" else None
    packed = finite(read_json(index).get("tokens")) if index and phase.metrics.epochs is None else None
    return phase.metrics.tokens / packed if packed and phase.metrics.tokens else phase.metrics.epochs
