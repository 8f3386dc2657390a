"""What stands beside the scores: figures published elsewhere, and documents that test items share with tuning rows.

Does: show both apart from the scoreboard, so that nothing is taken for a measurement of this run that is none.
Does not: compare or rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.evaluation.report_inputs import RunRecord, Task, rows_of
from igakulm.evaluation.report_page import MISSING, Child, Html, count, decimal, el, finite, join, note, percent, table
from igakulm.evaluation.report_words import SPLITS, metric_name

SOURCES = {
    "the paper's own models": "論文のモデル",
    "JMED-LLM leaderboard": "JMED-LLMの順位表",
    "Kasai et al. 2023 and later reports": "Kasaiら2023とその後の報告",
}


def leakage_part(record: RunRecord) -> Html:
    """How many test items share a document with a tuning row: their scores are partly memory."""
    rows: list[Sequence[Child]] = [
        [
            str(row.get("task")),
            count(row.get("test")),
            _with_share(row.get("test_shared"), row.get("test")),
            count(row.get("train")),
            _with_share(row.get("train_shared"), row.get("train")),
        ]
        for row in rows_of(record.scoreboard.get("leakage"))
    ]
    if not rows:
        return Html("")
    head = ["課題", "テスト問題", "うち訓練例と文書を共有", "訓練例", "うちテストと文書を共有"]
    return join(
        table(head, rows, caption="訓練例とテスト問題が共有する文書"),
        note(
            "共有するテスト問題の得点には、訓練で見た文書の記憶が含まれうる。"
            "共有をなくした分割は、レシピの split: document-disjoint で選べる。"
        ),
    )


def _with_share(part: object, whole: object) -> Child:
    share, total = finite(part), finite(whole)
    return el("td", count(part), f"（{percent(share / total, 0)}）" if share and total else None)


def published_part(record: RunRecord) -> Html:
    """Published figures of the tasks that were measured here; one column a task, its further metrics in small print."""
    measured = {task.name: task for task in record.tasks}
    rows = [row for row in rows_of(record.scoreboard.get("published")) if row.get("task") in measured]
    if not rows:
        return Html("")
    metrics: dict[str, list[str]] = {}
    splits: dict[str, str] = {}
    for row in rows:
        task, metric = str(row.get("task")), str(row.get("metric"))
        splits.setdefault(task, str(row.get("split") or ""))
        if metric not in metrics.setdefault(task, []):
            metrics[task].append(metric)
    tasks = [task for task in measured if task in metrics]
    models = list(dict.fromkeys((str(row.get("model")), str(row.get("source") or "")) for row in rows))
    values = _as_published(rows)
    head: list[Child] = ["モデル", *(_published_head(measured[task], metrics[task], splits[task]) for task in tasks)]
    body: list[Sequence[Child]] = [
        [
            el("th", model, el("small", SOURCES.get(source, source)), scope="row"),
            *(
                _published_cell([values.get((model, task, metric), MISSING) for metric in metrics[task]])
                for task in tasks
            ),
        ]
        for model, source in models
    ]
    return join(
        table(head, body, caption="公表値（ここでは測定していない）", kind="wide scores"),
        note(
            "文献や公開の順位表から写した値。問題の選び方、指示文、採点の違いがありうるため、"
            "上の得点表と直接には比べられない。"
        ),
    )


def _published_head(task: Task, metrics: Sequence[str], split: str) -> Html:
    lines = [metric_name(metric) for metric in metrics]
    if split and split != task.split:
        lines.append(SPLITS.get(split, split))
    return el("th", task.name, [el("small", line) for line in lines], scope="col")


def _published_cell(values: Sequence[str]) -> Html:
    first, *others = values
    return el("td", first, [el("small", other) for other in others if set(values) != {MISSING}])


def _as_published(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], str]:
    """Model, task and metric to a figure, with two digits for a task and metric whose figures have no more.

    >>> _as_published([{"model": "a", "task": "t", "metric": "m", "value": 0.5}])
    {('a', 't', 'm'): '0.50'}
    """
    values = {
        (str(row.get("model")), str(row.get("task")), str(row.get("metric"))): number
        for row in rows
        if (number := finite(row.get("value"))) is not None
    }
    finer = {key[1:] for key, number in values.items() if round(number, 2) != number}
    return {key: decimal(number, 3 if key[1:] in finer else 2) for key, number in values.items()}
