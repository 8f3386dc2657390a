"""A foreign GGUF file as a model that takes text: llama.cpp tokenises, and applies the file's own chat template.

Does: greedy answers, and exact log-probabilities of letters as the first token, one request after the other; start a
new child for the next request when one died.
Does not: use our tokenizer (`LlamaCppEngine` does, for our own files), batch, or sample.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from igakulm.inference.engine import TextAnswer, TextRequest, nothing
from igakulm.inference.letters import letter_logprobs
from igakulm.inference.llamacpp_process import LlamaCppProcess
from igakulm.inference.llamacpp_restart import LastingProcess
from igakulm.inference.messages import render_plain
from igakulm.text.broken import whole_characters
from igakulm.tokenizer.gguf_header import GgufHeader

LOOKS = (1024, 16_384)
"""How many of the likeliest tokens are looked through for the letters, before the whole vocabulary is."""
CONTEXT = 8_192
"""Tokens of context at most: some files allow so much that the memory for it exceeds that of the machine."""


class LlamaCppText:
    """A GGUF file in a child process that takes text; see `TextModel`.

    A file without chat template gets conversations as plain text. Where a template has no system role, llama.cpp puts
    the system text before the user's. Control tokens that a text spells are broken by a space, as llama.cpp would read
    them as control tokens.

    Args:
        path: the GGUF file.
        identity: hex SHA-256 that names its weights.
        context_length: tokens of prompt and answer together; None = what the file says, at most `CONTEXT`.
        threads: None = one fewer than cores.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """

    def __init__(
        self, path: Path, *, identity: str = "", context_length: int | None = None, threads: int | None = None
    ) -> None:
        self.path, self.name, self.identity = path, path.stem, identity
        header = GgufHeader.read(path)
        self.chat = bool(header.chat_template)
        self.context_length = min(context_length or CONTEXT, header.context_length)
        self._vocabulary, self._end = header.vocabulary, header.end or 0
        spellings = sorted(header.control_tokens, key=lambda spelling: (-len(spelling), spelling))
        self._control = re.compile("|".join(re.escape(word) for word in spellings if len(word) > 1) or r"(?!)")
        self._process = LastingProcess(lambda: LlamaCppProcess(path, self.context_length, threads))

    def __enter__(self) -> LlamaCppText:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child; harmless when it is gone already."""
        self._process.close()

    def answer(self, requests: Sequence[TextRequest], *, done: Callable[[int], None] = nothing) -> list[TextAnswer]:
        """Greedy answers in the order of the requests; a request that llama.cpp refuses has a `failure`.

        Raises:
            EngineFailed: the llama.cpp process ended; the next call starts another one.
        """
        answers = []
        for request in requests:
            answers.append(self._letters(request) if request.letters else self._text(request))
            done(1)
        return answers

    def _text(self, request: TextRequest) -> TextAnswer:
        reply = self._ask(request, {"max_tokens": request.max_tokens, "stop": list(request.stop)})
        if "refused" in reply:
            return TextAnswer("", failure=reply["refused"])
        return TextAnswer(reply["text"], tokens=reply["count"], cut=reply["cut"])

    def _letters(self, request: TextRequest) -> TextAnswer:
        """The first token's log-probabilities; a letter that is not among the likely tokens costs a longer look."""
        found: dict[str, float] = {}
        for top in (*(look for look in LOOKS if look < self._vocabulary), self._vocabulary):
            reply = self._ask(request, {"max_tokens": 1, "top": top, "end": self._end, "letters": request.letters})
            if "refused" in reply:
                return TextAnswer("", failure=reply["refused"])
            found = letter_logprobs([(token, value) for token, value in reply["top"]], request.letters)
            if len(found) == len(request.letters):
                break
        best = max(found, key=lambda letter: found[letter], default="")
        return TextAnswer(best, letters=found, tokens=1)

    def _ask(self, request: TextRequest, how: Mapping[str, object]) -> dict[str, Any]:
        if not request.messages or not self.chat:
            text = render_plain(request.messages) if request.messages else request.prompt
            return self._process.current().ask(text=self._plain(text), **how)
        messages = [{**message, "content": self._plain(message["content"])} for message in request.messages]
        return self._process.current().ask(messages=messages, **how)

    def _plain(self, text: str) -> str:
        """The text with control tokens broken, and without characters that JSON cannot carry."""
        text = whole_characters(text).replace("\0", "")
        return self._control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
