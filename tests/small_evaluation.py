"""Small benchmarks written for the tests of `igakulm evaluate`, and the command run in this process."""

from __future__ import annotations

import atexit
import contextlib
import csv
import functools
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

Row = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def igakulm(*words: object) -> Done:
    """Run a command in this process, as the console script does."""
    from igakulm.cli import app as cli

    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.object(sys, "argv", ["igakulm", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Done(code, out.getvalue(), err.getvalue())


@functools.cache
def model_folder() -> Path:
    """A random model of our own kind, once for all tests of a process."""
    import tiny_bundle

    folder = Path(tempfile.mkdtemp(prefix="igakulm-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return tiny_bundle.write_model(folder / "tiny")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def question(number: int, **changes: Any) -> Row:
    """A row of an examination file."""
    row: Row = {"id": f"q{number}", "question": f"問{number}はどれか。", "choices": ["ア", "イ", "ウ"]}
    return row | {"answer": ["abc"[number % 3]], "year": f"{2023 + number % 2}"} | changes


def write_exam(path: Path, questions: int = 12) -> Path:
    return write_rows(path, map(question, range(questions)))


def write_jmed(folder: Path) -> Path:
    """Two of the eight tasks: posts (two options, 8 of 40 rows are the test) and findings (6 of 30)."""
    posts = [("咳", f"次の投稿は陽性か。\n「投稿の文{n}」", "陽性", "陰性", "AB"[n % 2]) for n in range(40)]
    notes = [("d", f"病名は。\n「{n}日目に頭痛と咳」", "['頭痛', '咳']") for n in range(30)]
    choices, lists = ("tag", "question", "optionA", "optionB", "answer"), ("tag", "question", "answer")
    for name, head, rows in (
        ("smdis.csv", choices, posts[:8]),
        ("all/SMDIS.csv", choices, posts),
        ("nrner.csv", lists, notes[:6]),
        ("all/NRNER.csv", lists, notes),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *rows])
    return folder


def write_igakuqa(folder: Path) -> Path:
    """Two years of two parts of four questions, one of them with a picture; the predictions of `gpt` are all "b"."""
    for year, number in (("2018", 112), ("2019", 113)):
        for part in "AB":
            ids = [f"{number}{part}{k}" for k in range(1, 5)]
            rows = [
                {"problem_id": name, "problem_text": f"問い{name}", "choices": list("一二三四五"), "points": "1"}
                | {"text_only": not name.endswith("4"), "answer": ["b" if name.endswith(("1", "2")) else "c"]}
                for name in ids
            ]
            write_rows(folder / f"data/{year}/{number}-{part}.jsonl", rows)
            said = [{"problem_id": name, "prediction": "b"} for name in ids]
            write_rows(folder / f"predictions/{year}/{number}-{part}_gpt.jsonl", said)
    return folder


def jmed_answers(path: Path) -> Path:
    """Finished answers to `write_jmed`'s test rows: always A, and one finding of two."""
    posts = [{"task": "smdis", "row": row, "text": "A"} for row in range(8)]
    return write_rows(path, [*posts, *({"task": "nrner", "row": row, "text": "['頭痛']"} for row in range(6))])


def results(folder: Path) -> dict[str, bytes]:
    """Every file of an evaluation but logs, lock and the manifest (it holds times): relative path -> content."""
    aside = ("logs", "lock", "manifest.json")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = {path.relative_to(folder): path.read_bytes() for path in paths}
    return {path.as_posix(): content for path, content in found.items() if path.parts[0] not in aside}
