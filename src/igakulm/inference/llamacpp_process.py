"""The child process that holds llama.cpp, seen from the parent.

Does: start it, send one request and read one answer, say why it died, end it. Does not: know what requests mean
(llamacpp_worker.py answers them).
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
from pathlib import Path
from typing import Any

from igakulm.errors import InputError


def available() -> bool:
    """Whether the optional package is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def default_threads() -> int:
    """One thread fewer than cores: when decoding shares all cores with other work it becomes ten times slower."""
    return max(1, len(os.sched_getaffinity(0)) - 1) if hasattr(os, "sched_getaffinity") else max(1, os.cpu_count() or 1)


class LlamaCppProcess:
    """llama.cpp with one GGUF file, in a child process.

    Args:
        path: the GGUF file.
        context_length: tokens of prompt and answer together.
        threads: None = one fewer than cores.
        precise: keep keys and values as float32 instead of float16.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, context_length: int, threads: int | None = None, *, precise: bool = False) -> None:
        if not available():
            raise InputError("llama.cpp is not installed", mend="pip install 'igakulm[llamacpp]'")
        self.path = path
        self._folder = _socket_folder()
        settings = {
            "path": str(path.resolve()),
            "context_length": context_length,
            "threads": threads or default_threads(),
            "precise": precise,
            "folder": self._folder.name,
        }
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._child: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-P", "-m", "igakulm.inference.llamacpp_worker", json.dumps(settings)],
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

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

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

    def ask(self, **request: Any) -> dict[str, Any]:
        """One answer to one request.

        Raises:
            InputError: llama.cpp refuses the request.
            RuntimeError: the child died, or is closed.
        """
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


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that only this user can enter; the system allows paths of about 100 bytes for sockets."""
    folder = tempfile.TemporaryDirectory(prefix="igakulm-")
    if len(os.fsencode(folder.name)) > 80:
        folder.cleanup()
        folder = tempfile.TemporaryDirectory(prefix="igakulm-", dir="/tmp")
    return folder
