"""The protocols between a model and everything that asks it: evaluation, chat, batch extraction, the server.

Does: define what models can do: in token ids (`Engine`, with an `Encoder` beside it) or in text (`TextModel`).
Does not: know prompts, benchmarks or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from igakulm.errors import InputError
from igakulm.inference.constraint import Constraint
from igakulm.text.messages import Message

Precision = Literal["auto", "fp32", "bf16"]
"""Type of weights and activations; "auto" = bfloat16 on a GPU that has it, else float32."""


def nothing(_: int) -> None:
    """Report progress nowhere."""


def check_prompt(prompt: Sequence[int], following: int, context_length: int) -> None:
    """Refuse what no engine can read: no token at all, or more tokens than the context has.

    Args:
        prompt: token ids.
        following: tokens that the model reads after the prompt.
        context_length: tokens that the model reads in all.

    Raises:
        ValueError: an empty prompt.
        InputError: prompt and following tokens are longer than the context.
    """
    if not len(prompt):
        raise ValueError("an empty prompt has no next token")
    if len(prompt) + following > context_length:
        what = (
            f"prompt and answer have {len(prompt) + following:,} tokens"
            if following
            else (f"the prompt has {len(prompt):,} tokens")
        )
        raise InputError(f"{what}, the model reads {context_length:,}", hint="shorten the text")


def check_sampling(sampling: Sampling) -> None:
    """Refuse what is not a way to draw tokens.

    Raises:
        ValueError: a temperature below 0, top_p outside (0, 1], or a negative number of likeliest tokens.
    """
    if not sampling.temperature >= 0:
        raise ValueError("temperature cannot be negative")
    if not 0 < sampling.top_p <= 1:
        raise ValueError("top_p lies above 0 and up to 1")
    if sampling.top is not None and sampling.top < 0:
        raise ValueError("the number of likeliest tokens cannot be negative")


@dataclass(frozen=True, slots=True)
class Continuation:
    """One scored continuation: the sum of its tokens' natural log-probabilities, and how many tokens they are."""

    log_probability: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the tokens of an answer are drawn.

    Attributes:
        temperature: 0 = always the likeliest token.
        top_p: draw from the likeliest tokens whose probabilities (at this temperature) sum to this; 1 = from all.
        seed: same prompt, sampling and seed give the same answer on one machine and engine.
        top: how many of the likeliest tokens each step tells with their log-probabilities; None = no log-probabilities.
        constraint: what the text of the answer is held to; None = any text.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    top: int | None = None
    constraint: Constraint | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One token of an answer.

    Attributes:
        token: its id.
        log_probability: natural, before temperature; None unless `Sampling.top` asked for it.
        top: the likeliest tokens with their log-probabilities, most probable first.
    """

    token: int
    log_probability: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class EngineFailed(RuntimeError):
    """The model's process died, hung or ran out of memory under this request; the next one finds a new process."""


class EndpointFailed(EngineFailed):
    """The server behind an engine does not answer, or answers otherwise than it should; nothing here can restart it."""


GREEDY = Sampling()


def lengths_of(max_new_tokens: int | Sequence[int], prompts: Sequence[Sequence[int]]) -> list[int]:
    """The longest answer to each prompt.

    >>> lengths_of(5, [[1], [2]]), lengths_of([3, 4], [[1], [2]])
    ([5, 5], [3, 4])
    """
    return [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)


def samplings_of(constraints: Sequence[Constraint], prompts: Sequence[Sequence[int]]) -> list[Sampling]:
    """Greedy sampling for each prompt, held to its constraint where there are constraints."""
    return [Sampling(constraint=one) for one in constraints] or [GREEDY] * len(prompts)


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One question to a model that takes text.

    Attributes:
        messages: a conversation that the model is to continue; or
        prompt: plain text to continue, read when `messages` is empty.
        max_tokens: the longest answer, in the model's own tokens.
        letters: wanted: how probable each of these single letters is as the first token; one token is generated then.
        stop: texts that end an answer; the answer does not hold them.
    """

    messages: tuple[Message, ...] = ()
    prompt: str = ""
    max_tokens: int = 128
    letters: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """What a text model said.

    Attributes:
        text: the answer, without what stopped it.
        letters: natural log-probability by letter; a letter outside the list that the server gave is absent.
        failure: why this one request has no answer (refused, too long, filtered); `text` is then "".
        tokens: length of the answer in the model's tokens, where the server says it.
        cut: it reached the limit of length and is no whole answer.
    """

    text: str
    letters: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    tokens: int | None = None
    cut: bool = False


class TextModel(Protocol):
    """A model that takes text and gives text: an endpoint, or a GGUF file that brings its own tokenizer.

    Attributes:
        chat: whether it takes conversations; without, it gets plain text to continue.
    """

    name: str
    chat: bool

    def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = ...) -> list[TextAnswer]:
        """Greedy answers in the order of the requests; `done(n)` is called as they finish."""


class Engine(Protocol):
    """A loaded model.

    Attributes:
        context_length: tokens of prompt and answer together.
        lanes: how many streams run at once.
    """

    name: str
    context_length: int
    lanes: int

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = ...,
    ) -> list[list[Continuation]]:
        """Log-probabilities of every option after its prompt; `done(n)` is called as prompts finish."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = ...,
    ) -> list[list[int]]:
        """Greedy continuations without the stop token.

        Args:
            prompts: token ids.
            max_new_tokens: the longest answer, to all or to each of them.
            stop: ids that end an answer.
            constraints: what each answer is held to; empty = any texts.
            done: told how many prompts are finished since the last time.
        """

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """Tokens one by one, without the stop token; closing the iterator ends the work.

        Up to `lanes` streams may run at once, each in a thread of its own; more wait for each other.

        Raises:
            InputError: the prompt does not fit, or the sampling asks for what this engine cannot do.
            EngineFailed: the model's process is gone.
        """
