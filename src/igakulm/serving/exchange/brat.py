"""brat: a folder of .txt and .ann files to mark strings in, and the same folder to read again.

Does: write texts, marks and `annotation.conf`, read marks (also those of several fragments). Does not: know labels of
whole texts: brat has none.

Source: https://brat.nlplab.org/standoff.html. Places are code points; a mark over a line break is one of two fragments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error, write_text
from igakulm.recipe.task_file import OwnTaskSection
from igakulm.serving.exchange.rows import Marked, Shown, span
from igakulm.tasks.own.decisions import Given, Span

_MARK = re.compile(r"T\d+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)")


def write_texts(folder: Path, rows: Iterable[Shown], tasks: Sequence[OwnTaskSection]) -> list[Path]:
    """Write `ROW.txt` and `ROW.ann` for each row, and `annotation.conf` with a type for each task."""
    names = {task.name: type_of(task) for task in tasks}
    if len(set(names.values())) < len(names):
        raise InputError("two tasks have one name in brat", where=", ".join(names), hint="rename one of them")
    for row in rows:
        # The bytes as they are: a text file would turn line breaks into those of the system.
        (folder / f"{row.id}.txt").write_bytes(row.text.encode("utf-8", "replace"))
        marks = [(names[task.name], one) for task in tasks for one in row.answers.get(task.name, Given()).spans]
        lines = [_line(number, kind, one) for number, (kind, one) in enumerate(marks, 1)]
        write_text(folder / f"{row.id}.ann", "".join(lines))
    types = "\n".join(names.values())
    write_text(folder / "annotation.conf", f"[entities]\n{types}\n\n[relations]\n\n[events]\n\n[attributes]\n")
    return [folder]


def type_of(task: OwnTaskSection) -> str:
    """The task's name as a type of brat: letters, digits, hyphens and underscores.

    >>> type_of(OwnTaskSection(name="signs.v2", kind="extract", column="c"))
    'signs_v2'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "_", task.name)


def _line(number: int, kind: str, one: Span) -> str:
    pieces = list(_fragments(one))
    places = ";".join(f"{start} {end}" for start, end, _ in pieces)
    return f"T{number}\t{kind} {places}\t{' '.join(text for *_, text in pieces)}\n"


def _fragments(one: Span) -> Iterator[tuple[int, int, str]]:
    """The parts of a mark that stand on one line each."""
    for part in re.finditer(r"[^\r\n]+", one.text):
        yield one.start + part.start(), one.start + part.end(), part[0]


def read_folder(folder: Path, tasks: Sequence[OwnTaskSection], *, empty_counts: bool = False) -> list[Marked]:
    """What is marked in the .ann files of a folder.

    Args:
        folder: of .txt and .ann files.
        tasks: a mark is about the task of its type.
        empty_counts: a text without any mark holds no such string; else it says nothing, since nobody may have looked.

    Raises:
        InputError: no .ann file, one without its text, or a file that is not UTF-8.
    """
    files = sorted(folder.glob("*.ann"))
    if not files:
        raise InputError("there is no .ann file", where=str(folder), hint="name the folder that brat works on")
    return [_read(path, tasks, empty_counts) for path in files]


def _read(path: Path, tasks: Sequence[OwnTaskSection], empty_counts: bool) -> Marked:
    try:
        text = path.with_suffix(".txt").read_bytes().decode("utf-8")
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("this is not UTF-8", where=str(path)) from error
    except OSError as error:
        raise explain_os_error(error, path.with_suffix(".txt")) from error
    spans: dict[str, list[Span]] = {task.name: [] for task in tasks}
    names = {type_of(task): task.name for task in tasks}
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.startswith("T"):
            continue  # notes, relations and events are nothing that a task asks for
        mark = _MARK.fullmatch(line.rstrip("\r"))
        place = _place(mark[2], text) if mark else None
        if mark is None or place is None:
            problems.append(f"line {number} is no mark within the text")
        elif mark[1] not in names:
            problems.append(f"line {number}: no task is of the type {mark[1]!r}")
        elif _bare(place.text) != _bare(mark[3]):
            problems.append(f"line {number}: {mark[3][:40]!r} does not stand at its place")
        else:
            spans[names[mark[1]]].append(place)
    if not any(spans.values()) and not problems and not empty_counts:
        problems.append("nothing is marked (--empty-counts takes that as an answer)")
        return Marked(str(path), text, {}, tuple(problems))
    return Marked(str(path), text, {} if problems else {name: Given(spans=tuple(own)) for name, own in spans.items()},
                  tuple(problems))  # fmt: skip


def _place(places: str, text: str) -> Span | None:
    """From the first fragment to the last."""
    numbers = [int(number) for number in re.findall(r"\d+", places)]
    start, end = min(numbers), max(numbers)
    return span(text, start, end) if start < end <= len(text) else None


def _bare(text: str) -> str:
    return "".join(text.split())
