"""IgakuQA: the Japanese medical licensing examinations of 2018-2022.

Does: read the question files of a folder with one folder a year (parts A-F), and from the metadata files which choices
are contra-indicated. Does not: ask a model, or score (evaluation/igakuqa_predictions.py, evaluation/passing.py).

Source: https://github.com/jungokasai/IgakuQA (Kasai et al. 2023, arXiv 2303.18027).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from igakulm.errors import InputError
from igakulm.recipe.schema import BenchmarkSet, Igakuqa
from igakulm.tasks.benchmarks.benchmark import NOT_STATED, Benchmark, PassMark, PassRule, PublishedScore
from igakulm.tasks.exam_answers import Answers, choices_of, digits_of, right_answers
from igakulm.tasks.exams import points_of
from igakulm.tasks.fields import Row, rows_of, strings_field, text_field, unique_rows
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.left_out import OddRow, Screen

TASK = "igakuqa"
EVERY_ANSWER_COUNTS = frozenset({"116A71"})
"""Questions that were withdrawn with full marks for everybody."""


def load_questions(config: Igakuqa | BenchmarkSet, screen: Screen | None = None) -> list[Item]:
    """All questions in the order of years and parts; with `text_only`, those without an image.

    `part` is the paper's letter, `forbidden` the contra-indicated choices where the metadata files name any. Numeric
    questions have the kind `number`, and their answer is digits only, as on the mark sheet ("7.20" -> "720").

    Args:
        config: the folder, and what is wanted of it.
        screen: takes the rows left out; None = the first odd row is an error.

    Raises:
        InputError: a missing folder or year, no question left, and what a strict screen raises.
    """
    screen = screen or Screen(strict=True)
    items: list[Item] = []
    seen: set[str] = set()
    for year, path in question_files(Path(config.path), config.years):
        if config.parts and part_of(path) not in config.parts:
            continue
        found = _items(path, year, screen, text_only=config.text_only)
        twice = next((item.id for item in found if item.id in seen), None)
        if twice is not None:
            raise InputError(f"the problem {twice} occurs in two files", where=str(path))
        seen |= {item.id for item in found}
        items += found
    if not items:
        raise InputError("no question is left of the chosen years and parts", where=config.path)
    return items


def _items(path: Path, year: str, screen: Screen, *, text_only: bool) -> list[Item]:
    """The questions of one paper."""
    forbidden = forbidden_choices(path)

    def build(row: Row, where: str) -> Item | None:
        plain = row.get("text_only") is True
        if text_only and not plain:
            screen.leave_out(TASK, str(row["problem_id"]), OddRow("image", "text cannot answer it", where=where))
            return None
        return _item(row, year, where, part_of(path), forbidden.get(row["problem_id"], ()), plain=plain)

    return [item for item in rows_of(path, TASK, build, screen, "problem_id") if item is not None]


def _load_test(config: BenchmarkSet, screen: Screen) -> dict[str, list[Item]]:
    return {TASK: load_questions(config, screen)}


def question_files(folder: Path, years: tuple[int, ...] = ()) -> list[tuple[str, Path]]:
    """(year, file) of every paper, sorted. `folder` may also be the one that holds `data`, as the repository does.

    The metadata (`112-A_metadata.jsonl`) and the translations (`112-A_translate.jsonl`) beside them are no papers.

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
        parts = sorted(path for path in (folder / year).glob("*.jsonl") if "_" not in path.stem)
        if not parts:
            raise InputError(
                f"no questions of {year}", where=str(folder / year), hint="years present: " + ", ".join(found)
            )
        files.extend((year, path) for path in parts)
    return files


def _item(row: Row, year: str, where: str, part: str, forbidden: tuple[str, ...], *, plain: bool) -> Item:
    question = text_field(row, "problem_text", where)
    numeric = not row.get("choices")
    choices = () if numeric else choices_of(row["choices"], where, blank=not plain)
    answers = digits_of(row.get("answer"), where) if numeric else _letters(row, choices, where)
    return Item(
        id=text_field(row, "problem_id", where),
        task=TASK,
        kind="number" if numeric else "choice",
        question=question,
        choices=choices,
        answer=answers[0],
        document=question,
        wanted=len(answers[0]),
        points=points_of(row.get("points", ""), where),
        group=year,
        also=answers[1:],
        part=part,
        forbidden=forbidden,
    )


def _letters(row: Row, choices: tuple[str, ...], where: str) -> Answers:
    """All accepted answers, the official one first; "a or d" (problem 112B30) names two single ones."""
    answers = list(right_answers(row.get("answer"), choices, where))
    if row["problem_id"] in EVERY_ANSWER_COUNTS:
        answers.extend((letter,) for letter in LETTERS[: len(choices)] if (letter,) not in answers)
    return tuple(answers)


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


_PAPER = "the paper's own models"
_REPORTS = "Kasai et al. 2023 and later reports"
_SHARES: tuple[tuple[str, str, float], ...] = (
    ("base 20B tokens", _PAPER, 0.137),
    ("base 50B tokens", _PAPER, 0.138),
    ("instruct 20B tokens", _PAPER, 0.190),
    ("instruct 50B tokens", _PAPER, 0.180),
    ("GPT-4", _REPORTS, 0.782),
    ("ChatGPT (gpt-3.5-turbo)", _REPORTS, 0.550),
    ("GPT-3 (text-davinci-003)", _REPORTS, 0.421),
    ("Llama3-Preferred-MedSwallow-70B", _REPORTS, 0.795),
    ("Llama3-Swallow-70B-v0.1", _REPORTS, 0.701),
    ("Meta-Llama-3-70B", _REPORTS, 0.673),
    ("gemma-2-27b", _REPORTS, 0.636),
)
_ALL = "all questions"
PASSING = PassRule(
    marks={
        "2018": PassMark(160, 200, 208, 299),
        "2019": PassMark(160, 200, 209, 296),
        # 2020 is from memory, not from a document; its totals are those of the question files
        "2020": PassMark(158, 197, 217, 299),
        "2021": PassMark(160, 200, 209, 300),
        "2022": PassMark(158, 197, 214, 297),
    },
    required_parts=frozenset("BE"),
    contraindicated_limit=3,
)
BENCHMARK = Benchmark(
    name=TASK,
    title="IgakuQA",
    source="https://github.com/jungokasai/IgakuQA",
    licences={TASK: NOT_STATED},
    load_test=_load_test,
    without_images="text-only",
    with_images=_ALL,
    published=tuple(
        PublishedScore(model, TASK, "score_share", value, _ALL, source) for model, source, value in _SHARES
    ),
    passing=PASSING,
    reads=frozenset({"years", "parts", "text_only"}),
)
"""The published shares are the mean over years of points by all points of the year, image questions included."""
