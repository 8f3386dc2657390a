"""The step log `logs/steps.jsonl`: one JSON object a step, with the times that may stand nowhere else.

Does: append; drop the lines of steps that a resumed run repeats. Does not: decide what is logged.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.files import write_jsonl


class StepLog:
    """Appends to the log; opened with the step that training goes on from, later lines are forgotten."""

    def __init__(self, path: Path, resumed_step: int) -> None:
        kept = [row for row in _whole_lines(path) if row.get("step", 0) <= resumed_step]
        write_jsonl(path, kept)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> StepLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one step and flush it."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """Rows of an earlier run; a line cut by a kill is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


class Rate:
    """Tokens a second over the last steps."""

    def __init__(self, steps: int = 20) -> None:
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], maxlen=steps + 1)
        self._tokens = 0

    def add(self, tokens: int) -> float:
        """Count tokens; return the rate."""
        self._tokens += tokens
        self._marks.append((time.monotonic(), self._tokens))
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / max(last - first, 1e-9)
