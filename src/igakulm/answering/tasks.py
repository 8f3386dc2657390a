"""What a model is asked beside chat: pieces of a text, one of several options, two sentences, an exam question.

Does: render the message that the model was tuned on, ask the engine, read the answer, place every item in the text.
Does not: know HTTP or files of records, or judge answers. An item that does not stand in the text is reported as
`unplaced`, never dropped; an answer that is no list gives no items, and `raw` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from igakulm.answering.lists import HOLD, Hold, ListAnswer, ListQuestion, ask_for_lists
from igakulm.answering.options import By, Weighed, prompt_ids, weigh
from igakulm.answering.pieces import Piece, pieces_of
from igakulm.answering.placing import place_items
from igakulm.errors import InputError
from igakulm.inference.engine import Engine
from igakulm.tasks.items import LETTERS
from igakulm.tasks.layouts import TASKS_FILE as TASKS_FILE
from igakulm.tasks.layouts import Task, TaskKind, exam_message, user_message
from igakulm.tasks.layouts import lettered as lettered
from igakulm.tasks.layouts import read_tasks as read_tasks
from igakulm.tasks.layouts import write_tasks as write_tasks
from igakulm.tokenizer.open import Encoder

ANSWER_TOKENS = 512
ANSWER_SHARE = 3
"""One part in so many of a small context is kept for the answer."""
LEAST_TEXT = 8
"""Tokens of a text that must fit beside a task's words: two characters in bytes."""
MOST_CHOICES = 10
SPARE = 64
"""Tokens that an answer may have more than its prompt."""
CHARACTERS_A_TOKEN = 32
"""No text has more, but for rows of spaces: a longer text is not encoded in vain."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item where it stands: `text[start:end]` of the given text, in Unicode code points; `kind` as the task says."""

    text: str
    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a model found in a text.

    Attributes:
        items: by place; an item of a task may occur several times.
        unplaced: what the model named but the text does not hold, as it wrote it, each once.
        raw: the model's answer; of a text in several pieces their answers, one a line.
        prompt_tokens, completion_tokens: counts of all pieces.
        cut: an answer reached the limit of length, or went round in circles: items may be missing.
        unreadable: pieces whose answer was no list of strings.
    """

    items: tuple[Found, ...]
    unplaced: tuple[str, ...]
    raw: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: bool = False
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """Options with their probabilities, and the letters chosen ("A"; "A,C" where two are wanted).

    The probabilities sum to the number of answers wanted: each is that of its option being among them.
    """

    options: tuple[tuple[str, str, float], ...]  # letter, label, probability
    answer: str
    prompt_tokens: int = 0


@dataclass(slots=True)
class _Gathered:
    """What the pieces of a text gave so far."""

    items: list[Found] = field(default_factory=list)
    unplaced: list[str] = field(default_factory=list)
    answers: list[ListAnswer] = field(default_factory=list)
    prompt_tokens: int = 0

    def add(self, piece: Piece, text: str, kind: str, answer: ListAnswer, prompt_tokens: int) -> None:
        places, missing = place_items(answer.items or (), piece.text)
        for place in places:
            start, end = piece.start + place.start, piece.start + place.end
            self.items.append(Found(text[start:end], start, end, kind))
        self.unplaced += missing
        self.answers.append(answer)
        self.prompt_tokens += prompt_tokens

    def result(self) -> Extraction:
        return Extraction(
            items=tuple(self.items),
            unplaced=tuple(dict.fromkeys(self.unplaced)),
            raw="\n".join(answer.text for answer in self.answers),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=sum(answer.tokens for answer in self.answers),
            cut=any(answer.cut for answer in self.answers),
            unreadable=sum(answer.items is None for answer in self.answers),
        )


def _nowhere(finished: int, pieces: int) -> None:
    """Report pieces nowhere."""


def extract(
    engine: Engine,
    encoder: Encoder,
    task: Task,
    text: str,
    *,
    max_new_tokens: int = ANSWER_TOKENS,
    hold: Hold = HOLD,
    done: Callable[[int, int], None] = _nowhere,
) -> Extraction:
    """What a task names in a text, greedy.

    A text longer than the context, or than all that the model was tuned on, is asked in pieces, cut at sentence ends.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        task: of kind "extract".
        text: a record.
        max_new_tokens: longest answer to a piece; at most a third of the context, and little more than the prompt has.
        hold: what the strings of an answer are held to.
        done: told how many pieces of how many are finished.

    Raises:
        InputError: a text without a character, another kind of task, or a context too small for the task's own words.
        EngineFailed: the model's process is gone.
    """
    check_task(engine, encoder, task, max_new_tokens)
    _check(task, "extract", text)
    room = _answer_room(engine, max_new_tokens)

    most = engine.context_length - room
    longest = task.longest or CHARACTERS_A_TOKEN * most

    def fits(piece: str) -> bool:
        return len(piece) <= longest and len(prompt_ids(encoder, user_message(task, piece))) <= most

    gathered, finished = _Gathered(), 0
    pieces = [piece for piece in pieces_of(text, fits) if piece.text.strip()]
    prompts = [prompt_ids(encoder, user_message(task, piece.text)) for piece in pieces]
    # Pieces of a text are together not much longer than it; a model that goes on and on is ended there.
    questions = [
        ListQuestion(prompt, min(room, len(prompt) + SPARE), piece.text)
        for prompt, piece in zip(prompts, pieces, strict=True)
    ]

    def told(more: int) -> None:
        nonlocal finished
        finished += more
        done(finished, len(pieces))

    answers = ask_for_lists(engine, encoder, questions, hold=hold, done=told)
    for piece, prompt, answer in zip(pieces, prompts, answers, strict=True):
        gathered.add(piece, text, task.kind_of_item, answer, len(prompt))
    return gathered.result()


def check_task(engine: Engine, encoder: Encoder, task: Task, max_new_tokens: int = ANSWER_TOKENS) -> None:
    """Refuse what `extract` can do with no text at all.

    Raises:
        InputError: another kind of task, or a context too small for the task's own words and an answer.
    """
    _check(task, "extract")
    own = len(prompt_ids(encoder, user_message(task, "")))
    if own + LEAST_TEXT + _answer_room(engine, max_new_tokens) > engine.context_length:
        raise InputError(f"the model reads {engine.context_length:,} tokens, too few for this task", where=task.name)


def _answer_room(engine: Engine, max_new_tokens: int) -> int:
    return max(1, min(max_new_tokens, engine.context_length // ANSWER_SHARE))


def classify(engine: Engine, encoder: Encoder, task: Task, text: str, *, by: By = "letters") -> Choice:
    """How probable each option of a task is for a text.

    Args:
        engine: answers.
        encoder: the model's tokenizer.
        task: of kind "classify".
        text: what the options are about.
        by: the answer that is weighed: the option's letter, as the model was tuned; its label; or its label with the
            log-probability divided by its tokens, so that long labels are not at a disadvantage.

    Raises:
        InputError: a text without a character or longer than the context, another kind of task.
        EngineFailed: the model's process is gone.
    """
    _check(task, "classify", text)
    return _chosen(engine, encoder, user_message(task, text), task.options, by=by)


def compare(engine: Engine, encoder: Encoder, task: Task, first: str, second: str, *, by: By = "letters") -> Choice:
    """How probable each option of a task is for two texts; else as `classify`."""
    _check(task, "compare", first, second)
    return _chosen(engine, encoder, user_message(task, first, second), task.options, by=by)


def exam(
    engine: Engine, encoder: Encoder, question: str, choices: Sequence[str], wanted: int = 1, *, by: By = "letters"
) -> Choice:
    """How probable each option of an examination question is.

    With `wanted` answers every set of so many letters is weighed as the text that the model was tuned to write ("A,C");
    an option's probability is the sum over the sets that hold it, and the answer is the likeliest set.

    Raises:
        InputError: no question, fewer than 2 or more than 10 choices, an empty one, not 1 <= wanted < choices.
        EngineFailed: the model's process is gone.
    """
    if not question.strip():
        raise InputError("there is no question")
    if not 2 <= len(choices) <= MOST_CHOICES or not all(choice.strip() for choice in choices):
        raise InputError(f"a question has 2 to {MOST_CHOICES} choices, each a text")
    if not 1 <= wanted < len(choices):
        raise InputError("so many answers cannot be wanted", where=f"{wanted} of {len(choices)}")
    return _chosen(engine, encoder, exam_message(question, choices), lettered(choices), wanted, by)


def _chosen(
    engine: Engine,
    encoder: Encoder,
    message: str,
    options: Sequence[tuple[str, str]],
    wanted: int = 1,
    by: By = "letters",
) -> Choice:
    prompt = prompt_ids(encoder, message)
    weighed: Weighed = weigh(engine, encoder, prompt, options, wanted, by)
    rows = tuple((letter, label, share) for (letter, label), share in zip(options, weighed.shares, strict=True))
    return Choice(rows, ",".join(LETTERS[number] for number in weighed.chosen), len(prompt))


def _check(task: Task, kind: TaskKind, *texts: str) -> None:
    if task.kind != kind:
        raise InputError(f"this task is of kind {task.kind!r}, not {kind!r}", where=task.name)
    if not all(text.strip() for text in texts):
        raise InputError("there is no text")
