"""The child process that holds llama.cpp; run as `python -m igakulm.inference.llamacpp_worker SETTINGS`.

Does: load one GGUF file, answer JSON lines on standard input with JSON lines on standard output, several requests at
once, until the input ends. Each request has an `id` that its answers bear; `{"cancel": id}` ends one. Requests hold
token ids (our files), or text or messages (foreign files; llama.cpp tokenises, and applies the file's chat template),
or texts of which only the ids are wanted. Does not: read requests from elsewhere, or open a network port: the server
inside xllamacpp listens on a Unix socket in the folder that the parent made for this user alone, and with a random key.

llama.cpp ends the whole process when something is wrong with a file; that is why it lives here and not in the parent.
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

from igakulm.inference.llamacpp_answers import Tokenizer, answer, stream, text_answer

BATCH = 256
"""Tokens of a prompt that are read at once: between two batches a request can be cancelled and others can go on."""
_EXPECTED = (KeyError, IndexError, TypeError, ValueError, RuntimeError, OSError, http.client.HTTPException)


def _socket_path(settings: dict[str, Any]) -> Path:
    return Path(settings["folder"]) / "llama.sock"


def _load(settings: dict[str, Any], key: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_ctx = settings["context_length"] * settings["lanes"]
    params.n_parallel = settings["lanes"]
    params.n_batch = params.n_ubatch = BATCH
    params.verbosity = 0
    params.warmup = False
    params.offline = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    if settings["precise"]:
        params.cache_type_k = params.cache_type_v = int(xllamacpp.ggml_type.GGML_TYPE_F32)
        params.flash_attn_type = int(xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED)
    params.cache_ram_mib = 0
    # The defaults are a TCP port, every origin and an hour of patience.
    params.hostnames = [str(_socket_path(settings))]
    params.api_keys = [key]
    params.cors_origins = "http://127.0.0.1"
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    return xllamacpp.Server(params)


class _Desk:
    """Takes requests, has them answered in threads, sends the answers one line at a time."""

    def __init__(self, server: Any, tokenizer: Tokenizer, answers: TextIO, lanes: int) -> None:
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

    def send(self, number: int, message: dict[str, Any]) -> None:
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


def _limit(settings: dict[str, Any]) -> None:
    """Let this process, not the parent, die for lack of memory."""
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("800")
    if settings["memory_limit"]:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (settings["memory_limit"], settings["memory_limit"]))


def _serve(settings: dict[str, Any], requests: TextIO, answers: TextIO) -> None:
    key = secrets.token_urlsafe(32)
    tokenizer = Tokenizer(_socket_path(settings), key)
    desk = _Desk(None, tokenizer, answers, settings["lanes"])
    try:
        _limit(settings)
        desk = _Desk(_load(settings, key), tokenizer, answers, settings["lanes"])
    except Exception as error:
        desk.send(0, {"error": f"llama.cpp cannot load the file ({error})"})
        return
    desk.send(0, {"answer": {"ready": True}})
    for line in requests:
        desk.take(json.loads(line))


def main() -> None:
    """Answer requests until standard input ends."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    # llama.cpp prints to file descriptor 1; answers get a descriptor that only they use.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    code = 1
    # Whatever happened: threads under work would keep this process alive behind an ordinary end.
    try:
        _serve(json.loads(sys.argv[1]), sys.stdin, answers)
        answers.flush()
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
