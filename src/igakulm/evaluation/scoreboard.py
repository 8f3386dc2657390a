"""scoreboard.json as a typed model: figures, comparisons, examinations, published figures, leakage.

Does: define the file, and understand what older versions wrote. Does not: compute (board.py), arrange the figures by
task (score_tables.py), or write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from igakulm.stored import Figure, Part, Stored, Text, finite, read_stored

SCOREBOARD = "scoreboard.json"
BASELINE_MODE = "baseline"
UNSHARED = "published-unshared"
"""The published split's items whose document no training row of any task has: figures of its own, the same answers."""
OLD_MODELS = ("base", "tuned")
"""What the models of boards that name no roles are called."""
PUBLISHED_AS_THEIRS = {"kappa": "kappa_upstream", "accuracy": "accuracy_upstream"}
"""Boards of format 1 named the published figures of JMED-LLM like our own metrics, which read answers otherwise."""

Variant = tuple[str, str]
"""How a model was asked: way of answering and layout of the prompt."""
Role = Literal["model", "baseline"]


class Score(Part):
    """One figure with its 95 % interval.

    `n` items of `documents` documents; `precision` of the model's weights, as far as it is known; `unparsed` is a share
    of the answers (0 to 1), `truncated` the number of prompts that were cut to fit, `cut` of answers that reached the
    limit of length, `unanswered` of items that were not asked because their question does not fit, or that the server
    refused (they count as wrong, and are listed in `left_out.jsonl`). `wording`: whose sentences a prompt
    in the published layout had: "own", "published" (from the benchmark's own source) or "given" (a file of sentences);
    empty in other layouts, and where an older version did not say.
    """

    model: Text = ""
    task: Text = ""
    kind: Text = ""
    metric: Text = ""
    value: float
    low: Figure = None
    high: Figure = None
    n: int | None = None
    documents: int | None = None
    few_documents: bool = False
    split: Text = ""
    prompt_sha256: Text = ""
    prompt_style: Text = ""
    wording: Text = ""
    precision: Text = ""
    answer_mode: Text = ""
    unparsed: Figure = None
    truncated: int = 0
    cut: int = 0
    unanswered: int = 0
    role: Role = "model"

    @model_validator(mode="before")
    @classmethod
    def _role_of_old_rows(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("role") not in ("model", "baseline"):
            model = value.get("model") in OLD_MODELS or value.get("answer_mode") not in (None, "", BASELINE_MODE)
            return {**value, "role": "model" if model else "baseline"}
        return value

    @property
    def variant(self) -> Variant:
        """How the model was asked."""
        return self.answer_mode, self.prompt_style


class ItemsFile(Part):
    """A file of answers, below the board's folder."""

    model: Text = ""
    task: Text = ""
    split: Text = ""
    answer_mode: Text = ""
    file: Text = ""


class PairRow(Part):
    """Two models on the same items: the first's value minus the second's, two-sided p without any correction."""

    task: Text = ""
    split: Text = ""
    metric: Text = ""
    first: Text = ""
    first_mode: Text = ""
    second: Text = ""
    second_mode: Text = ""
    difference: Figure = None
    low: Figure = None
    high: Figure = None
    p: Figure = None
    n: int | None = None
    documents: int | None = None


class PassingRow(Part):
    """One year of the national examination against its pass marks; `passed` is None where that cannot be said."""

    model: Text = ""
    answer_mode: Text = ""
    year: Text = ""
    required: Figure = None
    required_total: Figure = None
    required_mark: Figure = None
    general: Figure = None
    general_total: Figure = None
    general_mark: Figure = None
    contraindicated: int | None = None
    contraindicated_limit: int | None = None
    passed: bool | None = None
    complete: bool = False


class GroupRow(Part):
    """Points of a year (`part` is empty) or of one paper of it."""

    model: Text = ""
    answer_mode: Text = ""
    task: Text = ""
    group: Text = ""
    part: Text = ""
    points: Figure = None
    total: Figure = None
    right: int | None = None
    n: int | None = None


class PublishedRow(Part):
    """A figure from a paper or a leaderboard, in the metric that its authors computed."""

    model: Text = ""
    task: Text = ""
    kind: Text = ""
    metric: Text = ""
    value: Figure = None
    split: str | None = None
    source: Text = ""


class LeakageRow(Part):
    """Test and training rows of a task on a split, and how many of each share a document."""

    split: Text = ""
    task: Text = ""
    test: int | None = None
    test_shared: int | None = None
    train: int | None = None
    train_shared: int | None = None


class LeakedItem(Part):
    """A test item whose document a training row has."""

    task: Text = ""
    id: Text = ""
    document: Text = ""
    train_task: Text = ""
    train_id: Text = ""


class ClassFigures(Part):
    """Precision and recall of one option; intervals are Wilson's."""

    label: Text = ""
    option: Text = ""
    gold: int = 0
    said: int = 0
    right: int = 0
    precision: Figure = None
    recall: Figure = None
    precision_interval: tuple[float, float] | None = None
    recall_interval: tuple[float, float] | None = None


class CalibrationBin(Part):
    """Answers whose probability lies between `low` and `high`."""

    low: float = 0
    high: float = 1
    n: int = 0
    confidence: Figure = None
    accuracy: Figure = None


class CalibrationFigures(Part):
    """See `details.Calibration`."""

    n: int = 0
    ece: float = 0
    brier: float = 0
    brier_answer: float = 0
    bins: tuple[CalibrationBin, ...] = ()


class SubgroupFigures(Part):
    """The main metric of the items that have one value of a field (tag, year, or a field that the task names)."""

    field: Text = ""
    value: Text = ""
    metric: Text = ""
    score: Figure = None
    low: Figure = None
    high: Figure = None
    n: int = 0
    documents: int = 0


class DetailRow(Part):
    """What stands behind a model's score on one column."""

    model: Text = ""
    task: Text = ""
    split: Text = ""
    answer_mode: Text = ""
    classes: tuple[ClassFigures, ...] = ()
    calibration: CalibrationFigures | None = None
    subgroups: tuple[SubgroupFigures, ...] = ()


class Bootstrap(Part):
    """How the intervals were made."""

    samples: int | None = None
    seed: int | None = None
    unit: Text = ""


class SourceBoard(Part):
    """A board that was merged into this one."""

    name: Text = ""
    finished: Text = ""
    scoreboard_sha256: Text = ""
    bootstrap: Bootstrap | None = None


def _with_values(rows: object) -> object:
    """Rows without a number have nothing to show (a metric of no items in older boards)."""
    if not isinstance(rows, list):
        return rows
    return [row for row in rows if not isinstance(row, dict) or finite(row.get("value")) is not None]


class Scoreboard(Stored):
    """The whole file.

    `models`: name -> identity (hash of the weights, precision); `max_items`: only so many items of a task were asked;
    `left_out`: task -> reason (`tasks.left_out.REASONS`) -> rows of its files that could not be asked; `missing`: the
    same for files that were not there.
    """

    NEWEST: ClassVar[int] = 2
    rows: Annotated[tuple[Score, ...], BeforeValidator(_with_values)] = ()
    items: tuple[ItemsFile, ...] = ()
    paired: tuple[PairRow, ...] = ()
    passing: tuple[PassingRow, ...] = ()
    groups: tuple[GroupRow, ...] = ()
    models: dict[str, str] = Field(default_factory=dict)
    details: tuple[DetailRow, ...] = ()
    published: tuple[PublishedRow, ...] = ()
    leakage: tuple[LeakageRow, ...] = ()
    leaked_items: tuple[LeakedItem, ...] = ()
    bootstrap: Bootstrap | None = None
    sources: tuple[SourceBoard, ...] | None = None
    max_items: int | None = None
    left_out: dict[str, dict[str, int]] = Field(default_factory=dict)
    missing: dict[str, dict[str, int]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _published_metrics_of_old_boards(cls, value: object) -> object:
        """Before format 2 published kappa and accuracy had the names of our own metrics."""
        if not isinstance(value, dict) or value.get("format", 1) != 1 or not isinstance(value.get("published"), list):
            return value
        renamed = [
            {**row, "metric": PUBLISHED_AS_THEIRS.get(str(row.get("metric")), row.get("metric"))}
            if isinstance(row, dict)
            else row
            for row in value["published"]
        ]
        return {**value, "published": renamed}


def read_scoreboard(folder: Path) -> Scoreboard:
    """A folder's scoreboard.

    Raises:
        InputError: there is none, or a damaged or newer one.
    """
    return read_stored(folder / SCOREBOARD, Scoreboard)
