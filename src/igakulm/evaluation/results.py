"""A model's scores as a small JSON object, for scripts that call `igakulm evaluate … --json`.

Does: pick the rows of one model from a scoreboard. Does not: compute scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CONTEXT = (
    *("n", "documents", "split", "answer_mode", "prompt_style", "prompt_sha256"),
    *("unparsed", "truncated", "cut", "unanswered"),
)


def task_results(board: Mapping[str, Any], model: str) -> dict[str, dict[str, Any]]:
    """Task -> its scores: `*_upstream` as numbers, the corrected metrics as {"value", "low", "high"}, and what they
    were measured on. The first split and answer mode stand there directly, further ones in the list `also`.
    """
    found: dict[str, dict[str, Any]] = {}
    for column in _columns([row for row in board["rows"] if row["model"] == model]):
        entry = {key: column[0][key] for key in CONTEXT if key in column[0]}
        entry |= {row["metric"]: _figure(row) for row in column}
        where = [column[0][key] for key in ("model", "task", "split", "answer_mode")]
        for detail in board.get("details", ()):
            if [detail[key] for key in ("model", "task", "split", "answer_mode")] == where:
                entry |= {key: detail[key] for key in ("classes", "calibration", "subgroups") if detail[key]}
        left_out = board.get("left_out", {}).get(column[0]["task"])
        entry |= {"left_out": left_out} if left_out else {}
        first = found.setdefault(column[0]["task"], entry)
        if first is not entry:
            first.setdefault("also", []).append(entry)
    return found


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    columns: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        columns.setdefault((row["task"], row["split"], row["answer_mode"]), []).append(row)
    return list(columns.values())


def _figure(row: Mapping[str, Any]) -> float | dict[str, float]:
    if row["metric"].endswith("_upstream"):
        return float(row["value"])
    return {"value": row["value"], "low": row["low"], "high": row["high"]}


def igakuqa_results(board: Mapping[str, Any], model: str, task: str = "igakuqa") -> dict[str, Any]:
    """{"score_share_mean" in per cent, "interval", "years": {year: {"points", "total", "right", "n", "parts"}},
    "passing", "accuracy" and what they were measured on}; of the first answer mode.
    """
    entry = task_results(board, model)[task]
    share, mode = entry["score_share"], entry["answer_mode"]
    years: dict[str, dict[str, Any]] = {}
    for row in board["groups"]:
        if (row["model"], row["answer_mode"]) != (model, mode):
            continue
        figures = {key: row[key] for key in ("points", "total", "right", "n")}
        year = years.setdefault(row["group"], {"points": 0, "total": 0, "right": 0, "n": 0, "parts": {}})
        if row["part"]:
            year["parts"][row["part"]] = figures
        else:
            year.update(figures)
    passing = [row for row in board["passing"] if (row["model"], row["answer_mode"]) == (model, mode)]
    kept = ("model", "answer_mode")
    return {
        "score_share_mean": 100 * share["value"],
        "interval": [100 * share["low"], 100 * share["high"]],
        "years": years,
        "passing": [{key: value for key, value in row.items() if key not in kept} for row in passing],
        **{key: value for key, value in entry.items() if key != "score_share"},
    }
