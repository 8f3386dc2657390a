"""IgakuQA: the Japanese medical licensing examinations of 2018-2022.

Does: read the question files of a folder with one folder a year (parts A-F), and from the metadata files which choices
are contra-indicated. Does not: ask a model, or score (evaluation/igakuqa_predictions.py, evaluation/passing.py).

Source: https://github.com/jungokasai/IgakuQA (Kasai et al. 2023, arXiv 2303.18027).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.recipe.schema import Igakuqa
from igakulm.tasks.exams import choices_field, letters_field, strings_field, text_field, unique_rows
from igakulm.tasks.items import LETTERS, Item

TASK = "igakuqa"
EVERY_ANSWER_COUNTS = frozenset({"116A71"})
"""Questions that were withdrawn with full marks for everybody."""


def load_questions(config: Igakuqa) -> list[Item]:
    """All questions in the order of years and parts; with `text_only`, those without an image.

    `part` is the paper's letter, `forbidden` the contra-indicated choices where the metadata files name any. Numeric
    questions have the kind `number`, and their answer is digits only, as on the mark sheet ("7.20" -> "720").

    Raises:
        InputError: a missing folder or year, or a wrong row (file and row are named).
    """
    items: list[Item] = []
    seen: set[str] = set()
    for year, path in question_files(Path(config.path), config.years):
        if config.parts and part_of(path) not in config.parts:
            continue
        forbidden = forbidden_choices(path)
        for row, where in unique_rows(path, "problem_id"):
            item = replace(_item(row, year, where), part=part_of(path), forbidden=forbidden.get(row["problem_id"], ()))
            if item.id in seen:
                raise InputError(f"the problem {item.id} occurs in two files", where=where)
            seen.add(item.id)
            if row.get("text_only") is True or not config.text_only:
                items.append(item)
    if not items:
        raise InputError("no question is left of the chosen years and parts", where=config.path)
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
        raise InputError("no folder of a year in it", where=str(folder), hint="point at IgakuQA's folder `data`")
    wanted = [str(year) for year in sorted(set(years))] or found
    files: list[tuple[str, Path]] = []
    for year in wanted:
        parts = sorted(path for path in (folder / year).glob("*.jsonl") if not path.stem.endswith("metadata"))
        if not parts:
            raise InputError(
                f"no questions of {year}", where=str(folder / year), hint="years present: " + ", ".join(found)
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
        points=points_of(row, where),
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


def points_of(row: Mapping[str, Any], where: str) -> int:
    """The points of a question.

    Raises:
        InputError: not a small whole number.
    """
    points = str(row.get("points", ""))
    if not re.fullmatch(r"\d{1,2}", points):
        raise InputError(f"points must be a small whole number, not {points!r}", where=where)
    return int(points)


def forbidden_choices(path: Path) -> dict[str, tuple[str, ...]]:
    """Problem to the letters (capitals) of its contra-indicated choices, from the metadata file of a part.

    The metadata's authors name them; the Ministry does not publish which choices they are. Problems without any are
    left out; where there is no such file, nothing is known and the answer is empty.

    Raises:
        InputError: a row without a problem id, one that occurs twice, or a field `kinki` that is no list of texts.
    """
    metadata = path.with_name(f"{path.stem}_metadata.jsonl")
    if not metadata.is_file():
        return {}
    rows = [(row, where) for row, where in unique_rows(metadata, "problem_id") if row.get("kinki") is not None]
    named = {row["problem_id"]: _letters_in(strings_field(row, "kinki", where, blank=True)) for row, where in rows}
    return {identifier: letters for identifier, letters in named.items() if letters}


def _letters_in(texts: Iterable[str]) -> tuple[str, ...]:
    """All letters that the texts name, in whatever way they are written.

    >>> _letters_in(["d", " e"]), _letters_in(["ｂ"]), _letters_in(["abd"])
    (('D', 'E'), ('B',), ('A', 'B', 'D'))
    """
    return tuple(sorted(set(re.findall(r"[A-J]", unicodedata.normalize("NFKC", " ".join(texts)).upper()))))


def part_of(path: Path) -> str:
    """The paper's letter from a name such as `112-A.jsonl`; "" for other names.

    >>> part_of(Path("2018/112-A.jsonl"))
    'A'
    """
    found = re.search(r"-([A-F])$", path.stem)
    return found[1] if found else ""
