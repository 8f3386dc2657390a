"""What a model is asked beside chat: pieces of a text, one of several options, two sentences, an exam question.

Does: render the message that the model was tuned on, ask, read the answer. Does not: know HTTP or files of records, or
judge answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from igakulm.answering.extraction import (
    ANSWER_TOKENS,
    LEAST_TEXT,
    Asking,
    Extraction,
    Framed,
    answer_room,
    ask_pieces,
    pieces,
)
from igakulm.answering.lists import HOLD, Hold
from igakulm.answering.options import By, weigh
from igakulm.errors import InputError
from igakulm.inference.engine import check_prompt
from igakulm.inference.model import NOTHING_LEFT, Model
from igakulm.tasks.items import LETTERS
from igakulm.tasks.layouts import Task, exam_message, lettered, user_message

MOST_CHOICES = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """Options with their probabilities, and the letters chosen ("A"; "A,C" where two are wanted).

    The probabilities sum to the number of answers wanted: each is that of its option being among them.
    """

    options: tuple[tuple[str, str, float], ...]  # letter, label, probability
    answer: str
    prompt_tokens: int = 0


def _nowhere(finished: int, pieces: int) -> None:
    """Report pieces nowhere."""


def extract(
    model: Model,
    task: Task,
    text: str,
    *,
    max_new_tokens: int = ANSWER_TOKENS,
    hold: Hold = HOLD,
    most_tokens: int | None = None,
    weighed: bool = False,
    done: Callable[[int, int], None] = _nowhere,
) -> Extraction:
    """What a task names in a text, greedy; see `extraction`.

    Args:
        model: answers.
        task: of kind "extract".
        text: a record.
        max_new_tokens: longest answer to a piece.
        hold: what the strings of an answer are held to.
        most_tokens: of the answers to all pieces together; None = any number.
        weighed: also say how probable the answer is.
        done: told how many pieces of how many are finished.

    Raises:
        InputError: a text of which nothing is left, another kind of task, or a context too small for the task's words,
            pieces whose answers could have more than `most_tokens`.
        EngineFailed: the model's process is gone.
    """
    check_task(model, task, max_new_tokens)
    _check(model, task, "extract", text)
    how = Asking(max_new_tokens, hold, most_tokens=most_tokens, weighed=weighed)
    framed = framed_by(task, text)
    asked, finished = pieces(model, framed, how), 0

    def told(more: int) -> None:
        nonlocal finished
        finished += more
        done(finished, len(asked))

    return ask_pieces(model, [framed], asked, how, told)[0]


def framed_by(task: Task, text: str) -> Framed:
    """A text in the words of a task."""
    return Framed(task.prefix, text, task.suffix, task.kind_of_item, task.longest)


def check_task(model: Model, task: Task, max_new_tokens: int = ANSWER_TOKENS) -> None:
    """Refuse what `extract` can do with no text at all.

    Raises:
        InputError: another kind of task, or a context too small for the task's own words and an answer.
    """
    _check(model, task, "extract")
    own = len(model.prompt([{"role": "user", "content": user_message(task, "")}]).ids)
    if own + LEAST_TEXT + answer_room(model, max_new_tokens) > model.context_length:
        raise InputError(f"the model reads {model.context_length:,} tokens, too few for this task", where=task.name)


def classify(model: Model, task: Task, text: str, *, by: By = "letters") -> Choice:
    """How probable each option of a task is for a text.

    Args:
        model: answers.
        task: of kind "classify".
        text: what the options are about.
        by: the answer that is weighed: the option's letter, as the model was tuned; its label; or its label with the
            log-probability divided by its tokens, so that long labels are not at a disadvantage.

    Raises:
        InputError: a text without a character or longer than the context, another kind of task.
        EngineFailed: the model's process is gone.
    """
    _check(model, task, "classify", text)
    return _chosen(model, user_message(task, text), task.options, by=by)


def compare(model: Model, task: Task, first: str, second: str, *, by: By = "letters") -> Choice:
    """How probable each option of a task is for two texts; else as `classify`."""
    _check(model, task, "compare", first, second)
    return _chosen(model, user_message(task, first, second), task.options, by=by)


def exam(model: Model, question: str, choices: Sequence[str], wanted: int = 1, *, by: By = "letters") -> Choice:
    """How probable each option of an examination question is.

    With `wanted` answers every set of so many letters is weighed as the text that the model was tuned to write ("A,C");
    an option's probability is the sum over the sets that hold it, and the answer is the likeliest set.

    Raises:
        InputError: no question, fewer than 2 or more than 10 choices, an empty one, not 1 <= wanted < choices.
        EngineFailed: the model's process is gone.
    """
    if not question.strip():
        raise InputError("there is no question")
    _check_texts(model, question, *(choice for choice in choices if choice.strip()))
    if not 2 <= len(choices) <= MOST_CHOICES or not all(choice.strip() for choice in choices):
        raise InputError(f"a question has 2 to {MOST_CHOICES} choices, each a text")
    if not 1 <= wanted < len(choices):
        raise InputError("so many answers cannot be wanted", where=f"{wanted} of {len(choices)}")
    return _chosen(model, exam_message(question, choices), lettered(choices), wanted, by)


@dataclass(frozen=True, slots=True)
class Written:
    """A text that a model wrote; `cut`: it reached the limit of length and is no whole answer."""

    text: str
    cut: bool
    prompt_tokens: int
    completion_tokens: int


def write(model: Model, message: str, *, max_new_tokens: int = ANSWER_TOKENS) -> Written:
    """A free answer to one message, greedy.

    Args:
        model: answers.
        message: the whole question.
        max_new_tokens: longest answer; at most a third of the context.

    Raises:
        InputError: a message of which nothing is left, or one that does not fit the context.
        EngineFailed: the model's process is gone.
    """
    if not message.strip():
        raise InputError("there is no text")
    prompt = model.prompt([{"role": "user", "content": message}]).ids
    most = answer_room(model, max_new_tokens)
    check_prompt(prompt, most, model.context_length)
    (tokens,) = model.engine.generate([prompt], most, model.encoder.stops)
    return Written(model.encoder.decode(tokens), len(tokens) >= most, len(prompt), len(tokens))


def _chosen(
    model: Model, message: str, options: Sequence[tuple[str, str]], wanted: int = 1, by: By = "letters"
) -> Choice:
    prompt = model.prompt([{"role": "user", "content": message}]).ids
    weighed = weigh(model, prompt, options, wanted, by)
    rows = tuple((letter, label, share) for (letter, label), share in zip(options, weighed.shares, strict=True))
    return Choice(rows, ",".join(LETTERS[number] for number in weighed.chosen), len(prompt))


def _check(model: Model, task: Task, kind: str, *texts: str) -> None:
    if task.kind != kind:
        raise InputError(f"this task is of kind {task.kind!r}, not {kind!r}", where=task.name)
    _check_texts(model, *texts)


def _check_texts(model: Model, *texts: str) -> None:
    if not all(text.strip() for text in texts):
        raise InputError("there is no text")
    if not all(model.reads(text) for text in texts):
        raise InputError(NOTHING_LEFT)
