"""What the page tells about the model: `GET /api/model`, read from the bundle when the server starts.

Does: join bundle.json, the model card and the scoreboard, with the names that the report uses. Does not: compute
scores, hash files (`igakulm verify` does), or read a plain model folder further than its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from igakulm.evaluation.comparisons import comparisons
from igakulm.evaluation.score_tables import Board, TaskScores, stands_beside
from igakulm.evaluation.scoreboard import SCOREBOARD, PublishedRow, Scoreboard, read_scoreboard
from igakulm.inference.model import Model
from igakulm.report.words import words
from igakulm.serving.opening import beside, first_shown, offers_chat

CARD = "MODEL_CARD.md"
LANGUAGES = {"## 日本語": "ja", "## English": "en"}


def model_routes(opened: Model) -> list[Route]:
    """The route of the page's third tab.

    Raises:
        InputError: a bundle whose scoreboard is damaged or of a newer version.
    """
    value = model_facts(opened)

    async def model(_: Request) -> Response:
        return JSONResponse(value)

    return [Route("/api/model", model, methods=["GET"])]


def model_facts(opened: Model) -> dict[str, Any]:
    """name, engine, context_length, model, gguf, files, digest, licences, versions, card_ja, card_en, scores; what is
    not there is empty. `chat`, `first` and `beside`: see opening.py.
    """
    folder = opened.folder
    card = split_card(_text(folder / CARD)) if folder else {}
    board = bundled_scoreboard(folder) if folder else Scoreboard()
    compared, chat = comparisons(Board(board)), offers_chat(opened)
    return {
        "name": opened.name,
        "engine": opened.kind,
        "context_length": opened.context_length,
        **{key: opened.description.get(key) or {} for key in ("model", "gguf", "files", "licences", "versions")},
        "card_ja": card.get("ja", ""),
        "card_en": card.get("en", ""),
        "scores": score_rows(board),
        "digest": opened.description.get("digest") or "",
        "chat": chat,
        "first": first_shown(opened.tasks, compared, chat),
        "beside": beside(compared),
    }


def split_card(text: str) -> dict[str, str]:
    """The Japanese and the English half of a model card; a card that is not in halves is Japanese as a whole.

    >>> split_card("---\\nx: 1\\n---\\n# m\\n\\n## 日本語\\n\\n甲\\n\\n## English\\n\\nb\\n")
    {'ja': '甲', 'en': 'b'}
    >>> split_card("甲")
    {'ja': '甲'}
    """
    parts: dict[str, list[str]] = {}
    language = ""
    for line in text.splitlines():
        language = LANGUAGES.get(line.strip(), language)
        if line.strip() not in LANGUAGES:
            parts.setdefault(language, []).append(line)
    found = {name: "\n".join(lines).strip() for name, lines in parts.items() if name}
    return found or ({"ja": text.strip()} if text.strip() else {})


def score_rows(scoreboard: Scoreboard) -> list[dict[str, object]]:
    """The rows of a scoreboard with names to show, and the published figures that may stand beside them.

    Each row has the fields of `Score` and model_ja, metric_ja, split_ja, mode_ja, and main (the task's first metric).
    Published figures have the role "published" and no interval.
    """
    rows = scoreboard.published
    return [row for task in Board(scoreboard).tasks for row in (*_measured(task), *_published(task, rows))]


def _measured(task: TaskScores) -> Iterable[dict[str, object]]:
    for score in task.scores:
        names = {**_names(score.model, score.metric, score.split), "mode_ja": words("ja").mode(score.answer_mode)}
        yield {**score.model_dump(mode="json"), **names, "main": score.metric == task.metric}


def _published(task: TaskScores, rows: Iterable[PublishedRow]) -> Iterable[dict[str, object]]:
    for row in rows:
        if row.value is None or row.metric not in task.metrics or not stands_beside(row, task):
            continue
        yield {
            "model": row.model,
            "task": task.name,
            "kind": task.kind,
            "metric": row.metric,
            "value": row.value,
            "split": task.split,
            "role": "published",
            **_names(row.model, row.metric, task.split),
            "main": row.metric == task.metric,
        }


def _names(model: str, metric: str, split: str) -> dict[str, str]:
    t = words("ja")
    meaning = t.known("metric", f"{metric}.meaning") or ""
    return {
        "model_ja": t.model(model),
        "metric_ja": t.metric(metric),
        "meaning_ja": meaning,
        "split_ja": t.split(split),
    }


def bundled_scoreboard(folder: Path) -> Scoreboard:
    """Of a bundle it lies in evaluation/; older ones have none."""
    place = folder / "evaluation"
    return read_scoreboard(place) if (place / SCOREBOARD).is_file() else Scoreboard()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
