"""What the figures of an evaluation mean and where they come from.

Does: choose the definitions of the metrics, splits and ways of answering that occur; name sources, prompts, software.
Does not: verify anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import BASELINE_MODE, SCOREBOARD, Score
from igakulm.files import sha256_file
from igakulm.manifest import Manifest
from igakulm.report.numbers import MISSING, Language, count, moment
from igakulm.report.render import render
from igakulm.report.scores import meaning_of
from igakulm.report.words import Words, style_key, words


def definitions_part(board: Board, level: int, language: Language) -> Markup:
    """Metrics, splits, ways of answering and layouts of prompts that occur, and the hashes of the prompts."""
    t, scores = words(language), [score for task in board.tasks for score in task.scores]
    prompts = dict.fromkeys(_prompt(score, t) for score in scores if score.prompt_sha256)
    return render(
        "definitions.html.j2",
        language,
        level=level,
        metrics=_known(t, "metric", (score.metric.removesuffix("_micro") for score in scores)),
        splits=[
            (t.split(split), meaning)
            for split, tasks in board.splits.items()
            if (meaning := meaning_of(board, split, tasks, language))
        ],
        modes=_known(t, "mode", (score.answer_mode for score in scores)),
        styles=_known(t, "style", (style_key(score.prompt_style, score.wording) for score in scores)),
        prompts=list(prompts),
    )


def _prompt(score: Score, t: Words) -> tuple[str, ...]:
    style = t.style(score.prompt_style, score.wording) or MISSING
    who = (t.model(score.model), t.mode(score.answer_mode), style)
    return (score.task, t.split(score.split), *who, score.prompt_sha256)


def _known(t: Words, group: str, used: Iterable[str]) -> list[tuple[str, str, str]]:
    """Name, code and meaning of the codes that are ours, in the order of the words."""
    present = set(used)
    return [
        (t(f"{group}.{code}.name"), code, t(f"{group}.{code}.meaning")) for code in t.codes(group) if code in present
    ]


def origin_part(board: Board, manifest: Manifest | None, level: int, language: Language) -> Markup:
    """When, with what, and from which folders the scoreboard was made."""
    t, stored = words(language), board.stored
    found: dict[str, str | None] = {}
    if manifest:
        software = manifest.provenance
        found = {
            "made": moment([manifest.finished]),
            "igakulm": software.get("igakulm"),
            "python": software.get("python"),
        }
        found |= {"torch": (software.get("packages") or {}).get("torch"), "platform": software.get("platform")}
    if stored.bootstrap:
        found |= {"samples": count(stored.bootstrap.samples), "seed": count(stored.bootstrap.seed)}
        found |= {"unit": t.named("unit", stored.bootstrap.unit)}
    baselines = {score.model for task in board.tasks for score in task.scores if score.role == BASELINE_MODE}
    if baselines:
        found["baselines"] = t("origin.kinds", n=count(len(baselines)))
    digest = sha256_file(board.folder / SCOREBOARD)[:16] if board.folder else ""
    facts = [(t(f"origin.{key}"), str(value or MISSING)) for key, value in found.items()]
    return render(
        "origin.html.j2",
        language,
        level=level,
        facts=facts,
        digest=digest,
        file=SCOREBOARD,
        sources=stored.sources or (),
    )
