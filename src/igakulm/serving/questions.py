"""Questions to a bundle's model without a conversation: `igakulm ask`.

Does: take one question, a line of text each, or JSON Lines; answer each by itself; print as it comes or write a file.
Does not: keep a conversation (chat.py) or serve.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, numbered_jsonl, write_text
from igakulm.inference.engine import GREEDY, EngineFailed, Sampling
from igakulm.inference.model import Model
from igakulm.inference.open import open_model
from igakulm.progress import Progress
from igakulm.serving.answer_stream import AnswerStream


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the name that its answer carries: the id of its row, else the number of its line."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question answered.

    Attributes:
        finish: "stop" = the model ended it, "length" = the limit did, "error" = there is none, `answer` says why.
    """

    question: Question
    answer: str
    finish: str
    prompt_tokens: int
    completion_tokens: int


def ask(
    folder: Path,
    questions: Iterable[Question],
    progress: Progress,
    *,
    engine: str = "auto",
    max_tokens: int = 256,
    sampling: Sampling = GREEDY,
    as_json: bool = False,
    out: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Answer questions one after the other.

    Args:
        folder: a bundle or a model folder.
        questions: at least one.
        progress: where to show it, when there are several questions.
        engine: "auto", "llamacpp" or "transformers".
        max_tokens: longest answer.
        sampling: how answers are drawn.
        as_json: one object for each question instead of text.
        out: a file, written when all are answered; None = to `say`, each as soon as it is there.
        say: where answers go.

    Raises:
        InputError: no question, no bundle, values out of range; a single question that has no answer.
    """
    wanted = list(questions)
    if not wanted:
        raise InputError("there is no question", hint="igakulm ask --bundle BUNDLE 'QUESTION', or --file FILE")
    if max_tokens < 1 or sampling.temperature < 0:
        raise InputError("an answer needs at least one token and a temperature of 0 or more")
    opened = open_model(folder, engine)
    lines: list[str] = []
    try:
        for asked in _answers(opened, wanted, progress, max_tokens, sampling):
            if asked.finish == "error" and len(wanted) == 1:
                raise InputError(asked.answer, hint="shorten the question, or see what takes the machine's memory")
            line = _as_json(asked) if as_json else _as_text(asked, alone=len(wanted) == 1)
            if out is None:
                say(line)
            else:
                lines.append(line)
    finally:
        opened.close()
    if out is not None:
        write_text(out, "".join(line + "\n" for line in lines))


def _answers(
    opened: Model, questions: list[Question], progress: Progress, most: int, sampling: Sampling
) -> Iterator[Asked]:
    if len(questions) == 1:
        yield answer(opened, questions[0], most, sampling)
        return
    with progress.task("ask", len(questions), "questions") as bar:
        for question in questions:
            yield answer(opened, question, most, sampling)
            bar.advance()


def answer(opened: Model, question: Question, most: int, sampling: Sampling = GREEDY) -> Asked:
    """Answer one question; one that does not fit the context, or under which the model's process died, says so."""
    try:
        ids = opened.prompt([{"role": "user", "content": question.text}]).ids
    except InputError as error:
        return Asked(question, error.what, "error", 0, 0)
    try:
        stream = AnswerStream(opened, ids, most, sampling)
    except InputError as error:
        return Asked(question, error.what, "error", len(ids), 0)
    try:
        text = "".join(stream)
    except EngineFailed:
        return Asked(question, "the model's process failed under this question", "error", len(ids), stream.tokens)
    return Asked(question, text, stream.finish or "length", len(ids), stream.tokens)


def _as_json(asked: Asked) -> str:
    value: dict[str, Any] = {"id": asked.question.id, "question": asked.question.text, "answer": asked.answer}
    counts = {"prompt_tokens": asked.prompt_tokens, "completion_tokens": asked.completion_tokens}
    return json.dumps({**value, "finish_reason": asked.finish, **counts}, ensure_ascii=False)


def _as_text(asked: Asked, *, alone: bool) -> str:
    if alone:
        return asked.answer
    mark = "！" if asked.finish == "error" else "答"
    return f"問 {asked.question.id}: {asked.question.text}\n{mark}: {asked.answer}\n"


def read_questions(question: str | None, file: Path | None) -> Iterator[Question]:
    """The questions of a command line: an argument, a file, or standard input with one question a line.

    Args:
        question: asked as it is.
        file: `.jsonl` holds objects with "question" and, if wanted, "id"; any other file one question a line.

    Raises:
        InputError: both, neither with a terminal as standard input, or a file that cannot be read.
    """
    if question is not None and file is not None:
        raise InputError("give a question or --file, not both")
    if question is not None:
        if question.strip():
            yield Question("1", question)
    elif file is None:
        if sys.stdin.isatty():
            raise InputError("there is no question", hint="igakulm ask --bundle BUNDLE 'QUESTION', or --file FILE")
        yield from _of_lines(sys.stdin.buffer.read(), "standard input")
    elif file.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _of_rows(file)
    else:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise explain_os_error(error, file) from error
        yield from _of_lines(data, str(file))


def _of_lines(data: bytes, where: str) -> Iterator[Question]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            hint = "save it as UTF-8"
            raise InputError("this line is not UTF-8", where=f"{where}, line {number}", hint=hint) from error
        if text:
            yield Question(str(number), text)


def _of_rows(path: Path) -> Iterator[Question]:
    for number, row in numbered_jsonl(path):
        text = row.get("question")
        if not isinstance(text, str) or not text.strip():
            raise InputError('this row has no text in "question"', where=f"{path}, line {number}")
        yield Question(str(row.get("id", number)), text)
