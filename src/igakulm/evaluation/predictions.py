"""IgakuQA predictions on disk, scored as the published figures are.

Does: read `DATA/YEAR/PART.jsonl` and `PREDICTIONS/YEAR/PART_SYSTEM.jsonl`, count points by year, average the years.
Does not: ask a model.

The published 78.2 / 55.0 / 42.1 are the mean over years of points earned divided by all points, image questions
included (https://github.com/jungokasai/IgakuQA). Its scorer takes "a, b" with a space for wrong; `mean_tolerant`
accepts such spellings, and numbers by their digits.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from igakulm.benchmarks.igakuqa import EVERY_ANSWER_COUNTS, question_files
from igakulm.errors import InputError
from igakulm.files import read_jsonl


def score_predictions(data_dir: Path, predictions_dir: Path, system: str) -> dict[str, Any]:
    """Points of one system: {"system", "years": {year: {earned, earned_tolerant, possible, share}}, "mean", …}.

    Means are fractions.

    Raises:
        InputError: a missing file, or a question without a prediction.
    """
    years: dict[str, dict[str, Any]] = {}
    for year, path in question_files(data_dir):
        said = _predictions(predictions_dir / year / f"{path.stem}_{system}.jsonl")
        points = years.setdefault(year, {"earned": 0, "earned_tolerant": 0, "possible": 0})
        for row in read_jsonl(path):
            identifier, worth = row["problem_id"], int(row["points"])
            if identifier not in said:
                raise InputError(f"no prediction for {identifier}", where=str(predictions_dir / year))
            points["possible"] += worth
            points["earned"] += worth * counts_upstream(identifier, row["answer"], said[identifier])
            points["earned_tolerant"] += worth * counts_tolerant(identifier, row["answer"], said[identifier])
    for points in years.values():
        points["share"] = points["earned"] / points["possible"]
    tolerant = [points["earned_tolerant"] / points["possible"] for points in years.values()]
    return {
        "system": system,
        "years": years,
        "mean": sum(points["share"] for points in years.values()) / len(years),
        "mean_tolerant": sum(tolerant) / len(tolerant),
    }


def counts_upstream(identifier: str, gold: list[str], said: str) -> bool:
    """The published rule: split at commas, sort, compare; two questions have rules of their own.

    >>> counts_upstream("112A1", ["a", "d"], "d,a"), counts_upstream("112A1", ["a", "d"], "a, d")
    (True, False)
    """
    parts = sorted(said.split(","))
    return identifier in EVERY_ANSWER_COUNTS or parts in _accepted(gold)


def counts_tolerant(identifier: str, gold: list[str], said: str) -> bool:
    """The same with spaces, capitals, full-width letters and decimal points forgiven.

    >>> counts_tolerant("112A1", ["a", "d"], "Ａ, d"), counts_tolerant("116F74", ["04"], "0.4")
    (True, True)
    """
    text = unicodedata.normalize("NFKC", said).lower()
    if re.fullmatch(r"[\d.]+", gold[0]):
        digits = re.sub(r"\D", "", gold[0])
        return bool(re.fullmatch(r"\s*[\d.,]+\s*", text)) and re.sub(r"\D", "", text) == digits
    parts = sorted({part.strip(" .。") for part in re.split(r"[,、]", text)})
    return identifier in EVERY_ANSWER_COUNTS or parts in _accepted(gold)


def _accepted(gold: list[str]) -> list[list[str]]:
    """The accepted answers: "a or d" (problem 112B30) stands for two."""
    return [[way] for way in gold[0].split(" or ")] if len(gold) == 1 else [sorted(gold)]


def _predictions(path: Path) -> dict[str, str]:
    said: dict[str, str] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row.get("problem_id"), str) or not isinstance(row.get("prediction"), str):
            raise InputError("a prediction needs the texts problem_id and prediction", where=f"{path}, row {number}")
        said[row["problem_id"]] = row["prediction"]
    return said
