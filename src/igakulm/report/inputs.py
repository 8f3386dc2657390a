"""What the finished stage folders say, read for the report and tolerant of what an older or partial run lacks.

Does: read manifests, JSON files and step logs. Does not: read scores (report_board.py) or write markup.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json, read_jsonl
from igakulm.manifest import Manifest, read_manifest
from igakulm.report.board import SCOREBOARD, Board
from igakulm.report.page import finite

STAGE_ORDER = ("lexicon", "synth", "corpus", "tokenizer", "pack", "pretrain", "finetune", "evaluate", "export")


@dataclass(frozen=True)
class RunRecord:
    """Everything that the report reads; a stage that is absent gives empty values."""

    folders: Mapping[str, Path]
    manifests: Mapping[str, Manifest] = field(default_factory=dict)

    @classmethod
    def read(cls, inputs: Mapping[str, Path]) -> RunRecord:
        """Open the folders.

        Raises:
            InputError: a folder that does not exist, or a damaged manifest.
        """
        for name, folder in inputs.items():
            if not folder.is_dir():
                raise InputError(
                    f"the folder of stage {name} does not exist", where=str(folder), hint=f"run: igakulm {name}"
                )
        found = {name: read_manifest(inputs[name]) for name in STAGE_ORDER if name in inputs}
        return cls(dict(inputs), {name: manifest for name, manifest in found.items() if manifest})

    def json(self, stage: str, name: str) -> dict[str, Any]:
        """A JSON object of a stage, empty when the stage or the file is absent."""
        path = self.folders[stage] / name if stage in self.folders else None
        value = read_json(path) if path and path.is_file() else {}
        return value if isinstance(value, dict) else {}

    def steps(self, stage: str) -> list[dict[str, Any]]:
        """The training log; of a step that was repeated after a resume the last record counts."""
        path = self.folders[stage] / "logs" / "steps.jsonl" if stage in self.folders else None
        if not path or not path.is_file():
            return []
        by_step = {row["step"]: row for row in read_jsonl(path) if finite(row.get("step")) is not None}
        return [by_step[step] for step in sorted(by_step)]

    @cached_property
    def board(self) -> Board:
        """The scoreboard; an empty one where the stage is absent."""
        return Board(self.json("evaluate", SCOREBOARD), self.folders.get("evaluate"))

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(manifest.seconds for manifest in self.manifests.values())

    @property
    def finished(self) -> str:
        """When the last stage ended, to the minute (empty when unknown)."""
        return moment_text([manifest.finished for manifest in self.manifests.values()])


def moment_text(moments: Sequence[str]) -> str:
    """The latest of these moments to the minute; empty when none can be read.

    >>> moment_text(["2026-01-02T10:09:30+09:00", "", "2026-01-02T10:08:00+09:00"])
    '2026-01-02 10:09'
    """
    known = [moment for moment in map(_moment, moments) if moment]
    latest = max(known, key=lambda moment: moment.timestamp(), default=None)
    return f"{latest:%Y-%m-%d %H:%M}" if latest else ""


def _moment(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
