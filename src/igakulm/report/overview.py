"""The head of the report: what was built, the key figures, and which tasks the tuned model is better at than guessing.

Does: compare figures of the scoreboard, in words that claim no more than the intervals allow. Does not: measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from igakulm.recipe.schema import Recipe
from igakulm.report.board import BASELINE_MODE, Score, Task, listed
from igakulm.report.inputs import RunRecord
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    count,
    duration,
    el,
    facts,
    finite,
    join,
    large,
    note,
    section,
    table,
)
from igakulm.report.words import figure_text, metric_name, model_name

Verdict = Literal["above", "equal", "open", "below", "unknown"]
REFERENCES = ("majority", "chance", "always-a")
"""What guessing is: the most frequent answer; where a task has no training rows, chance."""
WORDS: dict[Verdict, tuple[str, str]] = {
    "above": ("上回る", "verdict-yes"),
    "equal": ("同じ値", "verdict-open"),
    "open": ("差は不明", "verdict-open"),
    "below": ("下回る", "verdict-no"),
    "unknown": ("比較なし", "verdict-open"),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The tuned model on one task beside guessing and beside the best baseline of all."""

    task: Task
    tuned: Score
    guess: Score | None
    best: Score | None

    @property
    def against_guess(self) -> Verdict:
        """Whether the tuned model is better than guessing."""
        return verdict(self.tuned, self.guess)

    @property
    def against_best(self) -> Verdict:
        """Whether it is better than the best baseline."""
        return verdict(self.tuned, self.best)


def verdict(score: Score, other: Score | None) -> Verdict:
    """ "above" or "below" only where the 95 % intervals do not touch (a cautious rule); else "equal" or "open".

    A figure without an interval counts as exact.
    """
    if other is None:
        return "unknown"
    low, high = _bounds(score)
    other_low, other_high = _bounds(other)
    if low > other_high:
        return "above"
    if high < other_low:
        return "below"
    return "equal" if math.isclose(score.value, other.value, abs_tol=1e-9) else "open"


def _bounds(score: Score) -> tuple[float, float]:
    return (
        score.value if score.low is None else score.low,
        score.value if score.high is None else score.high,
    )


def comparisons(record: RunRecord) -> list[Comparison]:
    """One comparison for each task that the tuned model was evaluated on, on the split that stands first."""
    found = []
    for task in record.board.first_tasks:
        tuned = task.main("tuned")
        if tuned is None:
            continue
        guess = next((score for name in REFERENCES if (score := task.main(name))), None)
        baselines = [score for score in task.main_scores if score.role == BASELINE_MODE]
        found.append(Comparison(task, tuned, guess, max(baselines, key=lambda score: score.value, default=None)))
    return found


def overview_section(number: int, recipe: Recipe, record: RunRecord) -> Html:
    """Key figures, headline, what the model can and cannot do."""
    compared = comparisons(record)
    return section(
        "overview",
        number,
        "概要",
        _key_figures(record),
        _headline(compared),
        _comparison_table(compared),
        _abilities(record, compared),
        facts(_machine(recipe, record)),
    )


def parameters(record: RunRecord) -> float | None:
    """Parameters of the model that was trained."""
    values = (finite(record.json(stage, "metrics.json").get("parameters")) for stage in ("finetune", "pretrain"))
    return next((value for value in values if value is not None), None)


def tokens_seen(record: RunRecord, stage: str) -> float | None:
    """Tokens of a training phase, repetitions counted."""
    return finite(record.json(stage, "metrics.json").get("tokens"))


def _key_figures(record: RunRecord) -> Html:
    sources = [entry for entry in record.json("corpus", "sources.json").values() if isinstance(entry, dict)]
    documents = sum(finite(entry.get("documents")) or 0 for entry in sources) if sources else None
    characters = sum(finite(entry.get("characters")) or 0 for entry in sources) if sources else None
    tasks = record.board.first_tasks
    figures: list[tuple[str, str, str]] = [
        ("モデルのパラメータ", large(parameters(record)), f"{count(parameters(record))} 個"),
        ("学習に使う文書", large(documents), f"{large(characters)}字"),
        ("事前学習のトークン", large(tokens_seen(record, "pretrain")), "のべ"),
        ("指示調整のトークン", large(tokens_seen(record, "finetune")), "のべ"),
        ("評価課題", count(len(tasks)) if tasks else MISSING, f"{count(_questions(record))} 問"),
        ("全段階の時間", duration(record.seconds), record.finished[:10] and f"{record.finished[:10]} 完了"),
    ]
    cells = [el("div", el("dt", name), el("dd", value, el("small", more))) for name, value, more in figures]
    return el("dl", cells, class_="figures")


def _questions(record: RunRecord) -> int | None:
    sizes = [max((score.n or 0 for score in task.main_scores), default=0) for task in record.board.first_tasks]
    return sum(sizes) if sizes else None


def _headline(compared: Sequence[Comparison]) -> Html:
    if not compared:
        return el("p", "調整後モデルの評価はまだありません。")
    groups = {kind: [item.task.name for item in compared if item.against_guess == kind] for kind in WORDS}
    total = len(compared)
    parts: list[Child] = []
    if groups["above"]:
        head = f"{total} 課題のうち {len(groups['above'])} 課題で、当て推量（最頻の答え）を明確に上回った"
        parts += [el("b", f"調整後モデルは {head}"), f"：{listed(groups['above'])}。"]
    else:
        none = f"当て推量（最頻の答え）を明確に上回った課題は、{total} 課題のうち一つもない"
        parts.append(el("b", f"調整後モデルが{none}。"))
    if groups["equal"]:
        parts.append(f"同じ値だった課題：{listed(groups['equal'])}。")
    if groups["open"]:
        parts.append(f"区間が重なり、差があるとはいえない課題：{listed(groups['open'])}。")
    if groups["below"]:
        parts.append(f"下回った課題：{listed(groups['below'])}。")
    if groups["unknown"]:
        parts.append(f"比べる基準線がない課題：{listed(groups['unknown'])}。")
    ahead = [item.task.name for item in compared if item.against_best == "above"]
    if ahead:
        parts.append(f"言語モデルを使わない基準線のどれよりも明確に高い課題：{listed(ahead)}。")
    else:
        parts.append("言語モデルを使わない最良の基準線を明確に上回った課題はない。")
    return el("p", parts)


def _comparison_table(compared: Sequence[Comparison]) -> Html:
    if not compared:
        return Html("")
    rows: list[Sequence[Child]] = [
        [
            item.task.name,
            el("td", metric_name(item.task.metric), class_="text"),
            el("td", el("b", figure_text(item.tuned.value)), _interval(item.tuned)),
            _reference(item.guess),
            _word(item.against_guess),
            _reference(item.best),
            _word(item.against_best),
        ]
        for item in compared
    ]
    head: list[Child] = ["課題", el("th", "指標", scope="col", class_="text"), "調整後モデル"]
    head += ["当て推量", "当て推量に対し", "最良の基準線", "最良の基準線に対し"]
    return join(
        table(head, rows, caption="調整後モデルと基準線", kind="wide"),
        note(
            "「上回る」「下回る」は95 %信頼区間が重ならないときにだけ書く（慎重な規則）。"
            "当て推量は訓練例で最も多い答え。訓練例のない課題では無作為に答えた場合。"
        ),
    )


def _interval(score: Score) -> Html | None:
    if score.low is None or score.high is None:
        return None
    return el("small", f"[{figure_text(score.low)}, {figure_text(score.high)}]")


def _reference(score: Score | None) -> Html:
    if score is None:
        return el("td", MISSING)
    return el("td", figure_text(score.value), el("small", model_name(score.model)))


def _word(kind: Verdict) -> Html:
    word, style = WORDS[kind]
    return el("td", word, class_=style)


def _abilities(record: RunRecord, compared: Sequence[Comparison]) -> Html:
    above = [item.task.name for item in compared if item.against_guess == "above"]
    number = parameters(record)
    size = f"パラメータ {large(number)} 個の" if number is not None else ""
    kind = f"{size}ごく小さな" if number is not None and number < 2e9 else size or "言語"
    can = [
        f"上の表で「上回る」とした課題（{listed(above)}）の形式の問いに、当て推量よりよく答える。" if above else None,
        "病院内の計算機だけで、外部に文章を送らずに動く。",
        "どの文書から作り、何を除き、どう測ったかを、この報告で確かめられる。",
    ]
    cannot = [
        "診断、治療、投薬の判断には使えない。医療機器ではない。",
        f"{kind}モデルであり、書いた内容の正しさは保証されない。もっともらしい誤りを書く。",
        "評価していない課題や文書での性能は分からない。使う現場の文書で測り直す必要がある。",
    ]
    columns = [
        el("div", el("h4", title), el("ul", [el("li", line) for line in lines if line]))
        for title, lines in (("できること", can), ("できないこと", cannot))
    ]
    return el("div", columns, class_="pair caution")


def _machine(recipe: Recipe, record: RunRecord) -> list[tuple[Child, Child]]:
    manifests = list(record.manifests.values())
    machine = manifests[-1].provenance if manifests else {}
    packages = machine.get("packages")
    torch = packages.get("torch") if isinstance(packages, dict) else None
    pairs: list[tuple[Child, Child]] = [
        ("レシピ", recipe.name),
        ("乱数の種", count(recipe.seed)),
        ("完了", record.finished or MISSING),
        ("計算機", str(machine.get("platform") or MISSING)),
        ("CPUコア", count(machine.get("cores"))),
        ("IgakuLM", str(machine.get("igakulm") or MISSING)),
        ("Python", str(machine.get("python") or MISSING)),
        ("PyTorch", str(torch or MISSING)),
    ]
    return pairs
