"""What the finished stage folders say, read for the report and tolerant of what an older or partial run lacks.

Does: read manifests, JSON files, step logs, scores and scored items. Does not: write markup, or compute new scores.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.evaluation.report_page import finite
from igakulm.files import read_json, read_jsonl
from igakulm.manifest import Manifest, read_manifest

STAGE_ORDER = ("lexicon", "synth", "corpus", "tokenizer", "pack", "pretrain", "finetune", "evaluate", "export")
MODELS = ("base", "tuned")
MAIN_METRICS = ("kappa", "score_share", "overlap_f1", "exact_f1", "accuracy")
"""The first of these that a task has is its main metric (see metrics.py, which puts it first too)."""


@dataclass(frozen=True, slots=True)
class Score:
    """One figure of the scoreboard with its 95 % interval.

    `unparsed` is a share of the answers (0 to 1), `truncated` the number of prompts that were cut to fit.
    """

    model: str
    task: str
    kind: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    split: str
    prompt_sha256: str
    answer_mode: str
    unparsed: float | None
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A column of the scoreboard: one task on one split, with its main metric and all its scores."""

    name: str
    split: str
    kind: str
    metric: str
    scores: tuple[Score, ...]

    def main(self, model: str) -> Score | None:
        """The model's main figure."""
        return self.of(model, self.metric)

    def of(self, model: str, metric: str) -> Score | None:
        """The model's figure in any metric."""
        return next((score for score in self.scores if score.model == model and score.metric == metric), None)

    @property
    def main_scores(self) -> list[Score]:
        """The main figures of all models, in the order of the scoreboard."""
        return [score for score in self.scores if score.metric == self.metric]

    @property
    def best(self) -> float | None:
        """The highest main figure."""
        return max((score.value for score in self.main_scores), default=None)


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
                    f"the folder of stage {name} does not exist", where=str(folder), mend=f"run: igakulm {name}"
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

    def items(self, model: str, task: str) -> Iterator[dict[str, Any]]:
        """The scored items of a task, one object each."""
        path = self.folders["evaluate"] / "items" / model / f"{task}.jsonl" if "evaluate" in self.folders else None
        if path and path.is_file():
            yield from read_jsonl(path)

    @cached_property
    def scoreboard(self) -> dict[str, Any]:
        """The scoreboard as written."""
        return self.json("evaluate", "scoreboard.json")

    @cached_property
    def tasks(self) -> list[Task]:
        """The scoreboard by task and split, in its own order; figures that are not numbers are left out."""
        groups: dict[tuple[str, str], list[Score]] = {}
        for row in rows_of(self.scoreboard.get("rows")):
            score = _score(row)
            if score:
                groups.setdefault((score.task, score.split), []).append(score)
        return [_task(name, split, scores) for (name, split), scores in groups.items()]

    @cached_property
    def models(self) -> list[str]:
        """All models and baselines: baselines in the order of the scoreboard, then base and tuned."""
        names = dict.fromkeys(score.model for task in self.tasks for score in task.scores)
        return [name for name in names if name not in MODELS] + [name for name in MODELS if name in names]

    @property
    def seconds(self) -> float:
        """Time of all stages together."""
        return sum(manifest.seconds for manifest in self.manifests.values())

    @property
    def finished(self) -> str:
        """When the last stage ended, to the minute (empty when unknown)."""
        moments = [_moment(manifest.finished) for manifest in self.manifests.values()]
        known = [moment for moment in moments if moment]
        latest = max(known, key=lambda moment: moment.timestamp(), default=None)
        return f"{latest:%Y-%m-%d %H:%M}" if latest else ""


def rows_of(value: object) -> list[dict[str, Any]]:
    """The objects of a JSON list; anything else is left out."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _moment(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return None


def _score(row: Mapping[str, Any]) -> Score | None:
    value, n = finite(row.get("value")), finite(row.get("n"))
    if value is None:
        return None
    text = {key: str(row.get(key) or "") for key in ("model", "task", "kind", "metric", "split", "prompt_sha256")}
    return Score(
        **text,
        value=value,
        low=finite(row.get("low")),
        high=finite(row.get("high")),
        n=None if n is None else round(n),
        answer_mode=str(row.get("answer_mode") or ""),
        unparsed=finite(row.get("unparsed")),
        truncated=round(finite(row.get("truncated")) or 0),
    )


def _task(name: str, split: str, scores: list[Score]) -> Task:
    present = list(dict.fromkeys(score.metric for score in scores))
    metric = next((metric for metric in MAIN_METRICS if metric in present), present[0])
    return Task(name, split, scores[0].kind, metric, tuple(scores))


def listed(values: Iterable[object]) -> str:
    """Values joined as Japanese text does.

    >>> listed(["CC0-1.0", "CC BY 4.0"])
    'CC0-1.0、CC BY 4.0'
    """
    return "、".join(str(value) for value in values)
