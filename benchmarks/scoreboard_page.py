"""What `scoreboard.py` writes: scoreboard.json as a typed model, and the document that is made of it.

Does: hold the figures of a scoreboard run and word them. Does not: compute or choose anything (scoreboard.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from igakulm.evaluation.comparisons import pairs_of
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import Score
from igakulm.stored import Part, Stored

POOLED, TUNED = "tuned+ngram", "tuned"
PAPER_FLOP = 3.6e20
PAPER_ROWS = ("instruct 20B tokens", "instruct 50B tokens")
GPT = "GPT-4o-2024-08-06"
SEVERAL = 30
"""With fewer held-out rows of a task a pool has the weight one half."""
TITLES = {
    "jmmlu_med": "JMMLU-Med",
    "crade": "CRADE",
    "rrtnm": "RRTNM",
    "smdis": "SMDIS",
    "jcsts": "JCSTS",
    "mrner_disease": "MRNER-disease",
    "mrner_medicine": "MRNER-medicine",
    "nrner": "NRNER",
}


class PoolRow(Part):
    """How a task's pool was made: weight of the tuned model, losses on held-out rows of each weight tried, their number
    and whether there were enough of them to choose.
    """

    task: str
    weight: float
    losses: tuple[float, ...]
    held_out: int
    chosen: bool


class Sweep(Part):
    """One arm of a sweep: keys that differ, updates, tokens, and what held-out rows said."""

    name: str
    keys: dict[str, Any]
    steps: int
    tokens: int
    seconds: float
    train_loss: float
    held_out: dict[str, Any]
    remark: str = ""


class ScoreboardRun(Stored):
    """docs/results/scoreboard.json. `commit`: of the tuning; `scores`: the evaluation's and the pool's figures."""

    NEWEST: ClassVar[int] = 1
    date: str
    commit: str
    evaluated_at: str
    recipe: str
    recipe_sha256: str
    base_sha256: str
    seed: int
    split: str
    machine: dict[str, Any]
    seconds: dict[str, float]
    training: dict[str, Any]
    flop: float
    scores: tuple[Score, ...]
    comparisons: tuple[dict[str, Any], ...]
    pools: tuple[PoolRow, ...]
    sweeps: tuple[Sweep, ...]
    not_run: tuple[str, ...]


class Page:
    """The document, from the typed figures and the boards."""

    def __init__(self, found: ScoreboardRun, board: Board, pooled: Board) -> None:
        self.found, self.board, self.pooled = found, board, pooled
        self.tasks = {task.name: task for task in board.splits[found.split]}

    def text(self) -> str:
        """Markdown."""
        parts = [self.head(), self.main_table(), self.others(), self.tests(), self.unshared(), self.pool_table()]
        parts += [self.training(), self.sweeps(), self.left()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def value(self, model: str, task: str, metric: str, split: str = "") -> Score | None:
        split = split or self.found.split
        return next(
            (
                score
                for score in self.found.scores
                if (score.model, score.task, score.metric, score.split) == (model, task, metric, split)
            ),
            None,
        )

    def metric(self, task: str) -> str:
        """What the paper's figures are compared in."""
        return "kappa" if self.tasks[task].kind == "choice" else "exact_f1_upstream"

    def published(self, model: str, task: str) -> float | None:
        wanted = {"kappa": "kappa_upstream"}.get(self.metric(task), self.metric(task))
        rows = self.board.stored.published
        return next((row.value for row in rows if (row.model, row.task, row.metric) == (model, task, wanted)), None)

    def paper(self, task: str) -> float:
        return max(self.published(model, task) or 0.0 for model in PAPER_ROWS)

    def baseline(self, task: str) -> Score | None:
        scores = [
            score
            for score in self.found.scores
            if score.role == "baseline"
            and (score.task, score.metric, score.split) == (task, self.metric(task), self.found.split)
        ]
        return max(scores, key=lambda score: score.value, default=None)

    def best(self, task: str) -> list[Score]:
        return [score for name in (TUNED, POOLED) if (score := self.value(name, task, self.metric(task)))]

    def head(self) -> str:
        found = self.found
        return "\n".join(
            [
                f"# {found.date}: an open base of 270 M tuned on one CPU core, on JMED-LLM",
                "",
                *self.sentences(),
                "",
                "One seed. All test sets have 100 rows: intervals are wide. The published split shares documents with",
                "the training rows, so figures on it are no evidence for new documents.",
                "",
                "| | |",
                "|---|---|",
                *(f"| {name} | {value} |" for name, value in self.facts().items()),
            ]
        )

    def sentences(self) -> list[str]:
        """What the run shows."""
        names = list(self.tasks)
        alone = {task: self.best(task)[0].value for task in names}
        pooled = {task: self.best(task)[-1].value for task in names}
        limits = {task: score.value for task in names if (score := self.baseline(task))}
        gpt = {task: self.published(GPT, task) or 0.0 for task in names}

        def above(values: Mapping[str, float], others: Mapping[str, float]) -> str:
            found = [task for task, other in others.items() if values[task] > other]
            return f"{len(found)} of {len(others)} ({_names(found)})"

        papers = {task: self.paper(task) for task in names}
        signs, training = self.signs(), self.found.training
        hours = f"{training['hours']:.2f}"
        return [
            f"Gemma 3 270M (Q4_K_M, dequantised), {training['steps']} updates in {hours} hours on JMED-LLM's",
            "training rows, published split. Figures: kappa, and exact F1 of lists by the published scorer.",
            "",
            f"- Above the paper's best row (1.2 B): alone on {above(alone, papers)};",
            f"  choices pooled with n-grams, lists alone: {above(pooled, papers)}.",
            f"- Above GPT-4o-2024-08-06 without tuning: alone on {above(alone, gpt)}.",
            f"- Beside the best baseline without a language model, alone, by the paired test (Holm): better on "
            f"{_names(signs[1])}; worse on {_names(signs[-1])}; open on {_names(signs[0])}.",
            f"- Above the best baseline's figure: alone on {above(alone, limits)}; pooled {above(pooled, limits)}.",
        ]

    def facts(self) -> dict[str, str]:
        """What was run, and on what."""
        found, said = self.found, self.found.machine
        arithmetic = said.get("arithmetic") or {}
        times = f"{PAPER_FLOP / found.flop:,.0f}"
        return {
            "commit": f"tuned at `{found.commit}`, evaluated at `{found.evaluated_at}`",
            "recipe": f"`{found.recipe}`, SHA-256 `{found.recipe_sha256}`",
            "base": f"SHA-256 of the GGUF `{found.base_sha256}`",
            "machine": f"{said.get('processor')}, {said.get('cores')} cores, "
            f"{arithmetic.get('threads')} thread(s) used, "
            f"AMX: {'yes' if said.get('amx') else 'no'}; other programs were running",
            "software": f"Python {said.get('python')}, PyTorch {said.get('torch')}",
            "seed, split": f"{found.seed}, {found.split}",
            "cost of the tuning": f"{found.flop:.2g} FLOP, {times} times less than the paper's {PAPER_FLOP:.2g} (which "
            "include pretraining; that of Gemma is not counted here)",
        }

    def signs(self) -> dict[int, list[str]]:
        """Tasks by the paired test against the best baseline (Holm): 1 better, -1 worse, 0 open."""
        signs: dict[int, list[str]] = {1: [], 0: [], -1: []}
        for pair in pairs_of(self.board):
            if pair.split != self.found.split or pair.first[0] != TUNED:
                continue
            values = {s.model: s.value for s in self.tasks[pair.task].main_scores if s.role == "baseline"}
            if pair.second[0] == max(values, key=lambda name: values[name]):
                signs[pair.sign].append(pair.task)
        return signs

    def main_table(self) -> str:
        rows = []
        for task in self.tasks:
            base = self.baseline(task)
            gpt = self.published(GPT, task)
            rows.append(
                [
                    f"{TITLES.get(task, task)}, {'kappa' if self.metric(task) == 'kappa' else 'exact F1'}",
                    _score(self.value(TUNED, task, self.metric(task))),
                    _score(self.value(POOLED, task, self.metric(task))),
                    f"{_score(base)} ({base.model})" if base else "",
                    f"{self.paper(task):.2f}",
                    "" if gpt is None else f"{gpt:.2f}",
                ]
            )
        heads = ["task, figure", "tuned", "tuned, pooled with n-grams", "best baseline", "paper's best row", "GPT-4o"]
        return _table("Published split, 100 rows a task [95 % interval by document]", heads, rows)

    def others(self) -> str:
        rows = []
        for task, scores in self.tasks.items():
            ours = {s.metric: _score(s) for s in scores.scores if s.model == TUNED}
            rows.append([TITLES.get(task, task), ", ".join(f"{name} {value}" for name, value in ours.items())])
        return _table("All figures of the tuned model", ["task", "figures"], rows)

    def tests(self) -> str:
        rows = [
            [
                pair["task"],
                pair["metric"],
                pair["first"][0],
                pair["second"][0],
                f"{pair['difference']:+.3f} [{pair['low']:+.3f}, {pair['high']:+.3f}]",
                f"{pair['p']:.4f}",
                f"{pair['p_holm']:.4f}",
            ]
            for pair in self.found.comparisons
        ]
        heads = ["task", "figure", "first", "second", "difference", "p", "p, Holm"]
        return _table("Paired tests on the same items (randomisation, by document)", heads, rows)

    def unshared(self) -> str:
        rows = []
        for task in self.tasks:
            for model in (TUNED, POOLED):
                score = self.value(model, task, self.metric(task), "published-unshared")
                if score:
                    rows.append([TITLES.get(task, task), model, _score(score), score.n])
        note = "Tasks that are missing here share all documents (or none) with training rows."
        return (
            _table(
                "The same answers, items that share no document with a training row",
                ["task", "model", "figure", "n"],
                rows,
            )
            + f"\n\n{note}"
        )

    def pool_table(self) -> str:
        rows = [
            [
                TITLES.get(row.task, row.task),
                f"{row.weight:.1f}",
                row.held_out,
                "held-out rows" if row.chosen else "too few rows: one half",
            ]
            for row in self.found.pools
        ]
        text = (
            "Weighted geometric mean of the tuned model's probabilities and those of the character n-gram classifier.\n"
            "The model's weight is chosen by balanced log loss on held-out training rows where there are "
            f"{SEVERAL} or more.\nThe classifier is the baseline `ngram`, whose features were once chosen after "
            "looking at test scores (2026-11-23)."
        )
        return _table("The pool", ["task", "weight of the model", "held-out rows", "chosen by"], rows) + f"\n\n{text}"

    def training(self) -> str:
        found = self.found
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found.training["shares_by_task"].items())
        checks = [
            [row["step"], f"{row['rows_loss']:.3f}", *(f"{value:.3f}" for value in row["tasks"].values())]
            for row in found.training["validation"]
        ]
        names = list(found.training["validation"][0]["tasks"]) if found.training["validation"] else []
        seconds = ", ".join(f"{name} {value:,.0f}" for name, value in found.seconds.items())
        text = (
            f"{found.training['tokens']:,} tokens, {found.training['epochs']} epochs of {found.training['rows']:,} "
            f"rows, {found.training['mean_tokens_a_second']} tokens/s while other programs ran. Rows drawn: {shares}. "
            f"Seconds of the stages: {seconds}."
        )
        return (
            _table("Tuning", ["update", "mean over tasks", *names], checks)
            + f"\n\nLoss of {found.training['validation_rows']} held-out rows, nats a token. {text}"
        )

    def sweeps(self) -> str:
        rows = [
            [
                sweep.name,
                _keys(sweep.keys),
                sweep.steps,
                f"{sweep.tokens:,}",
                f"{sweep.seconds:,.0f}",
                f"{sweep.train_loss:.3f}",
                _held(sweep.held_out),
                sweep.remark,
            ]
            for sweep in self.found.sweeps
        ]
        heads = ["arm", "keys", "updates", "tokens", "seconds", "training loss, last 10", "held-out rows", "remark"]
        return _table("Sweeps (held-out training rows alone; also what did not help)", heads, rows) if rows else ""

    def left(self) -> str:
        return "\n".join(["## What was not run", "", *(f"- {line}" for line in self.found.not_run)])


def _names(tasks: Sequence[str]) -> str:
    return ", ".join(TITLES.get(task, task) for task in tasks) or "none"


def _score(score: Score | None) -> str:
    if score is None:
        return ""
    interval = f" [{score.low:.2f}, {score.high:.2f}]" if score.low is not None and score.high is not None else ""
    return f"{score.value:.2f}{interval}"


def _keys(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in keys.items())


def _held(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{task}: {_keys(row) if isinstance(row, dict) else row}" for task, row in values.items())


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"## {title}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join(lines + [f"| {' | '.join(map(str, row))} |" for row in rows])
