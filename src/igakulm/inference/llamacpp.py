"""The `Engine` over llama.cpp (package xllamacpp, extra `llamacpp`), for GGUF files on machines without a GPU.

Does: start a child process that holds the model, send token ids, return token ids and exact log-probabilities.
Does not: tokenize (llama.cpp's Unigram differs from ours on some documents), batch, or keep running when the child
died: llama.cpp ends its process on a bad file or lack of memory, which becomes an `InputError` or `RuntimeError` here.

Two differences to the transformers engine: the end-of-text token always ends an answer, whether or not it is in
`stop`; and option scores are read one token at a time (the prompt stays in the cache): a step for each prefix.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.errors import InputError
from igakulm.inference.engine import Continuation

LOOKS = (256, 4096)
"""How many of the most probable tokens a scoring step asks for before it asks for the whole vocabulary."""


def available() -> bool:
    """Whether the optional package is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def default_threads() -> int:
    """One thread fewer than cores: when decoding shares all cores with other work it becomes ten times slower."""
    return max(1, len(os.sched_getaffinity(0)) - 1) if hasattr(os, "sched_getaffinity") else max(1, os.cpu_count() or 1)


def _nothing(_: int) -> None:
    """Report nowhere."""


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
        if not available():
            raise InputError("llama.cpp is not installed", mend="pip install 'igakulm[llamacpp]'")
        self.path, self.name = path, path.stem
        self.vocabulary, self.end, longest = _facts(path)
        self.context_length = min(context_length or longest, longest)
        settings = {
            "path": str(path.resolve()),
            "context_length": self.context_length,
            "threads": threads or default_threads(),
            "precise": precise,
        }
        self._folder = _socket_folder()
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._child: subprocess.Popen[str] = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "igakulm.inference.llamacpp_worker",
                json.dumps({**settings, "folder": self._folder.name}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child in order
        )
        try:
            self._read()
        except (RuntimeError, InputError) as error:
            self.close()
            raise InputError(
                f"llama.cpp does not load this file: {error}", where=str(path), mend="check it with `igakulm verify`"
            ) from error

    def __enter__(self) -> LlamaCppEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child; harmless when it is gone already."""
        child = self._child
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._errors.close()
        self._folder.cleanup()

    def _ask(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            if self._child.stdin is None or self._child.stdin.closed:
                raise RuntimeError("this engine is closed")
            try:
                self._child.stdin.write(json.dumps(request) + "\n")
                self._child.stdin.flush()
            except OSError as error:
                raise self._dead() from error
            return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line.endswith("\n"):
            raise self._dead()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise InputError(str(answer["error"]), where=str(self.path))
        return answer

    def _dead(self) -> RuntimeError:
        try:
            code: int | None = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        last = f": {lines[-1][:300]}" if lines else ""
        return RuntimeError(f"the llama.cpp process ended (exit code {code}){last}")

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = _nothing,
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
        self._check(prompt, 1)
        found: dict[int, float] = {}
        for top in (*(look for look in LOOKS if look < self.vocabulary), self.vocabulary):
            answer = self._ask(prompt=prompt, max_tokens=1, top=top, end=self.end, wanted=sorted(wanted))
            found = {int(token): float(value) for token, value in answer["top"]}
            if wanted <= found.keys():
                return found
        raise InputError(f"token ids {sorted(wanted - found.keys())} are outside the vocabulary", where=str(self.path))

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of every token of the vocabulary after `prompt`, by id."""
        self._check(prompt, 1)
        answer = self._ask(prompt=list(prompt), max_tokens=1, top=self.vocabulary, end=self.end)
        return {int(token): float(value) for token, value in answer["top"]}

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        done: Callable[[int], None] = _nothing,
    ) -> list[list[int]]:
        """Greedy continuations, one prompt after the other."""
        answers = []
        for prompt in prompts:
            answers.append(self._continue(list(prompt), max_new_tokens, set(stop) | {self.end}))
            done(1)
        return answers

    def _continue(self, prompt: list[int], max_new_tokens: int, stop: set[int]) -> list[int]:
        self._check(prompt, 0)
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
        self._check(prompt, 0)
        made, ends = list(prompt), set(stop) | {self.end}
        for step in range(min(max_new_tokens, self.context_length - len(prompt))):
            answer = self._ask(prompt=made, max_tokens=1, temperature=temperature, seed=(seed + step) % 2**32)
            if not answer["tokens"] or answer["tokens"][0] in ends:
                return
            made.append(int(answer["tokens"][0]))
            yield made[-1]

    def _check(self, prompt: Sequence[int], room: int) -> None:
        if not prompt:
            raise ValueError("an empty prompt has no next token")
        if len(prompt) + room > self.context_length:
            raise InputError(
                f"the prompt has {len(prompt):,} tokens, the model reads {self.context_length:,}",
                mend="shorten the text",
            )


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that only this user can enter; the system allows paths of about 100 bytes for sockets."""
    folder = tempfile.TemporaryDirectory(prefix="igakulm-")
    if len(os.fsencode(folder.name)) > 80:
        folder.cleanup()
        folder = tempfile.TemporaryDirectory(prefix="igakulm-", dir="/tmp")
    return folder


def _facts(path: Path) -> tuple[int, int, int]:
    """Vocabulary size, end-of-text id and context length from the header of a GGUF file."""
    import gguf

    try:
        reader = gguf.GGUFReader(path)
        architecture = str(reader.fields["general.architecture"].contents())
        vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)
        end = int(reader.fields["tokenizer.ggml.eos_token_id"].contents())
        longest = int(reader.fields[f"{architecture}.context_length"].contents())
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=str(path)) from error
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"this is no complete GGUF file ({error})", where=str(path), mend="export it again") from error
    return vocabulary, end, longest
