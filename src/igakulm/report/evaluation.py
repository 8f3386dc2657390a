"""The report on an evaluation: a page of its own, and the section on scores of a whole run's report.

Does: put the parts together from `scoreboard.json` and the answers beside it. Does not: measure, look at the clock, or
refer to any other file or address: the page opens offline.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import BASELINE_MODE
from igakulm.files import write_text
from igakulm.manifest import read_manifest
from igakulm.report.answers import answers_part
from igakulm.report.definitions import definitions_part, origin_part
from igakulm.report.details import details_part
from igakulm.report.exam import exam_part
from igakulm.report.learning_curve import learning_curve_part
from igakulm.report.numbers import Language, count, moment
from igakulm.report.page import Part, page
from igakulm.report.paired import paired_part
from igakulm.report.published import leakage_part, published_part
from igakulm.report.render import render
from igakulm.report.scores import scores_part
from igakulm.report.words import words

REPORT = "report.html"


def build_evaluation_report(folder: Path, title: str, language: Language = "ja") -> Path:
    """Write `folder/report.html` from the folder's scoreboard and answers; the same folder gives the same bytes.

    Args:
        folder: holds `scoreboard.json`, the files of answers that it names and, where a stage wrote it, a manifest.
        title: the page's heading.
        language: of the page.

    Returns:
        The page.

    Raises:
        InputError: no scoreboard, or a damaged file.
    """
    t, board, manifest = words(language), Board.read(folder), read_manifest(folder)
    bodies = _parts(board, 3, language)
    bodies["curve"] = learning_curve_part(folder, language)
    bodies["provenance"] = definitions_part(board, 3, language) + origin_part(board, manifest, 3, language)
    text = page(
        t("evaluation.title", name=title),
        [Part(anchor, t(f"evaluation.{anchor}"), body) for anchor, body in bodies.items() if body],
        language,
        kind=t("evaluation.kind"),
        heading=title,
        header=render("figures.html.j2", language, figures=_key_figures(board, language)) if board.tasks else None,
        footer=t("evaluation.footer"),
        finished=moment([manifest.finished]) if manifest else "",
    )
    write_text(folder / REPORT, text)
    return folder / REPORT


def evaluation_section(board: Board, language: Language) -> Markup:
    """Everything about the scores, as one section of a whole run's report."""
    t = words(language)
    bodies = _parts(board, 4, language) if board.tasks else {}
    if bodies:
        bodies["definitions"] = definitions_part(board, 4, language)
    parts = [(t(f"evaluation.{anchor}"), body) for anchor, body in bodies.items() if body]
    return render("evaluation.html.j2", language, parts=parts)


def _parts(board: Board, level: int, language: Language) -> dict[str, Markup]:
    return {
        "scores": scores_part(board, level, language),
        "paired": paired_part(board, level, language),
        "details": details_part(board, level, language),
        "exam": exam_part(board, level, language),
        "leakage": leakage_part(board, level, language),
        "answers": answers_part(board, level, language),
        "published": published_part(board, language),
    }


def _key_figures(board: Board, language: Language) -> list[tuple[str, str]]:
    models: dict[str, set[str]] = {"model": set(), BASELINE_MODE: set()}
    for score in (score for task in board.tasks for score in task.scores):
        models[score.role].add(score.model)
    found = {
        "models": len(models["model"]),
        "baselines": len(models[BASELINE_MODE]),
        "tasks": len(board.first_tasks),
        "items": sum(task.n or 0 for task in board.first_tasks),
        "splits": len(board.splits),
    }
    return [(words(language)(f"figure.{key}"), count(number)) for key, number in found.items()]
