"""The report stage: one self-contained HTML page about a whole run, in Japanese or English.

Does: read the finished stages (record.py), put the sections together, return the headline numbers.
Does not: measure anything, look at the clock, or refer to any other file or address: the page opens offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from igakulm.evaluation.comparisons import comparisons
from igakulm.files import write_text
from igakulm.recipe.schema import Recipe
from igakulm.report.bundle import bundle_section
from igakulm.report.corpus import corpus_section
from igakulm.report.evaluation import evaluation_section
from igakulm.report.numbers import Language
from igakulm.report.overview import overview_section
from igakulm.report.page import Part, page
from igakulm.report.provenance import provenance_section
from igakulm.report.record import RunRecord
from igakulm.report.tokenizer import tokenizer_section
from igakulm.report.training import training_section
from igakulm.report.words import words

REPORT = "report.html"


def build_report(
    recipe: Recipe, inputs: Mapping[str, Path], out_dir: Path, language: Language | None = None
) -> dict[str, Any]:
    """Write `out_dir/report.html` about the finished stages in `inputs` (stage name to folder).

    A stage that is absent leaves a remark in its section. The same recipe and folders give the same bytes.

    Args:
        recipe: of the run.
        inputs: the folders.
        out_dir: where to.
        language: of the page; None takes the recipe's.

    Returns:
        `parameters`, `tokens_pretrain`, `tokens_finetune`, `tasks`, `above_guessing` and `above_best_baseline` (counts
        of tasks), and `headline`: task -> {metric, tuned, guessing, verdict}.

    Raises:
        InputError: a folder that does not exist, or a damaged JSON file in one.
    """
    record, said = RunRecord.read(inputs), language or recipe.report.language
    t = words(said)
    bodies = {
        "overview": overview_section(recipe, record, said),
        "corpus": corpus_section(record, said),
        "tokenizer": tokenizer_section(record, said),
        "training": training_section(record, said),
        "scores": evaluation_section(record.board, said),
        "bundle": bundle_section(recipe, record, said),
        "provenance": provenance_section(recipe, record, said),
    }
    text = page(
        t("run.title", name=recipe.name),
        [Part(anchor, t(f"section.{anchor}"), body) for anchor, body in bodies.items()],
        said,
        kind=t("run.kind"),
        heading=recipe.name,
        header=Markup('<p class="lead">{}</p>').format(recipe.description) if recipe.description else None,
        footer=t("run.footer"),
        finished=record.finished,
    )
    write_text(out_dir / REPORT, text)
    return _summary(record)


def _summary(record: RunRecord) -> dict[str, Any]:
    compared = comparisons(record.board)
    return {
        "parameters": record.parameters,
        "tokens_pretrain": record.metrics("pretrain").tokens,
        "tokens_finetune": record.metrics("finetune").tokens,
        "tasks": len(record.board.first_tasks),
        "above_guessing": sum(item.against_guess == "above" for item in compared),
        "above_best_baseline": sum(item.against_best == "above" for item in compared),
        "headline": {
            item.task.name: {
                "metric": item.task.metric,
                "tuned": item.tuned.value,
                "guessing": item.guess.value if item.guess else None,
                "verdict": item.against_guess,
            }
            for item in compared
        },
    }
