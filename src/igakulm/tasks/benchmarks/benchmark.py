"""What a published benchmark is to the rest of the program: its tasks, items, licences, scorer and published figures.

Does: hold that. Does not: know any benchmark's name (each is a module beside this one) or find them (registry.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from igakulm.recipe.schema import BenchmarkSet
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import Screen

Loader = Callable[[BenchmarkSet, Screen], dict[str, list[Item]]]
"""The items of each task, from a user's copy of the benchmark."""
NOT_STATED = "not stated"
CHOOSING = ("years", "parts", "text_only")
"""What a user may choose of a benchmark beside its tasks, where it has such a thing."""


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One figure of a paper or leaderboard, as a fraction; never measured here."""

    model: str
    task: str
    metric: str
    value: float
    split: str
    source: str


@dataclass(frozen=True, slots=True)
class PassMark:
    """Points needed and to be had, in the required parts of an examination and in the others."""

    required: int
    required_total: int
    general: int
    general_total: int


@dataclass(frozen=True, slots=True)
class PassRule:
    """When an examination is passed: marks by year, the parts that are required, and how many contra-indicated choices
    are one too many.
    """

    marks: Mapping[str, PassMark]
    required_parts: frozenset[str]
    contraindicated_limit: int


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: what recipes and commands call it.
        title: its full name.
        source: where it is published.
        licences: task -> licence of its rows; its keys are the benchmark's tasks, headline order.
        load_test: test items of the chosen tasks.
        load_train: training items, where it has some.
        present: the tasks whose files are all there (None = all tasks).
        exam: its choice items are examination questions: a letter means another thing in each.
        jmed_scorer: its leaderboard was made by JMED-LLM's scorer, whose readings and metrics stand beside ours.
        without_images: how the column is called when picture questions are left out ("" = as the split).
        with_images: the same when they are kept.
        published: figures to stand beside ours.
        passing: when the examination is passed, where that is known.
        reads: of a `BenchmarkSet`'s keys `CHOOSING` those that its loaders look at; the others are refused.
        aliases: other names of its tasks, as its authors call them.
    """

    name: str
    title: str
    source: str
    licences: Mapping[str, str]
    load_test: Loader
    load_train: Loader | None = None
    present: Callable[[BenchmarkSet], list[str]] | None = None
    exam: bool = True
    jmed_scorer: bool = False
    without_images: str = ""
    with_images: str = ""
    published: tuple[PublishedScore, ...] = field(default=())
    passing: PassRule | None = None
    reads: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its tasks."""
        return tuple(self.licences)
