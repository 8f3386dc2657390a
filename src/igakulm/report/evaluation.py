"""The report on an evaluation: a page of its own, and the section on scores of a whole run's report.

Does: put the parts together from `scoreboard.json` and the answers beside it. Does not: measure, look at the clock, or
refer to any other file or address: the page opens offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from igakulm.files import write_text
from igakulm.manifest import read_manifest
from igakulm.report.answers import answers_part
from igakulm.report.board import BASELINE_MODE, Board
from igakulm.report.definitions import definitions_part, origin_part
from igakulm.report.exam import exam_part
from igakulm.report.inputs import moment_text
from igakulm.report.page import Html, count, el, heading, join, note, page, section
from igakulm.report.paired import paired_part
from igakulm.report.published import leakage_part, published_part
from igakulm.report.scores import scores_part

REPORT = "report.html"
FOOTER = "IgakuLM が評価の記録から作成した。このページは外部のファイルを読み込まない。閉じた項目の中身は印刷されない。"


def build_evaluation_report(folder: Path, title: str) -> Path:
    """Write `folder/report.html` from the folder's scoreboard and answers; the same folder gives the same bytes.

    Args:
        folder: holds `scoreboard.json`, the files of answers that it names and, where a stage wrote it, a manifest.
        title: the page's heading.

    Returns:
        The page.

    Raises:
        InputError: no scoreboard, or a damaged file.
    """
    board = Board.read(folder)
    manifest = read_manifest(folder)
    finished = moment_text([manifest.finished]) if manifest else ""
    parts = [
        ("scores", "得点", scores_part(board, 3) if board.tasks else note("得点の記録がありません。")),
        ("paired", "比較", paired_part(board, 3)),
        ("exam", "国家試験", exam_part(board, 3)),
        ("leakage", "漏洩", leakage_part(board, 3)),
        ("answers", "答えの例", answers_part(board, 3)),
        ("published", "公表値", published_part(board)),
        ("provenance", "来歴と定義", join(definitions_part(board, 3), origin_part(board, manifest, 3))),
    ]
    shown = [part for part in parts if part[2]]
    sections = [section(anchor, number, name, body) for number, (anchor, name, body) in enumerate(shown, 1)]
    contents = [(anchor, name) for anchor, name, _ in shown]
    write_text(
        folder / REPORT, page(f"{title} — IgakuLM 評価", _header(title, finished, board), contents, sections, FOOTER)
    )
    return folder / REPORT


def evaluation_section(number: int, board: Board) -> Html:
    """Everything about the scores, as one section of a whole run's report."""
    if not board.tasks:
        return section("scores", number, "評価", note("この実行には評価の記録がありません。"))
    parts = [
        ("得点", scores_part(board, 4)),
        ("比較", paired_part(board, 4) if board.rows("paired") else Html("")),
        ("国家試験", exam_part(board, 4)),
        ("漏洩", leakage_part(board, 4)),
        ("答えの例", answers_part(board, 4)),
        ("公表値", published_part(board)),
        ("定義", definitions_part(board, 4)),
    ]
    return section("scores", number, "評価", *(join(heading(3, name), body) for name, body in parts if body))


def _header(title: str, finished: str, board: Board) -> Html:
    date = f" — {finished}" if finished else ""
    figures = [el("div", el("dt", name), el("dd", value)) for name, value in _key_figures(board)]
    return el(
        "header",
        el("p", f"IgakuLM 評価報告{date}", class_="kind"),
        el("h1", title),
        el("dl", figures, class_="figures") if board.tasks else None,
    )


def _key_figures(board: Board) -> Sequence[tuple[str, str]]:
    models: dict[str, set[str]] = {"model": set(), BASELINE_MODE: set()}
    for score in (score for task in board.tasks for score in task.scores):
        models[score.role].add(score.model)
    return [
        ("モデル", count(len(models["model"]))),
        ("基準線", count(len(models[BASELINE_MODE]))),
        ("課題", count(len(board.first_tasks))),
        ("問題", count(sum(task.n or 0 for task in board.first_tasks))),
        ("分割", count(len(board.splits))),
    ]
