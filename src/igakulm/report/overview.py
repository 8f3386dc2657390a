"""The head of the report: what was built, and on which tasks the tuned model is better than guessing and baselines.

Does: gather the figures, and what the paired tests say. Does not: measure, or claim more than the tests.
"""

from __future__ import annotations

from typing import get_args

from markupsafe import Markup

from igakulm.corpus.records import SOURCES, read_sources
from igakulm.evaluation.comparisons import FEW_DOCUMENTS, GUESSES, LEVEL, Verdict, comparisons
from igakulm.recipe.schema import Recipe
from igakulm.report.numbers import MISSING, Language, count
from igakulm.report.record import RunRecord
from igakulm.report.render import render
from igakulm.report.words import words


def overview_section(recipe: Recipe, record: RunRecord, language: Language) -> Markup:
    """Key figures, headline, what the model can and cannot do."""
    t, compared = words(language), comparisons(record.board)
    sources = read_sources(record.folders["corpus"]).values() if record.path("corpus", SOURCES) else None
    tasks = record.board.first_tasks
    references = dict.fromkeys(item.guess.model for item in compared if item.guess)
    return render(
        "overview.html.j2",
        language,
        record=record,
        parameters=record.parameters,
        documents=sum(entry.documents for entry in sources) if sources is not None else None,
        characters=sum(entry.characters for entry in sources) if sources is not None else None,
        tokens={stage: record.metrics(stage).tokens for stage in ("pretrain", "finetune")},
        tasks=len(tasks) if tasks else None,
        items=sum(max((s.n or 0 for s in task.main_scores), default=0) for task in tasks) if tasks else None,
        compared=compared,
        groups={kind: [item for item in compared if item.against_guess == kind] for kind in get_args(Verdict)},
        ahead=[item for item in compared if item.against_best == "above"],
        guesses=t.listed(map(t.model, references)) or t("headline.no_guess"),
        references=[name for name in GUESSES if name in references],
        few=[item.task.name for item in compared if (item.tuned.documents or FEW_DOCUMENTS) < FEW_DOCUMENTS],
        least=FEW_DOCUMENTS,
        level=LEVEL,
        machine=_machine(recipe, record, language),
    )


def _machine(recipe: Recipe, record: RunRecord, language: Language) -> list[tuple[str, str]]:
    t = words(language)
    machine = [*record.manifests.values()][-1].provenance if record.manifests else {}
    found = {
        "recipe": recipe.name,
        "seed": count(recipe.seed),
        "finished": record.finished,
        "platform": machine.get("platform"),
        "cores": count(machine.get("cores")),
        "igakulm": machine.get("igakulm"),
        "python": machine.get("python"),
        "torch": (machine.get("packages") or {}).get("torch"),
    }
    return [(t(f"machine.{key}"), str(value or MISSING)) for key, value in found.items()]
