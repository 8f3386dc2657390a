"""KokushiMD-10: ten Japanese licensing examinations of health professions, 2020-2024.

Does: read the repository's folder `exams/JA/PROFESSION/*.json`, each a list of questions with options under their
letters or numbers. Does not: read the forms of right answers (exam_answers.py), or score.

Source: https://github.com/juniorliu95/KokushiMD-10 (MIT; arXiv 2506.11114). Its repository holds the scorer, which says
what fields the files have; the files themselves are given by its authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.recipe.schema import BenchmarkSet
from igakulm.tasks.benchmarks.benchmark import Benchmark
from igakulm.tasks.exams import exam_item
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import OddRow, Screen

PROFESSIONS = ("医師", "歯科", "看護", "保健", "助産", "薬剤", "診療", "理学", "作業", "視能")
TASKS = {name: f"kokushimd-{number}" for number, name in enumerate(PROFESSIONS, 1)}
LABELS = ("abcdefghijklmno", tuple(str(number) for number in range(1, 16)))


def load_test(config: BenchmarkSet, screen: Screen) -> dict[str, list[Item]]:
    """Profession to questions that text answers; `kokushimd-1` is 医師, in the order of `PROFESSIONS`.

    Raises:
        InputError: no examination in the folder.
    """
    folder = Path(config.path)
    found: dict[str, list[Item]] = {}
    for profession, task in TASKS.items():
        if config.tasks and task not in config.tasks:
            continue
        items: list[Item] = []
        for path in sorted(folder.rglob(f"{profession}_*.json")):
            if not config.years or _year(path) in map(str, config.years):
                items += _questions(path, task, screen)
        if items:
            found[task] = items
    if not found:
        hint = "point at the folder exams/JA, with 医師/医師_2024_a.json and so on"
        raise InputError("no examination of KokushiMD-10 in it", where=str(folder), hint=hint)
    return found


def _questions(path: Path, task: str, screen: Screen) -> list[Item]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError("this is no list of questions", where=str(path))
    year = _year(path)
    items: list[Item] = []
    for number, row in enumerate(rows, 1):
        identifier = f"{path.stem}-{row.get('index', number) if isinstance(row, dict) else number}"
        try:
            items.append(exam_item(_row(row, identifier, year), task, f"{path}, question {number}"))
        except OddRow as odd:
            screen.leave_out(task, identifier, odd)
    return items


def _year(path: Path) -> str:
    """The year in a name such as 医師_2024_a.json."""
    return path.stem.partition("_")[2][:4]


def _row(row: object, identifier: str, year: str) -> dict[str, Any]:
    """The fields that an examination row has here."""
    if not isinstance(row, dict):
        raise OddRow("broken-line", "this question is no object")
    if "corrected_question_index" in row:
        raise OddRow("voided", "its own scorer does not count it (corrected_question_index)")
    labels = next((labels for labels in LABELS if labels[0] in row), ())
    choices = [row[label] for label in labels if row.get(label) not in (None, "")]
    return {
        "id": identifier,
        "question": row.get("question"),
        "choices": choices or row.get("choices"),
        "answer": row.get("answer"),
        "points": row.get("points", 1),
        "text_only": row.get("text_only", True),
        "year": year,
    }


BENCHMARK = Benchmark(
    name="kokushimd",
    title="KokushiMD-10",
    source="https://github.com/juniorliu95/KokushiMD-10",
    licences=dict.fromkeys(TASKS.values(), "MIT"),
    load_test=load_test,
    without_images="text-only",
    with_images="text-only",
    reads=frozenset({"years"}),
    aliases=TASKS,
)
