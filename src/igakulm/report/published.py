"""What stands beside the scores: figures published elsewhere, and documents that test items share with tuning rows.

Does: show both apart from the scoreboard, so that nothing is taken for a measurement of this run that is none.
Does not: compare or rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.report.board import Board, Task
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    bulk,
    count,
    decimal,
    el,
    finite,
    heading,
    join,
    note,
    percent,
    table,
)
from igakulm.report.words import metric_name, shortened, split_name

SOURCES = {
    "the paper's own models": "論文のモデル",
    "JMED-LLM leaderboard": "JMED-LLMの順位表",
    "Kasai et al. 2023 and later reports": "Kasaiら2023とその後の報告",
}
LISTED = 500
"""At most so many leaked items of a task are listed one by one."""
MAX_DOCUMENT = 60


def leakage_part(board: Board, level: int) -> Html:
    """How much test and training share, split by split, and which test items it concerns."""
    rows = [row for row in board.rows("leakage") if row.get("train") != 0]
    if not rows:
        return note("測定した課題には訓練例がないため、テスト問題との重なりは調べていません。")
    splits = list(dict.fromkeys(str(row.get("split") or "") for row in rows))
    parts: list[Child] = []
    for split in splits:
        chosen = [row for row in rows if str(row.get("split") or "") == split]
        if len(splits) > 1:
            parts.append(heading(level, split_name(split)))
        parts.append(_leakage_table(chosen, split))
    parts.append(
        note(
            "共有するテスト問題の得点には、訓練で見た文書の記憶が含まれうる。文書は、字の種類や記号の違いをならして比べる。"
            "言い換えただけの文書は見つけられない。事前学習で読んだ文章との重なりは、この表には含まれない。"
        )
    )
    return join(*parts, _leaked_items(board, level))


def _leakage_table(rows: Sequence[Mapping[str, Any]], split: str) -> Html:
    body: list[Sequence[Child]] = [
        [
            shortened(str(row.get("task") or MISSING)),
            count(row.get("test")),
            _with_share(row.get("test_shared"), row.get("test")),
            count(row.get("train")),
            _with_share(row.get("train_shared"), row.get("train")),
        ]
        for row in rows
    ]
    head = ["課題", "テスト問題", "うち訓練例と文書を共有", "訓練例", "うちテストと文書を共有"]
    name = f"（{split_name(split)}）" if split else ""
    return table(head, body, caption=f"訓練例とテスト問題が共有する文書{name}")


def _with_share(part: object, whole: object) -> Child:
    share, total = finite(part), finite(whole)
    return el("td", count(part), f"（{percent(share / total, 0)}）" if share and total else None)


def _leaked_items(board: Board, level: int) -> Html:
    rows = board.rows("leaked_items")
    if not rows:
        return Html("")
    parts: list[Child] = [heading(level, "文書を共有するテスト問題（公表どおりの分割）")]
    for task in dict.fromkeys(str(row.get("task") or "") for row in rows):
        chosen = [row for row in rows if str(row.get("task") or "") == task]
        body: list[Sequence[Child]] = [
            [
                el("th", el("code", shortened(str(row.get("id") or MISSING))), scope="row"),
                el("td", shortened(str(row.get("document") or ""), MAX_DOCUMENT)),
                shortened(str(row.get("train_task") or MISSING)),
                el("td", el("code", shortened(str(row.get("train_id") or MISSING)))),
            ]
            for row in chosen[:LISTED]
        ]
        left = f"先頭の {LISTED} 問だけを示す。全部は scoreboard.json にある。" if len(chosen) > LISTED else ""
        head = ["テスト問題", "文書の冒頭", "訓練の課題", "訓練例"]
        listing = table(
            head, body, caption=f"{shortened(task)}の漏洩した問題", numbers=False, kind="wide bundle leaked"
        )
        parts.append(bulk(f"{shortened(task)}（{count(len(chosen))} 問）", listing, note(left) if left else None))
    return join(*parts)


def published_part(board: Board) -> Html:
    """Published figures of the tasks that were measured here; one column a task, its further metrics in small print."""
    measured = {task.name: task for task in board.first_tasks}
    rows = [row for row in board.rows("published") if row.get("task") in measured]
    if not rows:
        return note("測定した課題には、写した公表値がありません。")
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
            el("th", shortened(model), el("small", SOURCES.get(source, shortened(source))), scope="row"),
            *(
                _published_cell([values.get((model, task, metric), MISSING) for metric in metrics[task]])
                for task in tasks
            ),
        ]
        for model, source in models
    ]
    return join(
        table(head, body, caption="公表値（ここでは測定していない）", kind="wide scores reported"),
        note(
            "文献や公開の順位表から写した値で、ここでは測定していない。問題の選び方、指示文、採点の違いがありうるため、"
            "得点表とは直接には比べられない。比べるときは、同じ分割・同じ指示文・「公表版」の指標の値を使う。"
        ),
    )


def _published_head(task: Task, metrics: Sequence[str], split: str) -> Html:
    lines = [metric_name(metric) for metric in metrics]
    if split and split != task.split:
        lines.append(split_name(split))
    return el("th", shortened(task.name, 32), [el("small", line) for line in lines], scope="col")


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
