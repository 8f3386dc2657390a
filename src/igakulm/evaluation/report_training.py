"""The report's section on training: loss curves, a table of both phases, samples of generated text.

Does: read metrics and step logs. Does not: extrapolate or judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.evaluation.report_charts import curve_chart
from igakulm.evaluation.report_inputs import RunRecord, rows_of
from igakulm.evaluation.report_page import (
    Child,
    Html,
    count,
    decimal,
    details,
    duration,
    el,
    finite,
    join,
    large,
    note,
    section,
    table,
)

PHASES = {"pretrain": "事前学習", "finetune": "指示調整"}


def training_section(number: int, record: RunRecord) -> Html:
    """Curves, table, samples."""
    phases = {name: record.json(name, "metrics.json") for name in PHASES}
    present = [name for name in PHASES if phases[name] or record.steps(name)]
    if not present:
        return section("training", number, "学習", note("この実行には学習の記録がありません。"))
    return section(
        "training",
        number,
        "学習",
        el("div", [_curve(record, name, phases[name]) for name in present], class_="charts wide"),
        note(
            "損失は1トークンあたりの交差エントロピー（自然対数）。指示調整では答えのトークンだけを数える。"
            "曲線は等間隔にまとめた平均、丸印は検証データ。破線は語彙から無作為に選ぶ場合の損失。"
        ),
        _phase_table(record, present, phases),
        [_samples(name, phases[name]) for name in present],
    )


def _curve(record: RunRecord, name: str, metrics: Mapping[str, Any]) -> Html:
    steps = record.steps(name)
    curve = _points(steps, "loss")
    checks = _points(rows_of(metrics.get("validation")), "loss")
    vocabulary = finite(record.json("pretrain", "model/config.json").get("vocab_size"))
    reference = (math.log(vocabulary), f"無作為 {math.log(vocabulary):.2f}") if vocabulary and name == "pretrain" else None
    return curve_chart(PHASES[name], f"{count(len(steps))} 回の記録", curve, checks, reference)


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    pairs = [(finite(row.get("step")), finite(row.get(key))) for row in rows]
    return [(step, value) for step, value in pairs if step is not None and value is not None]


def _phase_table(record: RunRecord, present: Sequence[str], phases: Mapping[str, Mapping[str, Any]]) -> Html:
    columns = [_phase_column(record, name, phases[name]) for name in present]
    labels = [label for label, _ in columns[0]]
    rows: list[Sequence[Child]] = [
        [label, *(column[place][1] for column in columns)] for place, label in enumerate(labels)
    ]
    return table(["", *(PHASES[name] for name in present)], rows, caption="学習の記録")


def _phase_column(record: RunRecord, name: str, metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    steps = record.steps(name)
    seconds = training_seconds(steps)
    tokens = finite(metrics.get("tokens"))
    rate = tokens / seconds if tokens and seconds else None
    validation = rows_of(metrics.get("validation"))
    last = validation[-1] if validation else {}
    return [
        ("パラメータ数", count(metrics.get("parameters"))),
        ("ステップ", count(metrics.get("steps"))),
        ("学習トークン（のべ）", count(tokens)),
        ("時間", duration(seconds)),
        ("トークン／秒", count(rate)),
        ("訓練損失（最初 → 最後）", f"{decimal(metrics.get('loss_first'))} → {decimal(metrics.get('loss_last'))}"),
        ("検証損失（最後）", decimal(last.get("loss"))),
        ("ビット／バイト（検証）", decimal(last.get("bits_per_byte"))),
    ]


def training_seconds(steps: Sequence[Mapping[str, Any]]) -> float | None:
    """Time of all logged steps; None without a log."""
    seconds = [value for row in steps if (value := finite(row.get("seconds"))) is not None]
    return sum(seconds) if seconds else None


def _samples(name: str, metrics: Mapping[str, Any]) -> Html:
    samples = metrics.get("samples")
    if not isinstance(samples, list) or not samples:
        return Html("")
    items = [el("li", _sample(sample)) for sample in samples[:8]]
    shown = el("ul", items, class_="samples")
    title = f"{PHASES[name]}後の生成例（選んでいない）"
    return join(el("h3", title), shown) if len(items) <= 4 else details(title, shown)


def _sample(sample: object) -> Child:
    if not isinstance(sample, dict):
        return str(sample)
    text = {key: str(value) for key, value in sample.items() if isinstance(value, str)}
    prompt = text.pop("prompt", "")
    step = finite(sample.get("step"))
    head = f"ステップ {large(step)}" if step is not None else ""
    return [el("span", head, class_="id") if head else None, el("b", prompt), " ", " ".join(text.values())]
