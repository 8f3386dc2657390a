"""The report on the national examination: pass or fail by year, points by year and paper.

Does: show what passing.py judged. Does not: judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igakulm.report.board import BASELINE_MODE, Board
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    bulk,
    count,
    el,
    finite,
    heading,
    join,
    note,
    percent,
    table,
)
from igakulm.report.words import mode_name, model_name, shortened

Way = tuple[str, str]
"""A model and its way of answering."""


def exam_part(board: Board, level: int) -> Html:
    """Pass or fail, then points; empty where no examination was measured."""
    passing, groups = (sorted(board.rows(key), key=_is_baseline) for key in ("passing", "groups"))
    if not passing and not groups:
        return Html("")
    return join(_passing(passing, level), _years(groups, level), _papers(groups))


def _is_baseline(row: Mapping[str, Any]) -> bool:
    return row.get("answer_mode") == BASELINE_MODE


def _way(row: Mapping[str, Any]) -> Way:
    return str(row.get("model") or ""), str(row.get("answer_mode") or "")


def _name(way: Way, span: int | None = None) -> Html:
    mode = mode_name(way[1]) if way[1] and way[1] != BASELINE_MODE else ""
    return el("th", model_name(way[0]), el("small", mode) if mode else None, scope="row", rowspan=span)


def _passing(rows: Sequence[Mapping[str, Any]], level: int) -> Html:
    if not rows:
        return Html("")
    body = [
        cells
        for way in dict.fromkeys(map(_way, rows))
        for cells in _passing_rows(way, [row for row in rows if _way(row) == way])
    ]
    last = el("th", "判定", scope="col", class_="text")
    head: list[Child] = ["モデル", "年度", "必修問題", "一般・臨床問題", "禁忌肢の選択", last]
    remarks = ["得点 / 配点。合格には必修・一般臨床とも合格基準以上で、禁忌肢の選択が上限以下であることが要る。"]
    if any(row.get("complete") is not True for row in rows):
        remarks.append(
            "「判定しない」は、その年の全問を採点していない（画像問題を除いた、問題数を限ったなど）ことを示す。"
            "除いた問題の得点が分からないため、合否を言わない。"
        )
    remarks.append("合格基準に達しても、診療に使えることを意味しない。")
    return join(
        heading(level, "合格基準との比較"),
        table(head, body, label="医師国家試験の合格基準との比較", kind="wide passing"),
        note("".join(remarks)),
    )


def _passing_rows(way: Way, rows: Sequence[Mapping[str, Any]]) -> list[Sequence[Child]]:
    """One row a year; the model's name spans them."""
    body: list[Sequence[Child]] = []
    for place, row in enumerate(rows):
        name = [_name(way, span=len(rows))] if place == 0 else []
        year = el("td", str(row.get("year") or MISSING))
        body.append([*name, year, _points(row, "required"), _points(row, "general"), _forbidden(row), _judgement(row)])
    return body


def _points(row: Mapping[str, Any], part: str) -> Html:
    points, total, mark = (finite(row.get(part + end)) for end in ("", "_total", "_mark"))
    if points is None:
        return el("td", MISSING)
    below = mark is not None and points < mark
    return el(
        "td",
        el("span", count(points), class_="below" if below and row.get("complete") is True else None),
        f" / {count(total)}",
        el("small", f"基準 {count(mark)}") if mark is not None else None,
    )


def _forbidden(row: Mapping[str, Any]) -> Html:
    chosen, limit = finite(row.get("contraindicated")), finite(row.get("contraindicated_limit"))
    if chosen is None:
        return el("td", MISSING)
    return el("td", f"{count(chosen)} 問", el("small", f"上限 {count(limit)}") if limit is not None else None)


def _judgement(row: Mapping[str, Any]) -> Html:
    if row.get("complete") is not True or not isinstance(row.get("passed"), bool):
        return el("td", "判定しない", class_="text verdict-open")
    if row["passed"]:
        return el("td", "基準に達した", class_="text verdict-yes")
    return el("td", "基準に達していない", class_="text verdict-no")


def _years(rows: Sequence[Mapping[str, Any]], level: int) -> Html:
    """Points of whole years (`part` is empty): a line a model, a column a year."""
    whole = [row for row in rows if not row.get("part")]
    if not whole:
        return Html("")
    parts: list[Child] = [heading(level, "年度別の得点")]
    for task in dict.fromkeys(str(row.get("task") or "") for row in whole):
        of_task = [row for row in whole if str(row.get("task") or "") == task]
        years = list(dict.fromkeys(str(row.get("group") or "") for row in of_task))
        cells = {(_way(row), str(row.get("group") or "")): row for row in of_task}
        ways = list(dict.fromkeys(_way(row) for row in of_task))
        body: list[Sequence[Child]] = [
            [_name(way), *(_group_cell(cells.get((way, year))) for year in years)] for way in ways
        ]
        parts.append(table(["モデル", *years], body, label=f"{shortened(task)}：年度別の得点", kind="wide scores"))
    return join(*parts, note("得点率、得点 / 配点、正答数 / 問題数。"))


def _group_cell(row: Mapping[str, Any] | None) -> Html:
    points, total = (finite(row.get(key)) if row else None for key in ("points", "total"))
    if row is None or points is None:
        return el("td", MISSING)
    return el(
        "td",
        percent(points / total) if total else MISSING,
        el("small", f"{count(points)} / {count(total)} 点"),
        el("small", f"{count(row.get('right'))} / {count(row.get('n'))} 問"),
    )


def _papers(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Points by paper: a folded table for each model."""
    by_part = [row for row in rows if row.get("part")]
    tables = []
    for way in dict.fromkeys(_way(row) for row in by_part):
        own = [row for row in by_part if _way(row) == way]
        papers = sorted({str(row["part"]) for row in own})
        years = list(dict.fromkeys(str(row.get("group") or "") for row in own))
        cells = {(str(row.get("group") or ""), str(row["part"])): row for row in own}
        body: list[Sequence[Child]] = [
            [year, *(_group_cell(cells.get((year, paper))) for paper in papers)] for year in years
        ]
        title = " · ".join(filter(None, (model_name(way[0]), mode_name(way[1]) if way[1] != BASELINE_MODE else "")))
        tables.append(
            bulk(
                f"問題区分別の得点：{title}",
                table(["年度", *papers], body, label=f"問題区分別の得点：{title}", kind="wide"),
            )
        )
    return join(*tables)
