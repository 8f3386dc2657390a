"""IgakuQA: the Japanese medical licensing examinations of 2018-2022.

Does: read the question files of a folder with one folder a year (parts A-F), and score prediction files as published.
Does not: ask a model, or read the metadata files.

Source: https://github.com/jungokasai/IgakuQA (Kasai et al. 2023, arXiv 2303.18027).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.benchmarks.exams import choices_field, letters_field, strings_field, text_field, unique_rows
from igakulm.benchmarks.items import LETTERS, Item
from igakulm.errors import InputError
from igakulm.files import read_jsonl
from igakulm.recipe.schema import Igakuqa

TASK = "igakuqa"
EVERY_ANSWER_COUNTS = frozenset({"116A71"})
"""Questions that were withdrawn with full marks for everybody."""


def load_questions(config: Igakuqa) -> list[Item]:
    """All questions in the order of years and parts; with `text_only`, those without an image.

    Numeric questions have the kind `number`, and their answer is digits only, as on the mark sheet ("7.20" -> "720").

    Raises:
        InputError: a missing folder or year, or a wrong row (file and row are named).
    """
    items: list[Item] = []
    seen: set[str] = set()
    for year, path in question_files(Path(config.path), config.years):
        for row, where in unique_rows(path, "problem_id"):
            item = _item(row, year, where)
            if item.id in seen:
                raise InputError(f"the problem {item.id} occurs in two files", where=where)
            seen.add(item.id)
            if row.get("text_only") is True or not config.text_only:
                items.append(item)
    return items


def question_files(folder: Path, years: tuple[int, ...] = ()) -> list[tuple[str, Path]]:
    """(year, file) of every part, sorted; metadata files are left out. `folder` may also be the one that holds `data`.

    Raises:
        InputError: no year folder, or a wanted year without files.
    """
    if (folder / "data").is_dir():
        folder = folder / "data"
    found = sorted(path.name for path in folder.glob("[0-9][0-9][0-9][0-9]") if path.is_dir())
    if not found:
        raise InputError("no folder of a year in it", where=str(folder), mend="point at IgakuQA's folder `data`")
    wanted = [str(year) for year in sorted(set(years))] or found
    files: list[tuple[str, Path]] = []
    for year in wanted:
        parts = sorted(path for path in (folder / year).glob("*.jsonl") if not path.stem.endswith("metadata"))
        if not parts:
            raise InputError(
                f"no questions of {year}", where=str(folder / year), mend="years present: " + ", ".join(found)
            )
        files.extend((year, path) for path in parts)
    return files


def _item(row: dict[str, Any], year: str, where: str) -> Item:
    question = text_field(row, "problem_text", where)
    numeric = not row.get("choices")
    choices = () if numeric else choices_field(row, where, blank=row.get("text_only") is not True)
    answers = _digits(row, where) if numeric else _letters(row, choices, where)
    return Item(
        id=text_field(row, "problem_id", where),
        task=TASK,
        kind="number" if numeric else "choice",
        question=question,
        choices=choices,
        answer=answers[0],
        document=question,
        wanted=len(answers[0]),
        points=_points(row, where),
        group=year,
        also=answers[1:],
    )


def _letters(row: dict[str, Any], choices: tuple[str, ...], where: str) -> tuple[tuple[str, ...], ...]:
    """All accepted answers, the official one first; "a or d" (problem 112B30) names two single ones."""
    given = strings_field(row, "answer", where)
    ways = [[part] for part in given[0].split(" or ")] if len(given) == 1 else [list(given)]
    answers = [letters_field({"answer": way}, len(choices), where) for way in ways]
    if row["problem_id"] in EVERY_ANSWER_COUNTS:
        answers.extend((letter,) for letter in LETTERS[: len(choices)] if (letter,) not in answers)
    return tuple(answers)


def _digits(row: dict[str, Any], where: str) -> tuple[tuple[str, ...], ...]:
    values = strings_field(row, "answer", where)
    digits = re.sub(r"\D", "", values[0]) if len(values) == 1 else ""
    if not digits:
        raise InputError(f"the answer of a question without choices must be one number, not {values!r}", where=where)
    return ((digits,),)


def _points(row: Mapping[str, Any], where: str) -> int:
    points = str(row.get("points", ""))
    if not re.fullmatch(r"\d{1,2}", points):
        raise InputError(f"points must be a small whole number, not {points!r}", where=where)
    return int(points)


def score_predictions(data_dir: Path, predictions_dir: Path, system: str) -> dict[str, Any]:
    """Points that a system's published predictions earn, year by year.

    The published figures are the mean over years of points divided by all points of the year, image questions
    included. The published scorer takes "a, b" with a space for wrong; `…_tolerant` accepts such spellings, and numbers
    by their digits.

    Args:
        data_dir: IgakuQA's folder `data`, or the folder that holds it.
        predictions_dir: a folder with `YEAR/PART_SYSTEM.jsonl`.
        system: the SYSTEM of the file names.

    Returns:
        {"system", "years": {year: {"points", "points_tolerant", "total"}}, "score_share_mean",
        "score_share_mean_tolerant"}; the means are percentages.

    Raises:
        InputError: a missing file, or a question without a prediction.
    """
    years: dict[str, dict[str, int]] = {}
    for year, path in question_files(data_dir):
        said = _predictions(predictions_dir / year / f"{path.stem}_{system}.jsonl")
        points = years.setdefault(year, {"points": 0, "points_tolerant": 0, "total": 0})
        for row, where in unique_rows(path, "problem_id"):
            identifier, worth, gold = row["problem_id"], _points(row, where), strings_field(row, "answer", where)
            if identifier not in said:
                raise InputError(f"no prediction for {identifier}", where=str(predictions_dir / year))
            points["total"] += worth
            points["points"] += worth * counts_upstream(identifier, gold, said[identifier])
            points["points_tolerant"] += worth * counts_tolerant(identifier, gold, said[identifier])
    return {
        "system": system,
        "years": years,
        "score_share_mean": _mean_percent(years, "points"),
        "score_share_mean_tolerant": _mean_percent(years, "points_tolerant"),
    }


def _mean_percent(years: Mapping[str, Mapping[str, int]], key: str) -> float:
    return 100 * sum(points[key] / points["total"] for points in years.values() if points["total"]) / len(years)


def counts_upstream(identifier: str, gold: Sequence[str], said: str) -> bool:
    """The published rule: split at commas, sort, compare; two questions have rules of their own.

    >>> counts_upstream("112A1", ["a", "d"], "d,a"), counts_upstream("112A1", ["a", "d"], "a, d")
    (True, False)
    """
    parts = sorted(said.split(","))
    return identifier in EVERY_ANSWER_COUNTS or parts in _accepted(gold)


def counts_tolerant(identifier: str, gold: Sequence[str], said: str) -> bool:
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


def _accepted(gold: Sequence[str]) -> list[list[str]]:
    """The accepted answers: "a or d" (problem 112B30) stands for two."""
    return [[way] for way in gold[0].split(" or ")] if len(gold) == 1 else [sorted(gold)]


def _predictions(path: Path) -> dict[str, str]:
    said: dict[str, str] = {}
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row.get("problem_id"), str) or not isinstance(row.get("prediction"), str):
            raise InputError("a prediction needs the texts problem_id and prediction", where=f"{path}, row {number}")
        said[row["problem_id"]] = row["prediction"]
    return said
