"""The `Engine` over llama.cpp (package xllamacpp, extra `llamacpp`), for GGUF files on machines without a GPU.

Does: start a child process that holds the model, send token ids, return token ids and exact log-probabilities, several
streams at once; start a new child for the next request when one died. Does not: tokenize (llama.cpp's Unigram differs
from ours on some documents), or keep running what was under way when the child died: that gets `EngineFailed`.

Differences to the transformers engine: the end-of-text token always ends an answer, whether or not it is in `stop`;
option scores are read one token at a time (the prompt stays in the cache): a step for each prefix; and a stream beside
others may differ in the last bits, hence in close choices, from one that runs alone, as llama.cpp multiplies several
rows by other routines than one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.asking.llamacpp_child import available as available
from igakulm.errors import InputError
from igakulm.inference.constraint import Constraint, ListOf
from igakulm.inference.engine import (
    GREEDY,
    Continuation,
    EngineFailed,
    Sampling,
    Step,
    check_prompt,
    check_sampling,
    lengths_of,
    nothing,
    samplings_of,
)
from igakulm.inference.json_grammar import grammar_of
from igakulm.inference.llamacpp_lanes import default_lanes
from igakulm.inference.llamacpp_pieces import Pieces
from igakulm.inference.llamacpp_process import PATIENCE, LlamaCppProcess
from igakulm.inference.llamacpp_restart import LastingProcess
from igakulm.inference.masks import Guide
from igakulm.tokenizer.gguf_header import GgufHeader

LOOKS = (256, 4096)
"""How many of the most probable tokens a scoring step asks for before it asks for the whole vocabulary."""
_SEEDS = 2**32 - 1  # llama.cpp takes the largest number of 32 bits as "any"


class LlamaCppEngine:
    """A GGUF file in a child process.

    Args:
        path: the GGUF file.
        context_length: tokens of prompt and answer together; None = what the file says.
        threads: None = one fewer than cores.
        precise: keep keys and values as float32 instead of float16, for comparisons; one lane.
        lanes: streams at once, each with the whole context; None = by memory (1 to 4).
        memory_limit: bytes of address space that the child may use; None = no limit of ours.
        patience: seconds without a sign of life until a child under work counts as hung.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        context_length: int | None = None,
        threads: int | None = None,
        precise: bool = False,
        lanes: int | None = None,
        memory_limit: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        header = GgufHeader.read(path)
        if header.end is None:
            raise InputError("the file names no end-of-text token", where=str(path), hint="export it again")
        self.path, self.name = path, path.stem
        self.vocabulary, self.end = header.vocabulary, header.end
        self.context_length = min(context_length or header.context_length, header.context_length)
        self.lanes = lanes or (1 if precise else default_lanes(header, self.context_length))

        def start() -> LlamaCppProcess:
            return LlamaCppProcess(
                path,
                self.context_length,
                threads,
                precise=precise,
                lanes=self.lanes,
                memory_limit=memory_limit,
                patience=patience,
            )

        self._process = LastingProcess(start)

    def __enter__(self) -> LlamaCppEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child; harmless when it is gone already."""
        self._process.close()

    @property
    def alive(self) -> bool:
        """Whether the child lives; if not, the next request starts another one."""
        return self._process.alive

    @property
    def restarts(self) -> int:
        """How many children died and were replaced."""
        return self._process.restarts

    @property
    def pid(self) -> int:
        """Process id of the child of now."""
        return self._process.pid

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces.read(self.path)

    @cached_property
    def _guide(self) -> Guide:
        return Guide(self._pieces.bytes)

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = nothing,
    ) -> list[list[Continuation]]:
        """Exact natural log-probabilities; a step's answer is shared by all options that continue the same prefix."""
        scored = []
        for prompt, choices in zip(prompts, options, strict=True):
            scored.append(self._score_one(list(prompt), [list(choice) for choice in choices]))
            done(1)
        return scored

    def _score_one(self, prompt: list[int], choices: list[list[int]]) -> list[Continuation]:
        following: dict[tuple[int, ...], set[int]] = {}
        for choice in choices:
            for place, token in enumerate(choice):
                following.setdefault(tuple(choice[:place]), set()).add(token)
        table = {prefix: self._next(prompt + list(prefix), wanted) for prefix, wanted in sorted(following.items())}
        return [
            Continuation(sum(table[tuple(choice[:k])][token] for k, token in enumerate(choice)), len(choice))
            for choice in choices
        ]

    def _next(self, prompt: list[int], wanted: set[int], most: int = 0) -> dict[int, float]:
        """Log-probabilities after a prompt: of the wanted tokens, and of the `most` likeliest, these first."""
        check_prompt(prompt, 1, self.context_length)
        found: dict[int, float] = {}
        only = {} if most else {"wanted": sorted(wanted)}
        for top in (*(look for look in LOOKS if most <= look < self.vocabulary), self.vocabulary):
            found = self._likeliest(prompt, top, **only)
            if wanted <= found.keys():
                return found
        raise InputError(f"token ids {sorted(wanted - found.keys())} are outside the vocabulary", where=str(self.path))

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of every token of the vocabulary after `prompt`, by id."""
        check_prompt(prompt, 1, self.context_length)
        return self._likeliest(list(prompt), self.vocabulary)

    def _likeliest(self, prompt: list[int], top: int, **only: Any) -> dict[int, float]:
        request = {"prompt": prompt, "max_tokens": 1, "top": top, "end": self.end, **only}
        messages = list(self._process.current().stream(**request))
        return {int(token): float(value) for message in messages for token, value in message.get("top", ())}

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """Greedy continuations, one prompt after the other; see `Engine.generate`."""
        answers = []
        longest, samplings = lengths_of(max_new_tokens, prompts), samplings_of(constraints, prompts)
        for prompt, most, sampling in zip(prompts, longest, samplings, strict=True):
            answers.append([step.token for step in self.stream(prompt, most, stop, sampling)])
            done(1)
        return answers

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """Tokens one by one; see `Engine.stream`. Closing the iterator ends the work within one token."""
        check_prompt(prompt, 0, self.context_length)
        check_sampling(sampling)
        made, ends = list(prompt), set(stop) | {self.end}
        longest = len(made) + min(max_new_tokens, self.context_length - len(made))
        with closing(self._steps(made, longest, sampling)) as steps:
            for step in steps:
                if step.token in ends:
                    return
                made.append(step.token)
                yield step

    def _steps(self, made: list[int], longest: int, sampling: Sampling) -> Generator[Step]:
        """Steps until the end-of-text token or `longest`; the caller appends each to `made` before it asks on."""
        if isinstance(sampling.constraint, ListOf):
            yield from self._held(made, longest, sampling)
            return
        start = len(made)
        process = self._process.current()  # an answer comes from one process: its death is told, whatever was under way
        complete = start == longest or (yield from self._streamed(process, made, longest, sampling))
        if not complete and sampling.constraint is None:
            yield from self._single_steps(process, made, longest, sampling)
        elif not complete:
            yield from self._said_again(process, made, start, longest, sampling)

    def _held(self, made: list[int], longest: int, sampling: Sampling) -> Generator[Step]:
        """Greedy steps under a list: the model writes freely until a token that is not allowed; the likeliest allowed
        one takes its place, and the model writes on from there.
        """
        assert sampling.constraint is not None
        if sampling.temperature:
            raise ValueError("lists are written greedily")
        matcher, free = self._guide.matcher(sampling.constraint), replace(sampling, constraint=None)
        while len(made) < longest and not matcher.ended:
            with closing(self._steps(made, longest, free)) as steps:
                for step in steps:
                    if not matcher.allows(step.token):
                        break
                    ended = matcher.take(step.token)
                    yield step
                    if ended:
                        return
            token = self._likeliest_allowed(made, matcher.allowed()) if len(made) < longest else None
            if token is None:
                return
            matcher.take(token)
            yield self._told(made, token, free)

    def _likeliest_allowed(self, made: list[int], allowed: bytearray) -> int | None:
        """The likeliest of the allowed tokens; None where there is none."""
        if not any(allowed):
            return None
        for top in (*(look for look in LOOKS if look < self.vocabulary), self.vocabulary):
            for token in self._likeliest(made, top):
                if token < len(allowed) and allowed[token]:
                    return token
        return next(
            token for token, one in enumerate(allowed) if one
        )  # llama.cpp leaves out tokens whose probability is 0

    def _streamed(
        self, process: LlamaCppProcess, made: list[int], longest: int, sampling: Sampling
    ) -> Generator[Step, None, bool]:
        """Steps of one request; False = it ends early, at a token that what llama.cpp sends does not tell."""
        start = len(made)
        with closing(process.stream(**_request(made, longest - start, sampling))) as stream:
            for message in _with_room_to_score(stream, sampling):
                if "end" in message:
                    return bool(message["count"] == len(made) - start)
                if "token" not in message:
                    continue
                missing = message["count"] - (len(made) - start) - 1
                lost = self._pieces.lost(message["text"], message["token"], missing) if missing else []
                if lost is None or (lost and sampling.top is not None and sampling.constraint is None):
                    return False
                for token in lost:
                    yield self._told(made, token, sampling)
                top = tuple((int(token), float(value)) for token, value in message.get("top", ()))
                yield Step(message["token"], message.get("value"), top)
        return True

    def _single_steps(
        self, process: LlamaCppProcess, made: list[int], longest: int, sampling: Sampling
    ) -> Iterator[Step]:
        """Steps of one request each: slower, but llama.cpp then tells every id."""
        for number in range(longest - len(made)):
            request = _request(made, 1, replace(sampling, top=None, seed=sampling.seed + number + 1))
            tokens = process.ask(**request)["tokens"]
            if not tokens:
                return
            yield self._told(made, int(tokens[0]), sampling)

    def _said_again(
        self, process: LlamaCppProcess, made: list[int], start: int, longest: int, sampling: Sampling
    ) -> Iterator[Step]:
        """What is left of an answer to a schema, which cannot be taken up in the middle: all of it in one piece."""
        request = _request(made[:start], longest - start, sampling)
        tokens = process.ask(**request)["tokens"]
        known = len(made) - start
        if tokens[:known] != made[start:]:
            raise EngineFailed("llama.cpp answered differently when it was asked again")
        for token in tokens[known:]:
            yield self._told(made, int(token), sampling)

    def _told(self, made: list[int], token: int, sampling: Sampling) -> Step:
        """A known token with the log-probabilities that the sampling asks for."""
        if sampling.top is None:
            return Step(token)
        known = self._next(made, {token}, max(1, sampling.top))
        top = sorted(known.items(), key=lambda entry: -entry[1])[: sampling.top]
        return Step(token, known[token], tuple(top))


def _request(made: Sequence[int], room: int, sampling: Sampling) -> dict[str, Any]:
    request: dict[str, Any] = {
        "prompt": list(made),
        "max_tokens": room,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed % _SEEDS,
    }
    if sampling.top is not None:
        request["top"] = sampling.top
    return request if sampling.constraint is None else {**request, "grammar": grammar_of(sampling.constraint.schema)}


def _with_room_to_score(stream: Iterator[dict[str, object]], sampling: Sampling) -> Iterator[dict[str, Any]]:
    """The messages of a stream; from the first token on that must be scored by a request of its own, only when the
    stream has ended: a lane for that request is free then.
    """
    for message in stream:
        if "text" in message and sampling.top is not None and sampling.constraint is not None:
            yield from [message, *stream]
            return
        yield message
