"""What the page shows first: whether a conversation is offered, and the kind of task that the model is good at.

Does: derive both from the bundle's record of tuning and from the paired tests of its scoreboard. Does not: measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from igakulm.evaluation.comparisons import Comparison
from igakulm.inference.model import Model
from igakulm.report.words import words
from igakulm.tasks.layouts import Task

CHAT = "chat"


class Beside(TypedDict):
    """A task's figure beside the best method without a language model, with what the paired test says of the two."""

    task: str
    metric_ja: str
    value: float
    best: float | None
    best_ja: str
    verdict: str


def offers_chat(opened: Model) -> bool:
    """Whether the page offers a conversation: not where the model was made here and tuned without conversations.

    A folder or bundle that does not say how it was tuned is taken to converse where it has a chat format.
    """
    tuning = (opened.description.get("training") or {}).get("finetune") or {}
    known = "conversations" in tuning
    return opened.chat and not (known and not tuning["conversations"] and not tuning["open_model"])


def first_shown(tasks: Sequence[Task], compared: Iterable[Comparison], chat: bool) -> str:
    """`CHAT`, or the kind of task that the page opens with; "" where there is neither.

    A kind comes first where the paired test shows one of its tasks above the best baseline, or else above guessing;
    where it shows nothing, the conversation, or the first task.
    """
    rank: dict[str, int] = {}
    for item in compared:
        worth = 2 if item.against_best == "above" else int(item.against_guess == "above")
        rank[item.task.name] = max(worth, rank.get(item.task.name, 0))
    best = max(tasks, key=lambda task: _rank(task, rank), default=None)
    if best is not None and (_rank(best, rank) or not chat):
        return best.kind
    return CHAT if chat else ""


def _rank(task: Task, rank: dict[str, int]) -> int:
    """Of a layout: a benchmark's figure is of all its tags together, `nursing.d` belongs to `nursing`."""
    return max(
        (worth for name, worth in rank.items() if task.name == name or task.name.startswith(f"{name}.")), default=0
    )


def beside(compared: Iterable[Comparison]) -> list[Beside]:
    """Each task of the scoreboard with its best baseline, named as the report names them."""
    t = words("ja")
    return [
        {
            "task": item.task.name,
            "metric_ja": t.metric(item.task.metric),
            "value": item.tuned.value,
            "best": item.best.value if item.best else None,
            "best_ja": t.model(item.best.model) if item.best else "",
            "verdict": item.against_best,
        }
        for item in compared
    ]
