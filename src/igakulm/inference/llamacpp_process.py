"""The child process that holds llama.cpp, seen from the parent.

Does: start it, carry several requests at once over its pipes, notice that it died or hangs, say why, end it.
Does not: know what requests mean (llamacpp_worker.py answers them), or start a second process (llamacpp_restart.py).

Two threads move lines, so that no caller ever waits in a read or a write: a caller waits for its own messages, and
kills a child that says nothing for too long.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from igakulm.asking.llamacpp_child import ChildSettings, cannot_load, start_child, wait_or_kill
from igakulm.errors import InputError
from igakulm.inference.engine import EngineFailed
from igakulm.machine import cores

PATIENCE = 120.0
"""Seconds without a message after which a request under way makes the child count as hung."""
LONG = 1800.0
"""The same for loading a file, and for requests that are answered in one piece."""
BATCH = 256
"""Tokens of a prompt that are read at once: between two batches a request can be cancelled and others can go on."""
_LAST = ("end", "error", "answer")
_SOON, _LAST_BYTES = 0.2, 4096


def default_threads() -> int:
    """One thread fewer than cores: when decoding shares all cores with other work it becomes ten times slower."""
    return max(1, cores() - 1)


class _Call:
    """One request under way: its messages, and since when nobody listens to them."""

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.abandoned: float | None = None


class LlamaCppProcess:
    """llama.cpp with one GGUF file, in a child process.

    Args:
        path: the GGUF file.
        context_length: tokens of prompt and answer together, for each lane.
        threads: None = one fewer than cores.
        precise: keep keys and values as float32 instead of float16.
        lanes: requests that llama.cpp works on at once; more wait here.
        memory_limit: bytes of address space that the child may use; None = no limit of ours.
        patience: seconds without a message until the child counts as hung.

    Raises:
        InputError: xllamacpp is missing, or llama.cpp cannot load the file.
    """

    def __init__(
        self,
        path: Path,
        context_length: int,
        threads: int | None = None,
        *,
        precise: bool = False,
        lanes: int = 1,
        memory_limit: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.path, self._patience = path, patience
        self._folder = _socket_folder()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._lock, self._lanes = threading.Lock(), threading.Semaphore(lanes)
        self._numbers, self._calls = itertools.count(1), {0: _Call()}
        self._outgoing: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._gone = self._closed = False
        self._reason = ""
        settings = ChildSettings(
            path=str(path.resolve()),
            context_length=context_length,
            threads=threads or default_threads(),
            lanes=lanes,
            batch=BATCH,
            precise=precise,
            socket=str(Path(self._folder.name) / "llama.sock"),
            memory_limit=memory_limit,
        )
        self._child = self._start(settings)
        try:
            self._next_message(self._calls[0], LONG)
        except (EngineFailed, InputError) as error:
            self.close()
            what = error.what if isinstance(error, InputError) else str(error)
            raise cannot_load(path, what) from error

    def _start(self, settings: ChildSettings) -> subprocess.Popen[bytes]:
        try:
            child = start_child("igakulm.inference.llamacpp_worker", settings, self._errors)
        except InputError:
            self._errors.close()
            self._folder.cleanup()
            raise
        self._threads = [
            threading.Thread(target=work, args=(child,), name=f"llama.cpp {child.pid}", daemon=True)
            for work in (self._read, self._write)
        ]
        for thread in self._threads:
            thread.start()
        return child

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it can take requests."""
        return not self._gone and not self._closed

    def close(self) -> None:
        """End the child; harmless when it is gone already. Requests under way fail."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._outgoing.put(None)
        wait_or_kill(self._child)
        for thread in self._threads:
            thread.join(timeout=5)
        self._errors.close()
        self._folder.cleanup()

    def ask(self, **request: Any) -> dict[str, Any]:
        """The one answer to a request that is answered in one piece.

        Raises:
            InputError: llama.cpp refuses the request.
            EngineFailed: the child died or hangs, or is closed.
        """
        call = self._begin(request)
        answer: dict[str, Any] = self._next_message(call, max(LONG, self._patience))["answer"]
        return answer

    def stream(self, **request: object) -> Generator[dict[str, Any]]:
        """The messages of a request as they come, the last one with the key `end`; closing it cancels the request.

        Raises:
            InputError: llama.cpp refuses the request.
            EngineFailed: the child died or hangs, or is closed.
        """
        call = self._begin({**request, "stream": True})
        ended = False
        try:
            while not ended:
                message = self._next_message(call, self._patience)
                ended = "end" in message
                yield message
        finally:
            if not ended:
                self._abandon(call)

    def _begin(self, request: Mapping[str, object]) -> _Call:
        """Wait for a lane and send a request."""
        while True:
            taken = self._lanes.acquire(timeout=1)
            with self._lock:
                if self.alive and taken:
                    number, call = next(self._numbers), _Call()
                    self._calls[number] = call
                    self._outgoing.put(json.dumps({**request, "id": number}))
                    return call
            if not self.alive:
                if taken:
                    self._lanes.release()
                raise self._dead()
            self._check_abandoned()

    def _abandon(self, call: _Call) -> None:
        with self._lock:
            for number, known in self._calls.items():
                if known is call:
                    call.abandoned = time.monotonic()
                    self._outgoing.put(json.dumps({"cancel": number}))

    def _check_abandoned(self) -> None:
        """Kill a child that does not let go of a cancelled request: nobody else would notice that it hangs."""
        with self._lock:
            oldest = min((call.abandoned for call in self._calls.values() if call.abandoned), default=None)
        if oldest is not None and time.monotonic() - oldest > self._patience:
            self._kill()

    def _next_message(self, call: _Call, patience: float) -> dict[str, Any]:
        try:
            message = call.messages.get(timeout=patience)
        except queue.Empty:
            self._kill(patience)
            raise self._dead() from None
        if message is None:
            raise self._dead()
        if "error" in message:
            raise InputError(str(message["error"]), where=str(self.path))
        return message

    def _kill(self, patience: float | None = None) -> None:
        self._reason = f"it said nothing for {patience or self._patience:.0f} s and was ended"
        self._child.kill()
        self._threads[0].join(timeout=5)

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        """Hand every line to the request that it belongs to, until the child is gone."""
        assert child.stdout is not None
        with contextlib.suppress(ValueError, KeyError, OSError):
            for line in child.stdout:
                message = json.loads(line)
                with self._lock:
                    call = self._calls.get(message["id"])
                    if call and any(key in message for key in _LAST):
                        del self._calls[message["id"]]
                        if message["id"]:
                            self._lanes.release()
                if call:
                    call.messages.put(message)
        # A child that closed its output but lives is of no use.
        if child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=_SOON)
        if child.poll() is None:
            child.kill()
            child.wait()
        with self._lock:
            self._gone = True
            calls, self._calls = list(self._calls.values()), {}
        for call in calls:
            call.messages.put(None)
            self._lanes.release()

    def _write(self, child: subprocess.Popen[bytes]) -> None:
        """Send lines until there are none; the end of its input ends the child."""
        assert child.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            for line in iter(self._outgoing.get, None):
                child.stdin.write(line.encode() + b"\n")
                child.stdin.flush()
        with contextlib.suppress(OSError):
            child.stdin.close()

    def _dead(self) -> EngineFailed:
        if self._closed:
            return EngineFailed("this engine is closed")
        output = b""
        code = self._child.wait()
        with contextlib.suppress(OSError, ValueError):  # closed by another thread
            # Without a seek: several threads may ask.
            output = os.pread(
                self._errors.fileno(), _LAST_BYTES, max(0, os.fstat(self._errors.fileno()).st_size - _LAST_BYTES)
            )
        lines = output.decode("utf-8", "replace").strip().splitlines()
        reasons = [self._reason] if self._reason else ["perhaps for lack of memory"] * (code == -signal.SIGKILL)
        reasons += [lines[-1][:300]] if lines else []
        return EngineFailed(": ".join([f"the llama.cpp process ended (exit code {code})", *reasons]))


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that only this user can enter; the system allows paths of about 100 bytes for sockets."""
    folder = tempfile.TemporaryDirectory(prefix="igakulm-")
    if len(os.fsencode(folder.name)) > 80:
        folder.cleanup()
        folder = tempfile.TemporaryDirectory(prefix="igakulm-", dir="/tmp")
    return folder
