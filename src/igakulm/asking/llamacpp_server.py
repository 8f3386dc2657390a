"""llama.cpp serving one GGUF file on loopback, for answers and embeddings where no server is at hand.

Does: hold xllamacpp's server in a child process (`python -m igakulm.asking.llamacpp_server SETTINGS`) on a free port of
127.0.0.1, say its address, end it. It answers /v1/chat/completions and, if asked to, /v1/embeddings; a vector is the
last layer's of the last token (pooling "last"), and the tokenizer puts the begin token first as the file asks for.
Does not: listen on any other address, or speak for a process that crashed (llamacpp_child.py starts it). For a GPU or
many users run a real server and give its address instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from igakulm.asking.llamacpp_child import (
    ChildSettings,
    cannot_load,
    child_settings,
    load_server,
    own_output,
    start_child,
    wait_or_kill,
)
from igakulm.machine import cores

API_KEY_VARIABLE = "IGAKULM_API_KEY"  # the client sends it; the child then asks for it


@contextmanager
def serve_gguf(
    path: Path, context_length: int, *, slots: int = 1, threads: int | None = None, embeddings: bool = False
) -> Iterator[str]:
    """Run llama.cpp for the duration of the block; yields the endpoint's address up to and including `/v1`.

    `context_length` is the longest question and answer in tokens, for each of `slots` requests at once; `threads` is
    all cores that this process may use, if None; with `embeddings` the server also embeds texts.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """
    settings = ChildSettings(
        path=str(path.resolve()),
        context_length=context_length,
        threads=threads or cores(),
        lanes=slots,
        batch=context_length if embeddings else None,  # a text to embed must fit into one batch
        embeddings=embeddings,
        whole_window=True,
    )
    with tempfile.TemporaryFile() as errors:
        child = start_child("igakulm.asking.llamacpp_server", settings, errors, keep=API_KEY_VARIABLE)
        try:
            yield _address(child, path, errors)
        finally:
            _end(child)


def _address(child: subprocess.Popen[bytes], path: Path, errors: IO[bytes]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if line.endswith(b"\n") and "endpoint" in (answer := json.loads(line)):
        return str(answer["endpoint"])
    child.wait()
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    detail = json.loads(line)["error"] if line.endswith(b"\n") else (lines[-1] if lines else f"exit {child.returncode}")
    raise cannot_load(path, detail)


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    wait_or_kill(child)


def main() -> None:
    """Serve until standard input ends."""
    answers = own_output()
    key = os.environ.get(API_KEY_VARIABLE, "").strip()
    try:
        server = load_server(child_settings(), [key] if key else [])
        answer = {"endpoint": f"{server.listening_address}/v1"}
    except Exception as error:
        answer = {"error": str(error) or type(error).__name__}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
    if "endpoint" in answer:
        sys.stdin.read()
    # The threads of the server inside would outlive the interpreter's own shutdown.
    os._exit(0)


if __name__ == "__main__":
    main()
