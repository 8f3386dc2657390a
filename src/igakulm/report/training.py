"""The report's section on training: curves, a table of both phases, samples of generated text and how they changed.

Does: read metrics and step logs. Does not: extrapolate or judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.report.board import rows_of
from igakulm.report.charts import curve_chart, line_chart
from igakulm.report.inputs import RunRecord
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    count,
    decimal,
    details,
    duration,
    el,
    finite,
    join,
    note,
    percent,
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
        _more_curves(record, present),
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


CURVES = (
    ("learning_rate", "学習率", ""),
    ("gradient_norm", "勾配のノルム", "打ち切り前"),
    ("rate", "トークン／秒", "1ステップごと"),
    ("mfu", "演算利用率（MFU）", "最大演算性能に対する割合"),
)


def _more_curves(record: RunRecord, present: Sequence[str]) -> Html:
    """Learning rate, gradient norm and speed, in a closed block."""
    charts = []
    for name in present:
        steps = [{**row, "rate": tokens_per_second([row])} for row in record.steps(name)]
        for key, title, remark in CURVES:
            charts.append(line_chart(f"{PHASES[name]}：{title}", remark, _points(steps, key)))
    shown = [chart for chart in charts if chart]
    return details("学習率・勾配・速さの推移", el("div", shown, class_="charts wide")) if shown else Html("")


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
        "検証例": count(metrics.get("validation_rows")),
        "長すぎて除いた訓練例": count(metrics.get("rows_left_out")),
        "時間（段階全体）": duration(manifest.seconds if manifest else None),
        "トークン／秒": count(tokens_per_second(record.steps(name))),
        "演算利用率（MFU）": percent(_last(record.steps(name), "mfu")),
        "訓練損失の最初": decimal(metrics.get("loss_first")),
        "訓練損失の最後": decimal(metrics.get("loss_last")),
        "検証損失の最後": decimal(last.get("loss")),
        "検証のビット／バイト": decimal(last.get("bits_per_byte")),
    }
    return {label: value for label, value in figures.items() if value != MISSING}


def _last(steps: Sequence[Mapping[str, Any]], key: str) -> float | None:
    return next((value for row in reversed(steps) if (value := finite(row.get(key))) is not None), None)


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
    """The generated texts of the finished model, and how they changed where validation steps recorded some."""
    given = metrics.get("samples")
    samples = given if isinstance(given, list) else []
    dated = [row for row in rows_of(samples) if finite(row.get("step")) is not None]
    final: list[object] = [row for row in samples if not (isinstance(row, dict) and "step" in row)]
    if not final and dated:
        last = max(row["step"] for row in dated)
        final = [row for row in dated if row["step"] == last]
    if not final:
        return Html("")
    known = any(isinstance(sample, dict) and "gold" in sample for sample in final)
    remark = "（各課題の最初の訓練例）" if known else "（選んでいない、常に最も確からしい続き）"
    shown = el("ul", [el("li", _sample(sample)) for sample in final[:8]], class_="samples")
    return join(el("h3", f"{PHASES[name]}後の生成例", el("small", remark)), shown, _over_time(name, dated))


def _over_time(name: str, dated: Sequence[Mapping[str, Any]]) -> Html:
    """What the model wrote at each validation step, prompt by prompt; at most eight steps of each."""
    steps = sorted({row["step"] for row in dated})
    if len(steps) < 2:
        return Html("")
    chosen = {steps[round(place * (len(steps) - 1) / 7)] for place in range(8)} if len(steps) > 8 else set(steps)
    blocks = []
    for prompt in list(dict.fromkeys(str(row.get("prompt", "")) for row in dated))[:8]:
        rows = [row for row in dated if str(row.get("prompt", "")) == prompt and row["step"] in chosen]
        items = [el("li", el("span", f"{count(row['step'])} ステップ", class_="id"), _sample(row)) for row in rows]
        blocks.append(el("ul", items, class_="samples"))
    return details(f"{PHASES[name]}中の生成例の推移", *blocks)


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
