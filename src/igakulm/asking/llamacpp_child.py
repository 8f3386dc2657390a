"""A child process that holds llama.cpp with one GGUF file: how it is started and ended, and what llama.cpp is told.

Does: start `python -m MODULE SETTINGS`, end it; in the child: load the file into xllamacpp's server, which listens on a
Unix socket or on a free port of 127.0.0.1 and nowhere else. Does not: know what is asked of it (llamacpp_server.py:
HTTP for anybody here; `inference/llamacpp_worker.py`: lines of JSON for one parent).

llama.cpp ends the whole process when something is wrong with a file; that is why it never runs in ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from igakulm.errors import InputError

if TYPE_CHECKING:
    from xllamacpp import Server


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What llama.cpp is told.

    Attributes:
        path: the GGUF file.
        context_length: tokens of a question and its answer, for each lane.
        threads: of llama.cpp.
        lanes: requests at once.
        batch: tokens of a prompt that are read at once; None = llama.cpp's own number.
        precise: keys and values in float32 instead of float16.
        embeddings: embed texts: the last layer's vector of the last token.
        whole_window: keep keys and values outside of a sliding window too, so that questions with one beginning share
            it; takes memory.
        socket: path of a Unix socket; None = a free port of 127.0.0.1.
        memory_limit: bytes of address space; None = no limit of ours.
    """

    path: str
    context_length: int
    threads: int
    lanes: int = 1
    batch: int | None = None
    precise: bool = False
    embeddings: bool = False
    whole_window: bool = False
    socket: str | None = None
    memory_limit: int | None = None


def available() -> bool:
    """Whether the optional package is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def start_child(
    module: str, settings: ChildSettings, errors: IO[bytes], *, keep: str | None = None
) -> subprocess.Popen[bytes]:
    """Start a child; it ends when its input ends. It inherits none of our keys.

    Args:
        module: what the child runs.
        settings: what it is told.
        errors: where it writes what went wrong.
        keep: the one variable with a key that it needs.

    Raises:
        InputError: xllamacpp is missing.
    """
    if not available():
        raise InputError("llama.cpp is not installed", hint="pip install 'igakulm[llamacpp]'")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, json.dumps(asdict(settings))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(keep),
        start_new_session=True,  # Ctrl-C is for the parent, which then ends the child in order
    )


def _environment(keep: str | None) -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name == keep or not (name.startswith("IGAKULM_") and name.endswith("_KEY"))
    }


def wait_or_kill(child: subprocess.Popen[bytes], seconds: float = 5) -> None:
    """Wait for a child whose input has ended; kill one that does not listen."""
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def cannot_load(path: Path, why: str) -> InputError:
    """What to say when llama.cpp refuses a file."""
    hint = "check it with `igakulm verify`"
    return InputError(f"llama.cpp does not load this file: {why[:300]}", where=str(path), hint=hint)


# ---- in the child


def child_settings() -> ChildSettings:
    """What the parent said on the command line."""
    return ChildSettings(**json.loads(sys.argv[1]))


def own_output() -> TextIO:
    """Standard output for answers alone: what llama.cpp prints to descriptor 1 goes to standard error from now on."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def limit_memory(settings: ChildSettings) -> None:
    """Let this process, not the parent, die for lack of memory."""
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text("800")
    if settings.memory_limit:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (settings.memory_limit, settings.memory_limit))


def load_server(settings: ChildSettings, keys: list[str]) -> Server:
    """Xllamacpp's server with the file, listening; who asks it gives one of `keys`, where there are any."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.path
    params.n_ctx = settings.context_length * settings.lanes
    params.n_parallel = settings.lanes
    params.verbosity = 0
    params.warmup = False
    params.offline = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads
    params.cache_ram_mib = 0
    params.swa_full = settings.whole_window
    if settings.batch:
        params.n_batch = params.n_ubatch = settings.batch
    if settings.precise:
        params.cache_type_k = params.cache_type_v = int(xllamacpp.ggml_type.GGML_TYPE_F32)
        params.flash_attn_type = int(xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED)
    if settings.embeddings:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
    # The defaults are a TCP port on every address, every origin and no key.
    params.hostnames = [settings.socket or "127.0.0.1"]
    if settings.socket is None:
        params.port = 0
    params.api_keys = keys
    params.cors_origins = "http://127.0.0.1"
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    return xllamacpp.Server(params)
