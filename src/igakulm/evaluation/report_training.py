"""The report's section on training: loss curves, a table of both phases, samples of generated text.

Does: read metrics and step logs. Does not: extrapolate or judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.evaluation.report_board import rows_of
from igakulm.evaluation.report_charts import curve_chart
from igakulm.evaluation.report_inputs import RunRecord
from igakulm.evaluation.report_page import (
    MISSING,
    Child,
    Html,
    count,
    decimal,
    duration,
    el,
    finite,
    join,
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
    reference = (
        (math.log(vocabulary), f"無作為 {math.log(vocabulary):.2f}") if vocabulary and name == "pretrain" else None
    )
    return curve_chart(PHASES[name], f"{count(len(steps))} 回の記録", curve, checks, reference)


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    pairs = [(finite(row.get("step")), finite(row.get(key))) for row in rows]
    return [(step, value) for step, value in pairs if step is not None and value is not None]


def _phase_table(record: RunRecord, present: Sequence[str], phases: Mapping[str, Mapping[str, Any]]) -> Html:
    columns = [_phase_column(record, name, phases[name]) for name in present]
    labels = dict.fromkeys(label for column in columns for label in column)
    rows: list[Sequence[Child]] = [[label, *(column.get(label, MISSING) for column in columns)] for label in labels]
    return table(["", *(PHASES[name] for name in present)], rows, caption="学習の記録")


def _phase_column(record: RunRecord, name: str, metrics: Mapping[str, Any]) -> dict[str, str]:
    manifest = record.manifests.get(name)
    tokens = finite(metrics.get("tokens"))
    validation = rows_of(metrics.get("validation"))
    last = validation[-1] if validation else {}
    figures = {
        "パラメータ数": count(metrics.get("parameters")),
        "ステップ": count(metrics.get("steps")),
        "学習トークン（のべ）": count(tokens),
        "損失を数えたトークン": count(metrics.get("loss_tokens")),
        "訓練データの周回": decimal(_epochs(record, name, metrics), 2),
        "訓練例": count(metrics.get("rows")),
        "長すぎて除いた訓練例": count(metrics.get("rows_left_out")),
        "時間（段階全体）": duration(manifest.seconds if manifest else None),
        "トークン／秒": count(tokens_per_second(record.steps(name))),
        "訓練損失の最初": decimal(metrics.get("loss_first")),
        "訓練損失の最後": decimal(metrics.get("loss_last")),
        "検証損失の最後": decimal(last.get("loss")),
        "検証のビット／バイト": decimal(last.get("bits_per_byte")),
    }
    return {label: value for label, value in figures.items() if value != MISSING}


def _epochs(record: RunRecord, name: str, metrics: Mapping[str, Any]) -> float | None:
    """How often the training data were read: as recorded, else tokens seen divided by tokens packed."""
    recorded = finite(metrics.get("epochs"))
    packed = finite(record.json("pack", "train/index.json").get("tokens"))
    tokens = finite(metrics.get("tokens"))
    if recorded is None and name == "pretrain" and packed and tokens:
        return tokens / packed
    return recorded


def tokens_per_second(steps: Sequence[Mapping[str, Any]]) -> float | None:
    """Rate over the logged steps; None without a log.

    >>> tokens_per_second([{"tokens": 100, "seconds": 0.5}, {"tokens": 300, "seconds": 1.5}])
    200.0
    """
    pairs = [(finite(row.get("tokens")), finite(row.get("seconds"))) for row in steps]
    known = [(tokens, seconds) for tokens, seconds in pairs if tokens is not None and seconds is not None]
    total = sum(seconds for _, seconds in known)
    return sum(tokens for tokens, _ in known) / total if total > 0 else None


def _samples(name: str, metrics: Mapping[str, Any]) -> Html:
    samples = metrics.get("samples")
    if not isinstance(samples, list) or not samples:
        return Html("")
    items = [el("li", _sample(sample)) for sample in samples[:8]]
    known = any(isinstance(sample, dict) and "gold" in sample for sample in samples)
    remark = "（各課題の最初の訓練例）" if known else "（選んでいない、常に最も確からしい続き）"
    shown = el("ul", items, class_="samples")
    return join(el("h3", f"{PHASES[name]}後の生成例", el("small", remark)), shown)


def _sample(sample: object) -> Child:
    if not isinstance(sample, dict):
        return str(sample)
    text = {key: str(sample[key]) for key in ("task", "prompt", "text", "gold") if sample.get(key) is not None}
    if "gold" not in text:
        return [el("b", text.get("prompt", "")), text.get("text", "")]
    return [
        el("span", text.get("task", ""), class_="id"),
        f"{text.get('prompt', '')}\n",
        el("b", "答え "),
        f"{text.get('text', '') or MISSING}　",
        el("b", "正解 "),
        text["gold"],
    ]
