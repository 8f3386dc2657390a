"""Answers in OpenAI's forms: chats and completions, whole or as events, with log-probabilities.

Does: turn pieces of text and steps into JSON values. Does not: run models or know HTTP.
Source: OpenAI API reference, chat completions and completions (objects and their chunks).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any, Protocol

from igakulm.inference.engine import Step
from igakulm.tokenizer.open import Encoder

NEVER = -9999.0
"""OpenAI's number for a log-probability of minus infinity, which JSON cannot hold."""


class Form(Protocol):
    """How one answer is written."""

    def whole(self, text: str, steps: Sequence[Step], reason: str, usage: dict[str, int]) -> dict[str, Any]:
        """The answer as one object."""

    def opening(self) -> dict[str, object] | None:
        """The event before all text, if there is one."""

    def part(self, text: str, steps: Sequence[Step]) -> dict[str, Any]:
        """An event with more text."""

    def closing(self, reason: str) -> dict[str, Any]:
        """The event after all text."""

    def counts(self, usage: dict[str, int]) -> dict[str, Any]:
        """The event with the counts."""


class ChatForm:
    """Chat completions.

    Args:
        name: of the model.
        encoder: knows the bytes of tokens.
        logprobs: whether the client asked for them.
    """

    def __init__(self, name: str, encoder: Encoder, logprobs: bool) -> None:
        self._encoder, self._logprobs = encoder, logprobs
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": name,
        }

    def whole(self, text: str, steps: Sequence[Step], reason: str, usage: dict[str, int]) -> dict[str, Any]:
        """See `Form.whole`."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": reason,
            "logprobs": self._entries(steps),
        }
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage}

    def opening(self) -> dict[str, object]:
        """See `Form.opening`."""
        return self._chunk({"role": "assistant", "content": ""})

    def part(self, text: str, steps: Sequence[Step]) -> dict[str, Any]:
        """See `Form.part`."""
        return self._chunk({"content": text}, steps=steps)

    def closing(self, reason: str) -> dict[str, Any]:
        """See `Form.closing`."""
        return self._chunk({}, reason)

    def counts(self, usage: dict[str, int]) -> dict[str, Any]:
        """See `Form.counts`."""
        return {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": usage}

    def _chunk(self, delta: dict[str, str], reason: str | None = None, steps: Sequence[Step] = ()) -> dict[str, object]:
        logprobs = self._entries(steps) if steps else None
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": logprobs}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def _entries(self, steps: Sequence[Step]) -> dict[str, object] | None:
        if not self._logprobs:
            return None
        content = [
            self._entry(step.token, step.log_probability)
            | {"top_logprobs": [self._entry(token, value) for token, value in step.top]}
            for step in steps
        ]
        return {"content": content, "refusal": None}

    def _entry(self, token: int, log_probability: float | None) -> dict[str, object]:
        data = self._encoder.token_bytes(token)
        return {"token": _written(data, token), "logprob": _finite(log_probability), "bytes": list(data)}


class CompletionForm:
    """Completions.

    Args:
        name: of the model.
        encoder: knows the bytes of tokens.
        logprobs: whether the client asked for them.
    """

    def __init__(self, name: str, encoder: Encoder, logprobs: bool) -> None:
        self._encoder, self._logprobs, self._length = encoder, logprobs, 0
        self._head: dict[str, Any] = {"id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion"}
        self._head |= {"created": int(time.time()), "model": name}

    def whole(self, text: str, steps: Sequence[Step], reason: str, usage: dict[str, int]) -> dict[str, Any]:
        """See `Form.whole`."""
        return self._object(text, steps, reason) | {"usage": usage}

    def opening(self) -> None:
        """See `Form.opening`; completions have none."""

    def part(self, text: str, steps: Sequence[Step]) -> dict[str, Any]:
        """See `Form.part`."""
        return self._object(text, steps, None)

    def closing(self, reason: str) -> dict[str, Any]:
        """See `Form.closing`."""
        return self._object("", (), reason)

    def counts(self, usage: dict[str, int]) -> dict[str, Any]:
        """See `Form.counts`."""
        return {**self._head, "choices": [], "usage": usage}

    def _object(self, text: str, steps: Sequence[Step], reason: str | None) -> dict[str, object]:
        choice = {"index": 0, "text": text, "finish_reason": reason, "logprobs": self._entries(steps)}
        return {**self._head, "choices": [choice]}

    def _entries(self, steps: Sequence[Step]) -> dict[str, object] | None:
        if not self._logprobs:
            return None
        tokens, offsets = [], []
        for step in steps:
            data = self._encoder.token_bytes(step.token)
            tokens.append(_written(data, step.token))
            offsets.append(self._length)
            # A character of several tokens begins with its first byte; the others are not 10xxxxxx.
            self._length += sum(byte & 0xC0 != 0x80 for byte in data)
        return {
            "tokens": tokens,
            "token_logprobs": [_finite(step.log_probability) for step in steps],
            "top_logprobs": [
                {_written(self._encoder.token_bytes(token), token): _finite(value) for token, value in step.top}
                for step in steps
            ],
            "text_offset": offsets,
        }


def _finite(value: float | None) -> float:
    return NEVER if value is None else max(float(value), NEVER)


def _written(data: bytes, token: int) -> str:
    r"""A token as text: part of a character as its bytes, a control token by its number.

    >>> _written("糖尿".encode(), 5), _written(b"\xe7\xb3", 6), _written(b"", 2)
    ('糖尿', 'bytes:\\xe7\\xb3', 'token:2')
    """
    if not data:
        return f"token:{token}"
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
