"""The step log `logs/steps.jsonl`: one JSON object a step, with the times that may stand nowhere else.

Does: append; drop the lines of steps that a resumed run repeats; write the same numbers for TensorBoard where asked;
count tokens a second and the share of the GPUs' peak. Does not: decide what is logged.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import write_jsonl


class StepLog:
    """Appends to the log; opened with the step that training goes on from, later lines are forgotten.

    Args:
        path: the JSON Lines file, always written.
        resumed_step: the step of the checkpoint that training goes on from, 0 at the beginning.
        tensorboard: folder of event files, or None. Steps that a resumed run repeats are taken back there too.

    Raises:
        InputError: event files are wanted and the extra `tensorboard` is not installed.
    """

    def __init__(self, path: Path, resumed_step: int, tensorboard: Path | None = None) -> None:
        self._events = _event_writer(tensorboard, resumed_step) if tensorboard else None
        kept = [row for row in _whole_lines(path) if row.get("step", 0) <= resumed_step]
        write_jsonl(path, kept)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> StepLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()

    def write(self, row: Mapping[str, Any], group: str = "train") -> None:
        """Append one step and flush it; for TensorBoard every number becomes the curve `group/key`."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.curves(row, group)

    def curves(self, row: Mapping[str, Any], group: str) -> None:
        """Only the event files: the numbers of `row` at `row["step"]`, e.g. of a validation."""
        if self._events is None:
            return
        for key, value in row.items():
            if key != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                self._events.add_scalar(f"{group}/{key}", value, row["step"])


def _event_writer(folder: Path, resumed_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        hint = "pip install 'igakulm[tensorboard]', or leave tensorboard: false; logs/steps.jsonl is always written"
        raise InputError("TensorBoard is not installed", where="tensorboard", hint=hint) from error
    purge = resumed_step + 1 if resumed_step else None
    return SummaryWriter(str(folder), purge_step=purge, flush_secs=30)


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


def utilisation(tokens_per_second: float, flops_per_token: float, peak_flops: float | None) -> float | None:
    """Model FLOP utilisation (PaLM, appendix B): the share of the peak that the model's own arithmetic takes.

    Args:
        tokens_per_second: of all devices together.
        flops_per_token: forward and backward, as `plan.flops_per_token` counts them.
        peak_flops: FLOP/s of all devices together, None where it is not known (a CPU, an unlisted GPU).

    >>> utilisation(62_000, 8e9, 992e12), utilisation(100, 1e9, None)
    (0.5, None)
    """
    return tokens_per_second * flops_per_token / peak_flops if peak_flops else None
