"""IgakuQA's published prediction files, scored as its authors do.

Does: read `YEAR/PART_SYSTEM.jsonl`, add up points by year and part, say which years would have been passed.
Does not: ask a model (ask_items.py).

Source: https://github.com/jungokasai/IgakuQA (Kasai et al. 2023, arXiv 2303.18027).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.evaluation.passing import Marked, of_year, part_row, passing_row
from igakulm.files import read_jsonl
from igakulm.tasks.benchmarks.igakuqa import EVERY_ANSWER_COUNTS, PASSING, forbidden_choices, part_of, question_files
from igakulm.tasks.exams import points_of
from igakulm.tasks.fields import strings_field, unique_rows


def score_predictions(data_dir: Path, predictions_dir: Path, system: str) -> dict[str, Any]:
    """Points that a system's published predictions earn, year by year.

    The published figures are the mean over years of points divided by all points of the year, image questions
    included. The published scorer takes "a, b" with a space for wrong; `…_tolerant` accepts such spellings, and numbers
    by their digits. Parts and passes go by the published rule.

    Args:
        data_dir: IgakuQA's folder `data`, or the folder that holds it.
        predictions_dir: a folder with `YEAR/PART_SYSTEM.jsonl`.
        system: the SYSTEM of the file names.

    Returns:
        {"system", "years": {year: {"points", "points_tolerant", "total", "parts": {part: {"points", "total", "right",
        "n"}}, "passing": see `passing_row`}}, "score_share_mean", "score_share_mean_tolerant"}; the means are
        percentages.

    Raises:
        InputError: a missing file, or a question without a prediction.
    """
    said = read_predictions(data_dir, predictions_dir, system)
    strict: list[Marked] = []
    tolerant: list[Marked] = []
    known: set[str] = set()
    for year, path in question_files(data_dir):
        forbidden = forbidden_choices(path)
        known |= {year} if forbidden else set()
        for row, where in unique_rows(path, "problem_id"):
            identifier, worth = row["problem_id"], points_of(row.get("points", ""), where)
            gold = strings_field(row, "answer", where)
            text = said[identifier]
            chosen = bool(set(forbidden.get(identifier, ())) & {part.upper() for part in _parts(text)})
            strict.append(Marked(year, part_of(path), worth, counts_upstream(identifier, gold, text), chosen))
            tolerant.append(Marked(year, part_of(path), worth, counts_tolerant(identifier, gold, text), chosen))
    years = {year: _year(year, strict, tolerant, known) for year in sorted({question.year for question in strict})}
    return {
        "score_share_mean": _mean_percent(years, "points"),
        "years": years,
        "score_share_mean_tolerant": _mean_percent(years, "points_tolerant"),
        "system": system,
    }


def _year(year: str, strict: Sequence[Marked], tolerant: Sequence[Marked], known: set[str]) -> dict[str, object]:
    questions = of_year(strict, year)
    points = part_row(questions)
    return {
        "points": points["points"],
        "points_tolerant": part_row(of_year(tolerant, year))["points"],
        "total": points["total"],
        "parts": {
            part: part_row([question for question in questions if question.part == part])
            for part in sorted({question.part for question in questions})
        },
        "passing": passing_row(year, questions, PASSING, contraindications=year in known),
    }


def _mean_percent(years: Mapping[str, Mapping[str, Any]], key: str) -> float:
    """Rounded to two digits, as the figures are published."""
    shares: list[float] = [points[key] / points["total"] for points in years.values() if points["total"]]
    return round(100 * sum(shares) / len(years), 2)


def counts_upstream(identifier: str, gold: Sequence[str], said: str) -> bool:
    """The published rule: split at commas, sort, compare; two questions have rules of their own.

    >>> counts_upstream("112A1", ["a", "d"], "d,a"), counts_upstream("112A1", ["a", "d"], "a, d")
    (True, False)
    """
    parts = sorted(said.split(","))
    return identifier in EVERY_ANSWER_COUNTS or parts in [sorted(gold), *_accepted(gold)]


def counts_tolerant(identifier: str, gold: Sequence[str], said: str) -> bool:
    """The same with spaces, capitals, full-width letters and decimal points forgiven.

    >>> counts_tolerant("112A1", ["a", "d"], "Ａ, d"), counts_tolerant("116F74", ["04"], "0.4")
    (True, True)
    """
    if re.fullmatch(r"[\d.]+", gold[0]):
        text, digits = unicodedata.normalize("NFKC", said), re.sub(r"\D", "", gold[0])
        return bool(re.fullmatch(r"\s*[\d.,]+\s*", text)) and re.sub(r"\D", "", text) == digits
    return identifier in EVERY_ANSWER_COUNTS or _parts(said) in _accepted(gold)


def _parts(said: str) -> list[str]:
    """What stands between the commas, sorted and each once: small letters, without spaces and full stops."""
    text = unicodedata.normalize("NFKC", said).lower()
    return sorted({part.strip(" .。") for part in re.split(r"[,、]", text)})


def _accepted(gold: Sequence[str]) -> list[list[str]]:
    """The accepted answers: "a or d" (problem 112B30) stands for two."""
    return [[way] for way in gold[0].split(" or ")] if len(gold) == 1 else [sorted(gold)]


def read_predictions(
    data_dir: Path, predictions_dir: Path, system: str, years: tuple[int, ...] = (), parts: Sequence[str] = ()
) -> dict[str, str]:
    """The raw predictions of a system by problem id, of the years and parts in `data_dir` (empty = all).

    Raises:
        InputError: a missing file, a malformed row, or a question without a prediction.
    """
    said: dict[str, str] = {}
    for year, path in question_files(data_dir, years):
        if parts and part_of(path) not in parts:
            continue
        found = _predictions(predictions_dir / year / f"{path.stem}_{system}.jsonl")
        for row, _ in unique_rows(path, "problem_id"):
            if row["problem_id"] not in found:
                raise InputError(f"no prediction for {row['problem_id']}", where=str(predictions_dir / year))
            said[row["problem_id"]] = found[row["problem_id"]]
    return said


def _predictions(path: Path) -> dict[str, str]:
    said: dict[str, str] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row.get("problem_id"), str) or not isinstance(row.get("prediction"), str):
            raise InputError("a prediction needs the texts problem_id and prediction", where=f"{path}, row {number}")
        said[row["problem_id"]] = row["prediction"]
    return said
