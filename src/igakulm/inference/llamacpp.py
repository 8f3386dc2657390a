"""The `Engine` over llama.cpp (package xllamacpp, extra `llamacpp`), for GGUF files on machines without a GPU.

Does: start a child process that holds the model, send token ids, return token ids and exact log-probabilities.
Does not: tokenize (llama.cpp's Unigram differs from ours on some documents), batch, or keep running when the child
died: llama.cpp ends its process on a bad file or lack of memory, which becomes an `InputError` or `RuntimeError` here.

Two differences to the transformers engine: the end-of-text token always ends an answer, whether or not it is in
`stop`; and option scores are read one token at a time (the prompt stays in the cache): a step for each prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.errors import InputError
from igakulm.inference.engine import Continuation, check_prompt, nothing
from igakulm.inference.gguf_header import GgufHeader
from igakulm.inference.llamacpp_process import LlamaCppProcess
from igakulm.inference.llamacpp_process import available as available

LOOKS = (256, 4096)
"""How many of the most probable tokens a scoring step asks for before it asks for the whole vocabulary."""


class LlamaCppEngine:
    """A GGUF file in a child process.

    Args:
        path: the GGUF file.
        context_length: tokens of prompt and answer together; None = what the file says.
        threads: None = one fewer than cores.
        precise: keep keys and values as float32 instead of float16, for comparisons.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """

    def __init__(
        self, path: Path, *, context_length: int | None = None, threads: int | None = None, precise: bool = False
    ) -> None:
        header = GgufHeader.read(path)
        if header.end is None:
            raise InputError("the file names no end-of-text token", where=str(path), mend="export it again")
        self.path, self.name = path, path.stem
        self.vocabulary, self.end = header.vocabulary, header.end
        self.context_length = min(context_length or header.context_length, header.context_length)
        self._process = LlamaCppProcess(path, self.context_length, threads, precise=precise)

    def __enter__(self) -> LlamaCppEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child; harmless when it is gone already."""
        self._process.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        return self._process.ask(**request)

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

    def _next(self, prompt: list[int], wanted: set[int]) -> dict[int, float]:
        check_prompt(prompt, 1, self.context_length)
        found: dict[int, float] = {}
        for top in (*(look for look in LOOKS if look < self.vocabulary), self.vocabulary):
            answer = self._ask(prompt=prompt, max_tokens=1, top=top, end=self.end, wanted=sorted(wanted))
            found = {int(token): float(value) for token, value in answer["top"]}
            if wanted <= found.keys():
                return found
        raise InputError(f"token ids {sorted(wanted - found.keys())} are outside the vocabulary", where=str(self.path))

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of every token of the vocabulary after `prompt`, by id."""
        check_prompt(prompt, 1, self.context_length)
        answer = self._ask(prompt=list(prompt), max_tokens=1, top=self.vocabulary, end=self.end)
        return {int(token): float(value) for token, value in answer["top"]}

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """Greedy continuations, one prompt after the other."""
        answers = []
        for prompt in prompts:
            answers.append(self._continue(list(prompt), max_new_tokens, set(stop) | {self.end}))
            done(1)
        return answers

    def _continue(self, prompt: list[int], max_new_tokens: int, stop: set[int]) -> list[int]:
        check_prompt(prompt, 0, self.context_length)
        room = min(max_new_tokens, self.context_length - len(prompt))
        made: list[int] = []
        # Pieces of 32 tokens: a stop id that llama.cpp does not know ends the answer early enough.
        while len(made) < room:
            answer = self._ask(prompt=prompt + made, max_tokens=min(32, room - len(made)))
            for token in answer["tokens"]:
                if token in stop:
                    return made
                made.append(int(token))
            if answer["ended"] or not answer["tokens"]:
                break
        return made

    def stream(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[int]:
        """One request a token: a caller that stops listening costs nothing more than the token under way."""
        check_prompt(prompt, 0, self.context_length)
        made, ends = list(prompt), set(stop) | {self.end}
        for step in range(min(max_new_tokens, self.context_length - len(prompt))):
            answer = self._ask(prompt=made, max_tokens=1, temperature=temperature, seed=(seed + step) % 2**32)
            if not answer["tokens"] or answer["tokens"][0] in ends:
                return
            made.append(int(answer["tokens"][0]))
            yield made[-1]
