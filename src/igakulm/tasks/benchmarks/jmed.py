"""JMED-LLM: the eight published test files and the training rows that remain of the full sets.

Does: read the CSV files as published, check every row, take the document out of the question.
Does not: score answers (evaluation/metrics.py) or make splits by document (splits.py).

Source: https://github.com/sociocom/JMED-LLM. Published training rows are "all minus test".
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from igakulm.errors import InputError, did_you_mean
from igakulm.files import explain_os_error
from igakulm.recipe.schema import BenchmarkSet, Jmed
from igakulm.tasks.benchmarks.benchmark import Benchmark, PublishedScore
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.left_out import Screen
from igakulm.text.literals import string_list

AS_PUBLISHED = "take the file as published"


@dataclass(frozen=True, slots=True)
class TaskFile:
    """One task: where its full set lies, which rows of it count, how a row is built, and on what terms it is given."""

    full_files: tuple[str, ...]
    options: int  # number of option columns, 0 for entity tasks
    tags: tuple[str, ...] = ()  # empty = every tag
    has_tag: bool = True
    ordered: bool = False
    licence: str = "CC BY 4.0"


TASKS: dict[str, TaskFile] = {
    "jmmlu_med": TaskFile(("JMMLU-Med",), 4, licence="CC BY-SA 4.0"),
    "crade": TaskFile(("CRADE",), 4, ordered=True),
    "rrtnm": TaskFile(("RRTNM",), 5),
    "smdis": TaskFile(("SMDIS",), 2),
    "jcsts": TaskFile(("JCSTS",), 6, has_tag=False, ordered=True, licence="CC BY-NC-SA 4.0"),
    "mrner_disease": TaskFile(("CRNER", "RRNER"), 0, tags=("d",)),
    "mrner_medicine": TaskFile(("CRNER",), 0, tags=("m-key", "m-val")),
    "nrner": TaskFile(("NRNER",), 0, licence="CC BY-NC-SA 4.0"),
}


def load_test(config: Jmed | BenchmarkSet, screen: Screen | None = None) -> dict[str, list[Item]]:
    """Task name to test items, in the order of `TASKS`; the folder may be a clone of the repository.

    Raises:
        InputError: an unknown task, a missing file or column, or a row that is wrong (file and row are named).
    """
    folder = data_folder(config)
    return {name: _items(folder / f"{name}.csv", name, "test") for name in chosen_tasks(config)}


def load_train(config: Jmed | BenchmarkSet, screen: Screen | None = None) -> dict[str, list[Item]]:
    """Task name to training items: the full sets without the questions of the test files.

    Args:
        config: the folder, and the tasks.
        screen: is told of tasks whose full set is not there; None = that is an error.

    Raises:
        InputError: as `load_test`.
    """
    folder, screen = data_folder(config), screen or Screen(strict=True)
    return {
        name: _train_items(folder, name)
        for name in chosen_tasks(config)
        if all(_there(folder / "all" / f"{file}.csv", name, screen) for file in TASKS[name].full_files)
    }


def data_folder(config: Jmed | BenchmarkSet) -> Path:
    """The folder of CSV files: `datasets` in a clone of the repository, else the folder itself."""
    folder = Path(config.path)
    inner = folder / "datasets"
    return inner if inner.is_dir() and not any(folder.glob("*.csv")) else folder


def _there(path: Path, task: str, screen: Screen) -> bool:
    """Whether a file of training rows is there; a missing one is told to the screen."""
    if path.is_file() or screen.strict:
        return True  # for a strict screen a missing one is an error where it is opened
    screen.miss(task, str(path), f"the file is not there: {task} has no training rows")
    return False


def chosen_tasks(config: Jmed | BenchmarkSet) -> list[str]:
    """The configured tasks (all eight when none is named), checked."""
    for name in config.tasks:
        if name not in TASKS:
            close = did_you_mean(name, TASKS)
            hint = f"did you mean {close}?" if close else "known tasks: " + ", ".join(TASKS)
            raise InputError(f"JMED-LLM has no task {name!r}", where="benchmarks.jmed.tasks", hint=hint)
    return [name for name in TASKS if not config.tasks or name in config.tasks]


def tasks_present(config: Jmed | BenchmarkSet) -> list[str]:
    """The tasks, chosen or not, whose test file and full sets are in the folder."""
    folder = data_folder(config)
    return [
        name
        for name, task in TASKS.items()
        if (folder / f"{name}.csv").is_file()
        and all((folder / "all" / f"{file}.csv").is_file() for file in task.full_files)
    ]


def _train_items(folder: Path, name: str) -> list[Item]:
    task = TASKS[name]
    test = {(item.tag, item.question) for item in _items(folder / f"{name}.csv", name, "test")}
    found: list[Item] = []
    for file in task.full_files:
        items = _items(folder / "all" / f"{file}.csv", name, f"train-{file.lower()}")
        found.extend(item for item in items if (item.tag, item.question) not in test)
    return found


def _items(path: Path, name: str, part: str) -> list[Item]:
    task = TASKS[name]
    items: list[Item] = []
    seen: dict[tuple[str, str], int] = {}
    for number, row in _rows(path, _columns(task)):
        if task.tags and row["tag"] not in task.tags:
            continue
        where = f"{path}, row {number}"
        item = _item(row, name, f"{name}-{part}-{number:05d}", where)
        first = seen.setdefault((item.tag, item.question), number)
        if part == "test" and first != number:
            raise InputError(f"the same question as in row {first}", where=where, hint=AS_PUBLISHED)
        items.append(item)
    return items


def _columns(task: TaskFile) -> list[str]:
    tag = ["tag"] if task.has_tag else []
    return [*tag, "question", *(f"option{letter}" for letter in LETTERS[: task.options]), "answer"]


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (row number from 1, cells); the `csv` module keeps "None" and "NA" as the texts that they are."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in columns if column not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"column {missing[0]!r} is missing", where=str(path), hint=AS_PUBLISHED)
            for number, row in enumerate(reader, 1):
                if None in row or None in row.values():
                    raise InputError(
                        f"this row has not {len(reader.fieldnames or [])} cells",
                        where=f"{path}, row {number} (line {reader.line_num})",
                    )
                yield number, row
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8", where=f"{path}, byte {error.start}") from error
    except csv.Error as error:
        raise InputError(f"the file is not valid CSV: {error}", where=str(path)) from error
    except OSError as error:
        raise explain_os_error(error, path) from error


def _item(row: dict[str, str], name: str, identifier: str, where: str) -> Item:
    task = TASKS[name]
    question = row["question"].strip()
    if not question:
        raise InputError("the question is empty", where=where)
    sentences = _sentences(question, where) if name == "jcsts" else ()
    return Item(
        id=identifier,
        task=name,
        kind="choice" if task.options else "entities",
        question=question,
        choices=(choices := _choices(row, task, where)),
        answer=_letter(row["answer"], choices, where) if task.options else _entities(row["answer"], where),
        document="\n".join(sentences) or (question if name == "jmmlu_med" else _document(question, where)),
        tag=row["tag"] if task.has_tag else "",
        sentences=sentences,
        ordered=task.ordered,
        published=raw if (raw := _raw(row, len(choices))) != (question, *choices) else (),
    )


def _raw(row: dict[str, str], choices: int) -> tuple[str, ...]:
    """Question and options as the file has them: the published prompts hold the white space around them."""
    return (row["question"], *(row[f"option{letter}"] for letter in LETTERS[:choices]))


def _choices(row: dict[str, str], task: TaskFile, where: str) -> tuple[str, ...]:
    options = [row[f"option{letter}"].strip() for letter in LETTERS[: task.options]]
    while options and not options[-1]:
        options.pop()
    if "" in options:
        raise InputError(f"option {LETTERS[options.index('')]} is empty but later ones are not", where=where)
    if task.options and len(options) < 2:
        raise InputError("fewer than two options", where=where)
    return tuple(options)


def _letter(text: str, choices: tuple[str, ...], where: str) -> tuple[str, ...]:
    letter = text.strip()
    if len(letter) != 1 or letter not in LETTERS[: len(choices)]:
        known = f"A to {LETTERS[len(choices) - 1]}"
        raise InputError(f"the answer {letter[:40]!r} is not one of the options {known}", where=where)
    return (letter,)


def _entities(text: str, where: str) -> tuple[str, ...]:
    entities = string_list(text)
    if not entities:
        raise InputError(f"the answer is not a filled list of strings: {text[:60]!r}", where=where)
    return entities


def _document(question: str, where: str) -> str:
    """The text between the first line break with an opening bracket and the last closing bracket."""
    start, end = question.find("\n「"), question.rfind("」")
    if start < 0 or end <= start + 2:
        raise InputError("the question holds no document in 「」", where=where)
    return question[start + 2 : end]


def _sentences(question: str, where: str) -> tuple[str, ...]:
    lines = [line.partition(": ")[2].strip() for line in question.split("\n") if line.startswith(("S1: ", "S2: "))]
    if len(lines) != 2 or not all(lines):
        raise InputError("the question does not hold the lines S1: and S2:", where=where)
    return tuple(lines)


_PAPER = "the paper's own models"
_LEADERBOARD = "JMED-LLM leaderboard"
_FIGURES: dict[str, tuple[str, str]] = {
    # model: (source, "kappa accuracy" for the five choice tasks, then "partial exact" for the three entity tasks)
    "base 20B tokens": (_PAPER, ".03 .27 -.00 .16 -.07 .10 .01 .01 .05 .18 .00 .00 .00 .00 .00 .00"),
    "base 50B tokens": (_PAPER, ".13 .35 -.02 .21 -.10 .06 .02 .09 -.03 .12 .00 .00 .00 .00 .00 .00"),
    "instruct 20B tokens": (_PAPER, ".19 .39 .61 .67 .36 .53 .98 .99 .75 .67 .87 .35 .65 .38 .86 .61"),
    "instruct 50B tokens": (_PAPER, ".26 .44 .50 .59 .42 .58 .98 .99 .76 .66 .90 .34 .55 .34 .88 .66"),
    "GPT-4o-2024-08-06": (_LEADERBOARD, ".82 .87 .54 .53 .85 .90 .76 .88 .60 .48 .54 .15 .42 .26 .39 .20"),
    "GPT-4o-mini-2024-07-18": (_LEADERBOARD, ".77 .83 .21 .37 .58 .71 .56 .78 .57 .51 .48 .13 .52 .32 .48 .25"),
    "gemma-2-9b-it": (_LEADERBOARD, ".52 .64 .33 .42 .54 .68 .62 .81 .16 .24 .61 .16 .65 .42 .53 .30"),
    "Llama-3-ELYZA-JP-8B": (_LEADERBOARD, ".34 .51 .01 .26 .29 .52 .54 .77 .02 .18 .83 .31 .51 .31 .47 .26"),
    "Meta-Llama-3.1-8B-Instruct": (_LEADERBOARD, ".31 .49 .11 .32 .41 .57 .28 .64 .13 .23 .82 .30 .54 .32 .36 .18"),
    "Meta-Llama-3-8B-Instruct": (_LEADERBOARD, ".42 .57 .00 .25 .37 .54 .43 .72 .16 .24 .60 .20 .44 .25 .41 .21"),
    "Llama-3-Swallow-8B-Instruct-v0.1": (
        _LEADERBOARD,
        ".33 .50 .31 .37 .33 .55 .26 .63 .01 .17 .56 .17 .37 .21 .42 .24",
    ),
    "Qwen2-7B-Instruct": (_LEADERBOARD, ".42 .57 .11 .29 .31 .53 .33 .67 .37 .31 .24 .06 .29 .14 .33 .17"),
    "gemma-2-2b-it": (_LEADERBOARD, ".17 .38 .00 .25 .24 .42 .14 .57 .12 .21 .66 .20 .46 .23 .46 .26"),
    "Llama-3-youko-8b-instruct": (_LEADERBOARD, ".31 .49 .02 .28 .28 .47 .50 .75 .01 .20 .02 .00 .05 .02 .11 .07"),
}


def _published() -> tuple[PublishedScore, ...]:
    found: list[PublishedScore] = []
    for model, (source, numbers) in _FIGURES.items():
        values = iter(map(float, numbers.split()))
        for name, task in TASKS.items():
            metrics = ("kappa", "accuracy") if task.options else ("partial_f1", "exact_f1")
            for metric in metrics:
                found.append(PublishedScore(model, name, f"{metric}_upstream", next(values) + 0.0, "published", source))
    return tuple(found)


BENCHMARK = Benchmark(
    name="jmed",
    title="JMED-LLM",
    source="https://github.com/sociocom/JMED-LLM",
    licences={name: task.licence for name, task in TASKS.items()},
    load_test=load_test,
    load_train=load_train,
    present=tasks_present,
    exam=False,
    jmed_scorer=True,
    published=_published(),
)
