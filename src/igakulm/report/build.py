"""The report stage: one self-contained HTML page in Japanese about a whole run.

Does: read the finished stages (report_inputs.py), put the sections together, return the headline numbers.
Does not: measure anything, look at the clock, or refer to any other file or address: the page opens offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.files import write_text
from igakulm.recipe.schema import Recipe
from igakulm.report.bundle import bundle_section
from igakulm.report.corpus import corpus_section
from igakulm.report.evaluation import evaluation_section
from igakulm.report.inputs import RunRecord
from igakulm.report.overview import comparisons, overview_section, parameters, tokens_seen
from igakulm.report.page import Html, el, join, page
from igakulm.report.provenance import provenance_section
from igakulm.report.tokenizer import tokenizer_section
from igakulm.report.training import training_section

REPORT = "report.html"
CONTENTS = (
    ("overview", "概要"),
    ("corpus", "コーパス"),
    ("tokenizer", "トークナイザー"),
    ("training", "学習"),
    ("scores", "評価"),
    ("bundle", "成果物"),
    ("provenance", "来歴"),
)


def build_report(recipe: Recipe, inputs: Mapping[str, Path], out_dir: Path) -> dict[str, Any]:
    """Write `out_dir/report.html` about the finished stages in `inputs` (stage name to folder).

    A stage that is absent leaves a remark in its section. The same recipe and folders give the same bytes.

    Returns:
        `parameters`, `tokens_pretrain`, `tokens_finetune`, `tasks`, `above_guessing` and `above_best_baseline` (counts
        of tasks), and `headline`: task -> {metric, tuned, guessing, verdict}.

    Raises:
        InputError: a folder that does not exist, or a damaged JSON file in one.
    """
    record = RunRecord.read(inputs)
    sections = [
        overview_section(1, recipe, record),
        corpus_section(2, record),
        tokenizer_section(3, record),
        training_section(4, record),
        evaluation_section(5, record.board),
        bundle_section(6, recipe, record),
        provenance_section(7, recipe, record),
    ]
    footer = "IgakuLM が各段階の記録から作成した。このページは外部のファイルを読み込まない。"
    text = page(f"{recipe.name} — IgakuLM 実行報告", _header(recipe, record), CONTENTS, sections, footer)
    write_text(out_dir / REPORT, text)
    return _summary(record)


def _header(recipe: Recipe, record: RunRecord) -> Html:
    date = f" — {record.finished}" if record.finished else ""
    return el(
        "header",
        el("p", f"IgakuLM 実行報告{date}", class_="kind"),
        el("h1", recipe.name),
        el("p", recipe.description, class_="lead") if recipe.description else join(),
    )


def _summary(record: RunRecord) -> dict[str, Any]:
    compared = comparisons(record)
    return {
        "parameters": parameters(record),
        "tokens_pretrain": tokens_seen(record, "pretrain"),
        "tokens_finetune": tokens_seen(record, "finetune"),
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
