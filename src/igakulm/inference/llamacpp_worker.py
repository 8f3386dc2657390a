"""The child process that holds llama.cpp; run as `python -m igakulm.inference.llamacpp_worker SETTINGS`.

Does: load one GGUF file, answer JSON lines on standard input with JSON lines on standard output, several requests at
once, until the input ends. Each request has an `id` that its answers bear; `{"cancel": id}` ends one. Requests hold
token ids (our files), or text or messages (foreign files; llama.cpp tokenises, and applies the file's chat template),
or texts of which only the ids are wanted. Does not: read requests from elsewhere, or open a network port: the server
inside xllamacpp listens on a Unix socket in the folder that the parent made for this user alone, and with a random key.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from igakulm.asking.llamacpp_child import ChildSettings, child_settings, limit_memory, load_server, own_output
from igakulm.inference.llamacpp_answers import Tokenizer, answer, stream, text_answer

_EXPECTED = (KeyError, IndexError, TypeError, ValueError, RuntimeError, OSError, http.client.HTTPException)


class _RequestHandler:
    """Takes requests, has them answered in threads, sends the answers one line at a time."""

    def __init__(self, server: object, tokenizer: Tokenizer, answers: TextIO, lanes: int) -> None:
        self._server, self._tokenizer, self._answers = server, tokenizer, answers
        self._lock, self._cancelled = threading.Lock(), set[int]()
        # More than lanes: a cancelled request may still be leaving when the next one comes.
        self._pool = ThreadPoolExecutor(2 * lanes)

    def take(self, request: dict[str, Any]) -> None:
        """One line of the parent."""
        if "cancel" in request:
            self._cancelled.add(request["cancel"])
        else:
            self._pool.submit(self._answer, request)

    def send(self, number: int, message: dict[str, object]) -> None:
        """One line to the parent."""
        line = json.dumps({"id": number, **message}) + "\n"
        with self._lock, contextlib.suppress(OSError):  # the parent is gone; the end of the input follows
            self._answers.write(line)
            self._answers.flush()

    def _answer(self, request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            if request.get("stream"):
                send, cancelled = (lambda message: self.send(number, message)), (lambda: number in self._cancelled)
                stream(self._server, request, send, cancelled)
            elif "tokenize" in request:
                self.send(number, {"answer": {"ids": [self._tokenizer.ids(text) for text in request["tokenize"]]}})
            else:
                reply = (answer if "prompt" in request else text_answer)(self._server, request)
                self.send(number, {"answer": reply})
        except ValueError as error:
            self.send(number, {"error": str(error)})
        except _EXPECTED as error:
            self.send(number, {"error": f"unexpected answer of llama.cpp: {type(error).__name__} {error}"})
        finally:
            self._cancelled.discard(number)


def _serve(settings: ChildSettings, requests: TextIO, answers: TextIO) -> None:
    assert settings.socket is not None
    key = secrets.token_urlsafe(32)
    tokenizer = Tokenizer(Path(settings.socket), key)
    handler = _RequestHandler(None, tokenizer, answers, settings.lanes)
    try:
        limit_memory(settings)
        handler = _RequestHandler(load_server(settings, [key]), tokenizer, answers, settings.lanes)
    except Exception as error:
        handler.send(0, {"error": f"llama.cpp cannot load the file ({error})"})
        return
    handler.send(0, {"answer": {"ready": True}})
    for line in requests:
        handler.take(json.loads(line))


def main() -> None:
    """Answer requests until standard input ends."""
    answers = own_output()
    code = 1
    # Whatever happened: threads under work would keep this process alive behind an ordinary end.
    try:
        _serve(child_settings(), sys.stdin, answers)
        answers.flush()
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
