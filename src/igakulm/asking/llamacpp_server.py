"""llama.cpp serving one GGUF file on loopback, for answers and embeddings where no server is at hand.

Does: hold xllamacpp's server in a child process (`python -m igakulm.asking.llamacpp_server SETTINGS`) on a free port of
127.0.0.1, say its address, end it. It answers /v1/chat/completions and, if asked to, /v1/embeddings; a vector is the
last layer's of the last token (pooling "last"), and the tokenizer puts the begin token first as the file asks for.
Does not: listen on any other address, or speak for a process that crashed: llama.cpp ends the whole process when a file
is bad, which is why it is not in ours. For a GPU or many users run a real server and give its address instead.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
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
    if importlib.util.find_spec("xllamacpp") is None:
        raise InputError("llama.cpp is not installed", hint="pip install 'igakulm[llamacpp]'")
    settings = {
        "path": str(path.resolve()),
        "context_length": context_length,
        "slots": slots,
        "threads": threads or cores(),
        "embeddings": embeddings,
    }
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "igakulm.asking.llamacpp_server", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child in order
        )
        try:
            yield _address(child, path, errors)
        finally:
            _end(child)


def _address(child: subprocess.Popen[str], path: Path, errors: Any) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if line.endswith("\n") and "endpoint" in (answer := json.loads(line)):
        return str(answer["endpoint"])
    child.wait()
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    detail = json.loads(line)["error"] if line.endswith("\n") else (lines[-1] if lines else f"exit {child.returncode}")
    raise InputError(f"llama.cpp does not load this file: {detail[:300]}", where=str(path))


def _end(child: subprocess.Popen[str]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _load(settings: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context_length"] * settings["slots"]
    params.verbosity = 0
    params.warmup = False
    params.offline = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    if settings["embeddings"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
        params.n_batch = params.n_ubatch = settings["context_length"]  # a text to embed must fit into one batch
    params.cache_ram_mib = 0
    params.swa_full = True  # models with a sliding window forget the common beginning of the questions otherwise
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key] if (key := os.environ.get(API_KEY_VARIABLE, "").strip()) else []
    params.cors_origins = "http://127.0.0.1"
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    return xllamacpp.Server(params)


def main() -> None:
    """Serve until standard input ends."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    # llama.cpp prints to file descriptor 1; the address gets a descriptor of its own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        server = _load(json.loads(sys.argv[1]))
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
