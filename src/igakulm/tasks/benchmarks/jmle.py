"""The Japanese medical licensing examination of one year in one JSON file (JMLE2026-Bench, the 120th).

Does: read `jmle2026_dataset.json`, a list of questions whose options stand as lines in the question's text; split them
off, give the year and the paper. Does not: read the forms of right answers (exam_answers.py), or look at pictures.

Source: https://github.com/naoto-iwase/JMLE2026-Bench (code MIT; the questions are the Ministry's).
"""

from __future__ import annotations

import re
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.recipe.schema import BenchmarkSet
from igakulm.tasks.benchmarks.benchmark import NOT_STATED, Benchmark
from igakulm.tasks.exams import exam_item
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import OddRow, Screen

TASK = "jmle"
FIRST_YEAR = 1906
"""The 120th examination was that of 2026."""
CALCULATION = "calculation"
_OPTION = re.compile(r"(?m)^[\s　]*([a-eａ-ｅ])[\s　．.)）、]+(?=\S)")
_NUMBER = re.compile(r"^\s*\d{1,3}[\s　]+")


def load_test(config: BenchmarkSet, screen: Screen) -> dict[str, list[Item]]:
    """All questions that text answers.

    Raises:
        InputError: no file of questions, or none of the wanted years and parts is left.
    """
    items: list[Item] = []
    for path in _files(Path(config.path)):
        items += _questions(path, config, screen)
    if not items:
        raise InputError("no question is left of the chosen years and parts", where=config.path)
    return {TASK: items}


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    found = sorted(place.glob("*dataset*.json"))
    if not found:
        hint = "point at a clone of the repository, or at jmle2026_dataset.json"
        raise InputError("no examination of JMLE in it", where=str(place), hint=hint)
    return found


def _questions(path: Path, config: BenchmarkSet, screen: Screen) -> list[Item]:
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError("this is no list of questions", where=str(path))
    items: list[Item] = []
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        where = f"{path}, question {number}"
        identifier = str(row.get("question_id", "")) if isinstance(row, dict) else ""
        try:
            made = _row(row, where)
            wanted_year = not config.years or made["year"] in {str(year) for year in config.years}
            if not wanted_year or (config.parts and made["part"] not in config.parts):
                continue
            item = exam_item(made, TASK, where)
            if item.id in seen:
                raise OddRow("same-id", f"the id {item.id!r} occurs before", where=where)
        except OddRow as odd:
            screen.leave_out(TASK, identifier, odd)
            continue
        seen.add(item.id)
        items.append(item)
    return items


def _row(row: object, where: str) -> dict[str, object]:
    """The fields that an examination row has here."""
    if not isinstance(row, dict):
        raise OddRow("broken-line", "this question is no object", where=where)
    identifier, text = row.get("question_id"), row.get("question_text")
    if not isinstance(identifier, str) or not isinstance(text, str):
        raise OddRow("wrong-field", "question_id and question_text are texts", where=where)
    found = re.match(r"(\d{2,3})([A-F])", identifier)
    numeric = row.get("question_type") == CALCULATION
    question, choices = (text, ()) if numeric else divided(text)
    if not numeric and not choices and row.get("requires_image") is not True:
        raise OddRow("wrong-choices", "the options a, b, c … do not stand in the question's text", where=where)
    return {
        "id": identifier,
        "question": _NUMBER.sub("", question).strip(),
        "choices": list(choices),
        "answer": row.get("answer"),
        "text_only": row.get("requires_image") is not True,
        "year": str(int(found[1]) + FIRST_YEAR) if found else "",
        "part": found[2] if found else "",
    }


def divided(text: str) -> tuple[str, tuple[str, ...]]:
    """A question and its options: the last lines that begin with a, b, c … in turn; no options where there are none.

    >>> divided("1　どれか。\\n\\na　甲\\nb　乙の\\n続き\\n c　丙")
    ('1　どれか。', ('甲', '乙の\\n続き', '丙'))
    >>> divided("体温は何度か。")
    ('体温は何度か。', ())
    """
    marks = list(_OPTION.finditer(text))
    letters = ["abcde"["abcdeａｂｃｄｅ".index(mark[1]) % 5] for mark in marks]
    start = next((place for place in reversed(range(len(marks))) if letters[place] == "a"), None)
    if start is None or letters[start:] != list("abcde"[: len(letters) - start]) or len(letters) - start < 2:
        return text, ()
    own = marks[start:]
    ends = [mark.start() for mark in own[1:]] + [len(text)]
    choices = tuple(
        re.sub(r"\n\s*\n", "\n", text[mark.end() : end]).strip() for mark, end in zip(own, ends, strict=True)
    )
    return text[: own[0].start()].strip(), choices


BENCHMARK = Benchmark(
    name=TASK,
    title="JMLE (JMLE2026-Bench)",
    source="https://github.com/naoto-iwase/JMLE2026-Bench",
    licences={TASK: NOT_STATED},
    load_test=load_test,
    without_images="text-only",
    with_images="text-only",
    reads=frozenset({"years", "parts"}),
)
