"""What the finished stage folders of a run say, each file read through the model of the room that writes it.

Does: read. Does not: word or draw anything. A stage or file that is absent is None or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from igakulm.errors import InputError
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import SCOREBOARD, Scoreboard
from igakulm.manifest import Manifest, read_manifest
from igakulm.report.numbers import moment
from igakulm.stored import Stored, read_stored
from igakulm.training.records import METRICS, Metrics

STAGES = ("lexicon", "synth", "corpus", "tokenizer", "pack", "pretrain", "finetune", "evaluate", "export")
S = TypeVar("S", bound=Stored)


@dataclass(frozen=True)
class RunRecord:
    """Everything that the report reads."""

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
                what = f"the folder of stage {name} does not exist"
                raise InputError(what, where=str(folder), hint=f"run: igakulm {name}")
        found = {name: read_manifest(inputs[name]) for name in STAGES if name in inputs}
        return cls(dict(inputs), {name: manifest for name, manifest in found.items() if manifest})

    def path(self, stage: str, name: str) -> Path | None:
        """A file of a stage, if it is there."""
        path = self.folders[stage] / name if stage in self.folders else None
        return path if path and path.is_file() else None

    def stored(self, stage: str, name: str, model: type[S]) -> S | None:
        """A file of a stage as its model.

        Raises:
            InputError: it is damaged, or of a newer version.
        """
        path = self.path(stage, name)
        return read_stored(path, model) if path else None

    def metrics(self, stage: str) -> Metrics:
        """metrics.json of a training stage."""
        return self.stored(stage, METRICS, Metrics) or Metrics()

    @property
    def parameters(self) -> int | None:
        """Parameters of the model that was trained."""
        found = (self.metrics(stage).parameters for stage in ("finetune", "pretrain"))
        return next((number for number in found if number is not None), None)

    @cached_property
    def board(self) -> Board:
        """The scoreboard."""
        return Board(self.stored("evaluate", SCOREBOARD, Scoreboard) or Scoreboard(), self.folders.get("evaluate"))

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(manifest.seconds for manifest in self.manifests.values())

    @property
    def finished(self) -> str:
        """When the last stage ended, to the minute (empty when unknown)."""
        return moment(manifest.finished for manifest in self.manifests.values())
