"""The report's comparisons of models on the same questions, in words that claim no more than the test allows.

Does: correct the p values for their number and say what each comparison shows. Does not: compare (significance.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igakulm.evaluation.significance import holm
from igakulm.report.board import BASELINE_MODE, Board, listed
from igakulm.report.page import (
    MISSING,
    Child,
    Html,
    bulk,
    count,
    decimal,
    el,
    finite,
    heading,
    join,
    note,
    table,
)
from igakulm.report.words import figure_text, metric_name, mode_name, model_name, shortened, split_name

LEVEL = 0.05
SHOWN_OPEN = 24
"""Up to so many comparisons of a split stand open; more are folded by task, below a summary."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same questions; `difference` is first minus second, `adjusted` the corrected p value."""

    task: str
    split: str
    metric: str
    first: tuple[str, str]
    second: tuple[str, str]
    difference: float
    low: float | None
    high: float | None
    p: float | None
    adjusted: float | None
    n: int | None

    @property
    def sign(self) -> int:
        """1 or -1 where the first or second model is better beyond doubt, else 0."""
        if self.adjusted is None or self.adjusted >= LEVEL or self.difference == 0:
            return 0
        return 1 if self.difference > 0 else -1


def pairs_of(board: Board) -> list[Pair]:
    """The board's comparisons, with p values adjusted (Holm) over those of one task and split.

    A wider family would be out of reach of sampled p values: 2,000 samples give none below 1 / 2,001.
    """
    families: dict[tuple[object, object], list[Mapping[str, Any]]] = {}
    for row in board.rows("paired"):
        if finite(row.get("difference")) is not None:
            families.setdefault((row.get("split"), row.get("task")), []).append(row)
    return [pair for family in families.values() for pair in _adjusted(family)]


def _adjusted(rows: Sequence[Mapping[str, Any]]) -> list[Pair]:
    known = {place: p for place, row in enumerate(rows) if (p := _p(row)) is not None}
    corrected = dict(zip(known, holm(list(known.values())), strict=True)) if known else {}
    return [_pair(row, corrected.get(place)) for place, row in enumerate(rows)]


def _p(row: Mapping[str, Any]) -> float | None:
    value = finite(row.get("p"))
    return value if value is not None and 0 <= value <= 1 else None


def _pair(row: Mapping[str, Any], adjusted: float | None) -> Pair:
    n = finite(row.get("n"))
    return Pair(
        task=str(row.get("task") or ""),
        split=str(row.get("split") or ""),
        metric=str(row.get("metric") or ""),
        first=(str(row.get("first") or ""), str(row.get("first_mode") or "")),
        second=(str(row.get("second") or ""), str(row.get("second_mode") or "")),
        difference=finite(row.get("difference")) or 0.0,
        low=finite(row.get("low")),
        high=finite(row.get("high")),
        p=_p(row),
        adjusted=adjusted,
        n=None if n is None else round(n),
    )


def paired_part(board: Board, level: int) -> Html:
    """A summary of wins, then the comparisons of each split."""
    pairs = pairs_of(board)
    if not pairs:
        return note("比較の記録がありません（モデルが一つだけか、以前の版による評価）。")
    parts: list[Child] = [_reading(board, pairs)]
    for split in dict.fromkeys(pair.split for pair in pairs):
        chosen = [pair for pair in pairs if pair.split == split]
        parts += [heading(level, split_name(split)), _against_baselines(chosen)]
        if len(chosen) <= SHOWN_OPEN:
            parts.append(_pair_table(chosen, f"比較：{split_name(split)}"))
            continue
        parts.append(_summary([pair for pair in chosen if pair.second[1] != BASELINE_MODE]))
        for task in dict.fromkeys(pair.task for pair in chosen):
            of_task = [pair for pair in chosen if pair.task == task]
            title = f"{shortened(task)}（{count(len(of_task))} 組）"
            parts.append(bulk(title, _pair_table(of_task, f"比較：{shortened(task)}")))
    return join(*parts)


def _reading(board: Board, pairs: Sequence[Pair]) -> Html:
    text = (
        "同じ問題を解いた二つのモデルの得点の差。区間は文書を単位とするブートストラップ、p は両側。"
        f"課題と分割ごとに、そこでの比較をまとめて Holm の方法で補正した p が {LEVEL:g} 未満のときだけ「高い」と書く。"
        "「差があるとは言えない」は、差がないという意味ではなく、この問題数では判断できないことを示す。"
        "基準線は、課題ごとに最も高かった一つと比べる。"
        "課題の間では補正していないので、多くの課題のうち一つだけの差は割り引いて読む。"
    )
    bootstrap = board.raw.get("bootstrap")
    samples = finite(bootstrap.get("samples")) if isinstance(bootstrap, dict) else None
    largest = max(Counter((pair.split, pair.task) for pair in pairs).values())
    if samples and largest / (samples + 1) >= LEVEL:
        text += (
            f"一つの課題に {count(largest)} 組の比較があり、標本 {count(samples)} 回で得られる最小の p では"
            "補正後に差を示せない組がある。標本の回数を増やすか、比べるモデルを減らす必要がある。"
        )
    return note(text)


def _pair_table(pairs: Sequence[Pair], title: str) -> Html:
    several = _asked_in_several_ways(pairs)
    rows: list[Sequence[Child]] = []
    for pair in sorted(pairs, key=lambda pair: pair.adjusted if pair.adjusted is not None else 2.0):
        first, second = (_side(side, several) for side in (pair.first, pair.second))
        bounds = None
        if pair.low is not None and pair.high is not None:
            bounds = el("small", f"[{_signed(pair.low)}, {_signed(pair.high)}]")
        rows.append(
            [
                el("th", shortened(pair.task), el("small", metric_name(pair.metric)), scope="row"),
                el("td", first, class_="text"),
                el("td", second, class_="text"),
                el("td", _signed(pair.difference), bounds),
                el("td", _probability(pair.p), el("small", f"補正後 {_probability(pair.adjusted)}")),
                el("td", _verdict(pair), class_="text"),
                count(pair.n),
            ]
        )
    words = [el("th", name, scope="col", class_="text") for name in ("モデルA", "モデルB")]
    head: list[Child] = ["課題", *words, "差（A − B）", "p", el("th", "言えること", scope="col", class_="text"), "n"]
    return table(head, rows, label=title, kind="wide paired")


def _asked_in_several_ways(pairs: Sequence[Pair]) -> set[str]:
    ways: dict[tuple[str, str], set[str]] = {}
    for pair in pairs:
        for model, mode in (pair.first, pair.second):
            ways.setdefault((pair.task, model), set()).add(mode)
    return {model for (_, model), modes in ways.items() if len(modes) > 1}


def _side(side: tuple[str, str], several: set[str]) -> Child:
    model, mode = side
    return [model_name(model), el("small", mode_name(mode)) if model in several else None]


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + figure_text(value)


def _probability(value: float | None) -> str:
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else decimal(value)


def _verdict(pair: Pair) -> Html:
    if pair.adjusted is None:
        return el("span", "検定なし", class_="verdict-open")
    if pair.sign == 0:
        return el("span", "差があるとは言えない", class_="verdict-open")
    return el("span", "A の方が高い" if pair.sign > 0 else "B の方が高い", class_="verdict-yes")


def _against_baselines(pairs: Sequence[Pair]) -> Html:
    """For each model: the tasks where it is better than, not different from, and worse than the best baseline."""
    pairs = [pair for pair in pairs if pair.second[1] == BASELINE_MODE]
    if len({pair.task for pair in pairs}) < 2:
        return Html("")
    several = _asked_in_several_ways(pairs)
    found: dict[tuple[str, str], dict[int, list[str]]] = {}
    for pair in pairs:
        line = pair.first if pair.first[0] in several else (pair.first[0], "")
        found.setdefault(line, {}).setdefault(pair.sign, []).append(shortened(pair.task))
    rows: list[Sequence[Child]] = [
        [el("th", _side(line, several), scope="row"), *(_task_list(tasks.get(sign), sign) for sign in (1, 0, -1))]
        for line, tasks in found.items()
    ]
    head = ["モデル", "基準線より高い課題", "差があるとは言えない課題", "基準線より低い課題"]
    caption = "言語モデルを使わない最良の基準線との比較"
    return table(head, rows, caption=caption, numbers=False, kind="wide")


def _task_list(tasks: Sequence[str] | None, sign: int) -> Html:
    if not tasks:
        return el("td", MISSING)
    style = {1: "verdict-yes", 0: "verdict-open", -1: "verdict-no"}[sign]
    return el("td", el("span", count(len(tasks)), class_=style), f"　{listed(tasks)}")


def _summary(pairs: Sequence[Pair]) -> Html:
    """For each model and task: how many others it is better than, not different from, and worse than."""
    if not pairs:
        return Html("")
    tasks = list(dict.fromkeys(pair.task for pair in pairs))
    several = _asked_in_several_ways(pairs)
    tally: dict[tuple[str, str], dict[str, list[int]]] = {}
    for pair in pairs:
        for side, sign in ((pair.first, pair.sign), (pair.second, -pair.sign)):
            line = side if side[0] in several else (side[0], "")
            counts = tally.setdefault(line, {}).setdefault(pair.task, [0, 0, 0])
            counts[1 - sign] += 1
    rows: list[Sequence[Child]] = [
        [el("th", _side(side, several), scope="row"), *(_tally_cell(of_side.get(task)) for task in tasks)]
        for side, of_side in tally.items()
    ]
    return join(
        table(
            ["モデル", *(shortened(task, 32) for task in tasks)], rows, caption="モデルどうしの比較", kind="wide scores"
        ),
        note("各欄は、比べた相手のうち「自分が高い／差があるとは言えない／相手が高い」の数。"),
    )


def _tally_cell(counts: Sequence[int] | None) -> Html:
    if counts is None:
        return el("td", MISSING)
    better, open_, worse = counts
    return el(
        "td",
        el("span", better, class_="verdict-yes" if better else "verdict-open"),
        el("span", f" / {open_} / ", class_="verdict-open"),
        el("span", worse, class_="verdict-no" if worse else "verdict-open"),
    )
