"""The report's comparisons of models on the same questions, in words that claim no more than the test allows.

Does: arrange comparisons by split and task, and count wins. Does not: compare, or correct p values (comparisons.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from igakulm.evaluation.comparisons import LEVEL, Pair, Side, pairs_of
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import BASELINE_MODE
from igakulm.report.numbers import Language, shortened
from igakulm.report.render import render
from igakulm.report.words import words

SHOWN_OPEN = 24
"""Up to so many comparisons of a split stand open; more are folded by task, below a summary."""
SIGNS = (1, 0, -1)


@dataclass(frozen=True, slots=True)
class SplitPairs:
    """The comparisons of one split.

    `against_baselines`: model -> sign -> tasks; `wins`: model -> task -> how many others it is better than, not
    different from, worse than (where the list is long); `tables`: title (empty: not folded) and comparisons; `several`:
    models that were asked in several ways.
    """

    name: str
    against_baselines: dict[Side, dict[int, list[str]]]
    tasks: list[str]
    wins: dict[Side, dict[str, Counter[int]]]
    tables: list[tuple[str, list[Pair]]]
    several: set[str]


def paired_part(board: Board, level: int, language: Language) -> Markup:
    """A summary of wins, then the comparisons of each split."""
    pairs = pairs_of(board)
    largest = max(Counter((pair.split, pair.task) for pair in pairs).values(), default=0)
    samples = board.stored.bootstrap.samples if board.stored.bootstrap else None
    return render(
        "paired.html.j2",
        language,
        level=level,
        splits=[
            _split(split, [pair for pair in pairs if pair.split == split], language)
            for split in dict.fromkeys(pair.split for pair in pairs)
        ],
        threshold=LEVEL,
        samples=samples,
        out_of_reach=largest if samples and largest / (samples + 1) >= LEVEL else 0,
        baseline_mode=BASELINE_MODE,
        signs=SIGNS,
    )


def _split(split: str, pairs: Sequence[Pair], language: Language) -> SplitPairs:
    several = _asked_in_several_ways(pairs)
    models = [pair for pair in pairs if BASELINE_MODE not in (pair.first[1], pair.second[1])]
    tasks = list(dict.fromkeys(pair.task for pair in pairs))
    folded = len(pairs) > SHOWN_OPEN
    return SplitPairs(
        words(language).split(split),
        _against_baselines([pair for pair in pairs if pair.second[1] == BASELINE_MODE], several),
        tasks,
        _wins(models, several) if folded else {},
        [(shortened(task), _sorted(p for p in pairs if p.task == task)) for task in tasks]
        if folded
        else [("", _sorted(pairs))],
        several,
    )


def _sorted(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: pair.adjusted if pair.adjusted is not None else 2.0)


def _asked_in_several_ways(pairs: Sequence[Pair]) -> set[str]:
    ways: dict[tuple[str, str], set[str]] = {}
    for pair in pairs:
        for model, mode in (pair.first, pair.second):
            ways.setdefault((pair.task, model), set()).add(mode)
    return {model for (_, model), modes in ways.items() if len(modes) > 1}


def _line(side: Side, several: set[str]) -> Side:
    return side if side[0] in several else (side[0], "")


def _against_baselines(pairs: Sequence[Pair], several: set[str]) -> dict[Side, dict[int, list[str]]]:
    """Of several baselines of a task (guessing and the best one) the hardest counts."""
    worst: dict[tuple[Side, str], int] = {}
    for pair in pairs:
        key = (_line(pair.first, several), pair.task)
        worst[key] = min(pair.sign, worst.get(key, 1))
    found: dict[Side, dict[int, list[str]]] = {}
    if len({task for _, task in worst}) > 1:
        for (line, task), sign in worst.items():
            found.setdefault(line, {}).setdefault(sign, []).append(shortened(task))
    return found


def _wins(pairs: Sequence[Pair], several: set[str]) -> dict[Side, dict[str, Counter[int]]]:
    found: dict[Side, dict[str, Counter[int]]] = {}
    for pair in pairs:
        for side, sign in ((pair.first, pair.sign), (pair.second, -pair.sign)):
            found.setdefault(_line(side, several), {}).setdefault(pair.task, Counter())[sign] += 1
    return found
