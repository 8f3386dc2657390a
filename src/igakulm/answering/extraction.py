"""What a model names in texts: asked in pieces where they are long, held to the text, placed in the original.

Does: cut texts into pieces that fit, prepare each message as a whole, ask all pieces of all texts at once, give items
back as the original writes them. Does not: know tasks and their words (tasks.py), HTTP or scores.

An item that does not stand in the text is reported as `unplaced`, never dropped; an answer that is no list gives no
items, and `raw` shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from igakulm.answering.lists import HOLD, Hold, ListAnswer, ListQuestion, ask_for_lists
from igakulm.answering.pieces import Piece, pieces_of
from igakulm.answering.placing import place_items
from igakulm.errors import InputError
from igakulm.inference.engine import nothing
from igakulm.inference.model import Model, Prompt

ANSWER_TOKENS = 512
"""The longest answer, of whatever kind, wherever a model of ours is asked."""
ANSWER_SHARE = 3
"""One part in so many of a small context is kept for the answer."""
LEAST_TEXT = 8
"""Tokens of a text that must fit beside a task's words: two characters in bytes."""
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
        pieces: how many the text was asked in.
        probability: that the model writes exactly this: the product over all tokens of the answers to all pieces; None
            where it was not asked for.
    """

    items: tuple[Found, ...]
    unplaced: tuple[str, ...]
    raw: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cut: bool = False
    unreadable: int = 0
    pieces: int = 1
    probability: float | None = None

    @property
    def named(self) -> tuple[str, ...] | None:
        """What was named, each once, as the text writes it; None where no answer was a list."""
        if self.unreadable == self.pieces:
            return None
        return tuple(dict.fromkeys([*(item.text for item in self.items), *self.unplaced]))


@dataclass(frozen=True, slots=True)
class Framed:
    """A text between the words that ask about it.

    Attributes:
        before, text, after: together the message, as its author wrote it; not prepared.
        kind: of the items.
        longest: characters of the longest text that the model was tuned on; 0 = not known.
    """

    before: str
    text: str
    after: str
    kind: str = ""
    longest: int = 0

    def message(self, text: str) -> str:
        """The message about a piece of the text."""
        return self.before + text + self.after


@dataclass(frozen=True, slots=True)
class Asking:
    """How lists are asked for.

    Attributes:
        max_new_tokens: longest answer to a piece; at most a third of the context, and little more than the prompt has.
        hold: what the strings of an answer are held to.
        plain: ask as a model without chat tokens.
        most_tokens: of the answers to all pieces together, were each as long as it may be; None = any number.
        weighed: also say how probable an answer is; pieces are then asked one by one.
    """

    max_new_tokens: int = ANSWER_TOKENS
    hold: Hold = HOLD
    plain: bool = False
    most_tokens: int | None = None
    weighed: bool = False


@dataclass(frozen=True)
class Asked:
    """One piece of a text, and the prompt that asks about it."""

    framed: Framed
    piece: Piece
    prompt: Prompt

    @cached_property
    def span(self) -> tuple[int, int]:
        """Where the piece stands in the prepared message."""
        start = len(self.framed.before)
        return self.prompt.prepared.prepared_span(start, start + len(self.piece.text))

    @property
    def document(self) -> str:
        """The piece as the model reads it."""
        start, end = self.span
        return self.prompt.prepared.text[start:end]

    def places(self, items: Sequence[str]) -> tuple[list[tuple[int, int]], list[str]]:
        """Spans of the original text, and the items that it does not hold."""
        placed, missing = place_items(items, self.document)
        shift = self.piece.start - len(self.framed.before)
        spans = [self.prompt.prepared.original_span(self.span[0] + one.start, self.span[0] + one.end) for one in placed]
        return [(start + shift, end + shift) for start, end in spans], missing


@dataclass(slots=True)
class _Gathered:
    """What the pieces of a text gave so far."""

    framed: Framed
    items: dict[tuple[int, int], Found] = field(default_factory=dict)
    unplaced: list[str] = field(default_factory=list)
    answers: list[ListAnswer] = field(default_factory=list)
    prompt_tokens: int = 0

    def add(self, asked: Asked, answer: ListAnswer) -> None:
        spans, missing = asked.places(answer.items or ())
        for start, end in spans:
            self.items.setdefault((start, end), Found(self.framed.text[start:end], start, end, self.framed.kind))
        self.unplaced += missing
        self.answers.append(answer)
        self.prompt_tokens += len(asked.prompt.ids)

    def result(self) -> Extraction:
        return Extraction(
            items=tuple(self.items.values()),
            unplaced=tuple(dict.fromkeys(self.unplaced)),
            raw="\n".join(answer.text for answer in self.answers),
            prompt_tokens=self.prompt_tokens,
            completion_tokens=sum(answer.tokens for answer in self.answers),
            cut=any(answer.cut for answer in self.answers),
            unreadable=sum(answer.items is None for answer in self.answers),
            pieces=len(self.answers),
            probability=_product([answer.probability for answer in self.answers]),
        )


def _product(probabilities: Sequence[float | None]) -> float | None:
    known = [one for one in probabilities if one is not None]
    return math.prod(known) if known and len(known) == len(probabilities) else None


def extract_all(
    model: Model, texts: Sequence[Framed], how: Asking = Asking(), done: Callable[[int], None] = nothing
) -> list[Extraction]:
    """What a model names in each text, greedily; all pieces are asked at once.

    A text longer than the context, or than all that the model was tuned on, is asked in pieces, cut at sentence ends.
    A piece of which preparing leaves nothing is not asked.

    Args:
        model: answers.
        texts: with the words that ask.
        how: how lists are asked for.
        done: told how many more pieces are finished.

    Raises:
        InputError: a text of which preparing leaves nothing, or a context too small for the words that ask.
        EngineFailed: the model's process is gone.
    """
    return ask_pieces(model, texts, [piece for framed in texts for piece in pieces(model, framed, how)], how, done)


def ask_pieces(
    model: Model, texts: Sequence[Framed], asked: Sequence[Asked], how: Asking, done: Callable[[int], None] = nothing
) -> list[Extraction]:
    """The second half of `extract_all`: `asked` holds the pieces of all `texts`.

    Raises:
        InputError: the answers could have more than `how.most_tokens`.
        EngineFailed: the model's process is gone.
    """
    room = answer_room(model, how.max_new_tokens)
    # Pieces of a text are together not much longer than it; a model that goes on and on is ended there.
    questions = [
        ListQuestion(one.prompt.ids, max(1, min(room, len(one.prompt.ids) + SPARE)), one.document) for one in asked
    ]
    longest = sum(question.longest for question in questions)
    if how.most_tokens is not None and longest > how.most_tokens:
        what = f"{len(questions):,} pieces with answers of up to {longest:,} tokens, at most {how.most_tokens:,}"
        raise InputError(f"the text is too long to be asked at once: {what}", hint="send it in parts")
    stop = model.encoder.line_end if _is_plain(model, how) else model.encoder.stops
    answers = ask_for_lists(
        model.engine, model.encoder, questions, stop=stop, hold=how.hold, weighed=how.weighed, done=done
    )
    gathered = {id(framed): _Gathered(framed) for framed in texts}
    for one, answer in zip(asked, answers, strict=True):
        gathered[id(one.framed)].add(one, answer)
    return [gathered[id(framed)].result() for framed in texts]


def pieces(model: Model, framed: Framed, how: Asking) -> list[Asked]:
    """The pieces that a text is asked in.

    Raises:
        InputError: as `extract_all`.
    """
    most = model.context_length - answer_room(model, how.max_new_tokens)
    longest = framed.longest or CHARACTERS_A_TOKEN * most

    def fits(text: str) -> bool:
        return len(text) <= longest and len(_prompt(model, framed.message(text), how).ids) <= most

    own = len(_prompt(model, framed.message(""), how).ids)
    if own + LEAST_TEXT > most and not fits(framed.text):
        raise InputError(f"the model reads {model.context_length:,} tokens, too few for this task")
    made = [
        Asked(framed, piece, _prompt(model, framed.message(piece.text), how))
        for piece in pieces_of(framed.text, fits)
        if piece.text.strip()
    ]
    asked = [one for one in made if one.document.strip()]
    if not asked:
        what = "nothing is left of this text once it is prepared for the model"
        raise InputError(what, hint="it holds only characters that no model reads")
    return asked


def answer_room(model: Model, max_new_tokens: int = ANSWER_TOKENS) -> int:
    """Tokens that are kept for an answer."""
    return max(1, min(max_new_tokens, model.context_length // ANSWER_SHARE))


def _is_plain(model: Model, how: Asking) -> bool:
    return how.plain or not model.chat


def _prompt(model: Model, message: str, how: Asking) -> Prompt:
    if _is_plain(model, how):
        return model.plain_prompt(message)
    return model.prompt([{"role": "user", "content": message}])
