"""Published scores, for rows that stand beside ours and are marked as published.

Does: hand out the figures that the benchmarks' modules hold. Does not: hold or compute any.
"""

from __future__ import annotations

from collections.abc import Collection

from igakulm.tasks.benchmarks.registry import published_scores


def published_rows(tasks: Collection[str]) -> list[dict[str, object]]:
    """Published scores of some tasks as rows {"model", "task", "kind", "metric", "value", "split", "source"}."""
    return [
        {
            "model": score.model,
            "task": score.task,
            "kind": "entities" if "_f1" in score.metric else "choice",
            "metric": score.metric,
            "value": score.value,
            "split": score.split,
            "source": score.source,
        }
        for score in published_scores()
        if score.task in tasks
    ]
