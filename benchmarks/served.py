"""A server under test: `igakulm serve` in a process of its own, for the benchmarks beside this file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(bundle: Path, *options: str) -> Iterator[tuple[str, int]]:
    """The address of a server for a bundle, and its process id."""
    command = [sys.executable, "-m", "igakulm", "serve", str(bundle), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "http://" not in line:
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            address = "http://" + line.rpartition("http://")[2].split("/")[0]  # before it an endpoint may be named
            yield address, server.pid
            if server.poll() is not None:
                raise SystemExit(f"the server ended with exit code {server.returncode}")
        finally:
            server.terminate()


def memory(pid: int) -> dict[str, float]:
    """Resident megabytes of a process and of all that it started, by name."""
    found: dict[str, float] = {}
    for one in [pid, *children(pid)]:
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue  # it has ended
        values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        found["front" if one == pid else f"child {one}"] = int(values.get("VmRSS", "0 kB").split()[0]) / 1024
    return found


def children(pid: int) -> list[int]:
    """Processes that a process started, and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children(child)]
    return found
