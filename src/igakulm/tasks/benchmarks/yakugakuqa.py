"""YakugakuQA: the Japanese pharmacist licensing examinations of 2012-2024.

Does: read a clone of the repository (`data/YEAR/NNN.jsonl`) or the one file `data.jsonl` of the data set.
Does not: read the forms of right answers (exam_answers.py), or score.

Source: https://github.com/EQUES-Inc/pharma-LLM-eval (CC BY 4.0 as stated by the data set's card).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarkSet
from igakulm.tasks.benchmarks.benchmark import Benchmark
from igakulm.tasks.exams import read_exam
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import Screen

TASK = "yakugakuqa"
FIRST_YEAR = 1915
"""The 97th examination was that of 2012."""


def load_test(config: BenchmarkSet, screen: Screen) -> dict[str, list[Item]]:
    """All questions that text answers, in the order of years.

    Raises:
        InputError: no file of an examination, or none of the wanted years.
    """
    items: list[Item] = []
    for path in exam_files(Path(config.path)):
        found = [replace(item, group=_year(item.id)) for item in read_exam(path, TASK, screen)]
        items += [item for item in found if not config.years or int(item.group or 0) in config.years]
    if not items:
        raise InputError("no question is left of the chosen years", where=config.path)
    return {TASK: items}


def exam_files(folder: Path) -> list[Path]:
    """One file for each examination, or the one of all; the files of single papers hold the same questions again.

    Raises:
        InputError: there is none.
    """
    if folder.is_file():
        return [folder]
    found = sorted(path for path in folder.rglob("*.jsonl") if re.fullmatch(r"\d{3}|data", path.stem))
    if not found:
        hint = "point at a clone of the repository, or at data.jsonl"
        raise InputError("no examination of YakugakuQA in it", where=str(folder), hint=hint)
    return found


def _year(identifier: str) -> str:
    """The year from the number of the examination, which begins an id.

    >>> _year("097A001"), _year("109345"), _year("97001")
    ('2012', '2024', '2012')
    """
    found = re.match(r"(\d{3})[A-F]|(\d{2,3})\d{3}$", identifier)
    return str(int(found[1] or found[2]) + FIRST_YEAR) if found else ""


BENCHMARK = Benchmark(
    name=TASK,
    title="YakugakuQA",
    source="https://github.com/EQUES-Inc/pharma-LLM-eval",
    licences={TASK: "CC BY 4.0"},
    load_test=load_test,
    without_images="text-only",
    with_images="text-only",
    reads=frozenset({"years"}),
)
