"""Published scores, for rows that stand beside ours and are marked as published.

Does: hold the numbers. Does not: compute anything. They are named for the metrics that their authors computed:
the leaderboard's own kappa, accuracy and F1 (`*_upstream`), on the published split; IgakuQA as mean over years of the
share of points, image questions included. All as fractions.
"""

from __future__ import annotations

from typing import Any

CHOICE_TASKS = ("jmmlu_med", "crade", "rrtnm", "smdis", "jcsts")
CHOICE_METRICS = ("kappa_upstream", "accuracy_upstream")
ENTITY_METRICS = ("partial_f1_upstream", "exact_f1_upstream")
ENTITY_TASKS = ("mrner_disease", "mrner_medicine", "nrner")

_PAPER = "the paper's own models"
_LEADERBOARD = "JMED-LLM leaderboard"
_EXAM = "Kasai et al. 2023 and later reports"

_JMED: dict[str, tuple[str, str]] = {
    # model: (source, "kappa accuracy" for the five choice tasks, then "partial exact" for the three entity tasks)
    "base 20B tokens": (_PAPER, ".03 .27 -.00 .16 -.07 .10 .01 .01 .05 .18 .00 .00 .00 .00 .00 .00"),
    "base 50B tokens": (_PAPER, ".13 .35 -.02 .21 -.10 .06 .02 .09 -.03 .12 .00 .00 .00 .00 .00 .00"),
    "instruct 20B tokens": (_PAPER, ".19 .39 .61 .67 .36 .53 .98 .99 .75 .67 .87 .35 .65 .38 .86 .61"),
    "instruct 50B tokens": (_PAPER, ".26 .44 .50 .59 .42 .58 .98 .99 .76 .66 .90 .34 .55 .34 .88 .66"),
    "GPT-4o-2024-08-06": (_LEADERBOARD, ".82 .87 .54 .53 .85 .90 .76 .88 .60 .48 .54 .15 .42 .26 .39 .20"),
    "GPT-4o-mini-2024-07-18": (_LEADERBOARD, ".77 .83 .21 .37 .58 .71 .56 .78 .57 .51 .48 .13 .52 .32 .48 .25"),
    "gemma-2-9b-it": (_LEADERBOARD, ".52 .64 .33 .42 .54 .68 .62 .81 .16 .24 .61 .16 .65 .42 .53 .30"),
    "Llama-3-ELYZA-JP-8B": (_LEADERBOARD, ".34 .51 .01 .26 .29 .52 .54 .77 .02 .18 .83 .31 .51 .31 .47 .26"),
    "Meta-Llama-3.1-8B-Instruct": (_LEADERBOARD, ".31 .49 .11 .32 .41 .57 .28 .64 .13 .23 .82 .30 .54 .32 .36 .18"),
    "Meta-Llama-3-8B-Instruct": (_LEADERBOARD, ".42 .57 .00 .25 .37 .54 .43 .72 .16 .24 .60 .20 .44 .25 .41 .21"),
    "Llama-3-Swallow-8B-Instruct-v0.1": (
        _LEADERBOARD,
        ".33 .50 .31 .37 .33 .55 .26 .63 .01 .17 .56 .17 .37 .21 .42 .24",
    ),
    "Qwen2-7B-Instruct": (_LEADERBOARD, ".42 .57 .11 .29 .31 .53 .33 .67 .37 .31 .24 .06 .29 .14 .33 .17"),
    "gemma-2-2b-it": (_LEADERBOARD, ".17 .38 .00 .25 .24 .42 .14 .57 .12 .21 .66 .20 .46 .23 .46 .26"),
    "Llama-3-youko-8b-instruct": (_LEADERBOARD, ".31 .49 .02 .28 .28 .47 .50 .75 .01 .20 .02 .00 .05 .02 .11 .07"),
}

_IGAKUQA: dict[str, tuple[str, float]] = {
    "base 20B tokens": (_PAPER, 0.137),
    "base 50B tokens": (_PAPER, 0.138),
    "instruct 20B tokens": (_PAPER, 0.190),
    "instruct 50B tokens": (_PAPER, 0.180),
    "GPT-4": (_EXAM, 0.782),
    "ChatGPT (gpt-3.5-turbo)": (_EXAM, 0.550),
    "GPT-3 (text-davinci-003)": (_EXAM, 0.421),
    "Llama3-Preferred-MedSwallow-70B": (_EXAM, 0.795),
    "Llama3-Swallow-70B-v0.1": (_EXAM, 0.701),
    "Meta-Llama-3-70B": (_EXAM, 0.673),
    "gemma-2-27b": (_EXAM, 0.636),
}


def published_rows() -> list[dict[str, Any]]:
    """All published scores as rows {"model", "task", "kind", "metric", "value", "split", "source"}."""
    rows: list[dict[str, Any]] = []
    for model, (source, numbers) in _JMED.items():
        values = iter(map(float, numbers.split()))
        for task in (*CHOICE_TASKS, *ENTITY_TASKS):
            choice = task in CHOICE_TASKS
            for metric in CHOICE_METRICS if choice else ENTITY_METRICS:
                rows.append(_row(model, task, "choice" if choice else "entities", metric, next(values), source))
    rows.extend(
        _row(model, "igakuqa", "choice", "score_share", value, source) for model, (source, value) in _IGAKUQA.items()
    )
    return rows


def _row(model: str, task: str, kind: str, metric: str, value: float, source: str) -> dict[str, Any]:
    split = "all questions" if task == "igakuqa" else "published"
    return {
        "model": model,
        "task": task,
        "kind": kind,
        "metric": metric,
        "value": value + 0.0,
        "split": split,
        "source": source,
    }
