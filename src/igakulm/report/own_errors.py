"""The table of wrong answers that a ward reads: what the row says, what the model said, what to look at.

Does: word the rows in Japanese, as the spreadsheet that they come from is. Does not: find or order errors
(evaluation/first_errors.py), or write a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from igakulm.evaluation.first_errors import WrongAnswer
from igakulm.report.words import words
from igakulm.tasks.items import LETTERS

COLUMNS = (
    "順",
    "見るところ",
    "モデル",
    "課題",
    "番号",
    "行",
    "本文",
    "表の答え",
    "モデルの答え",
    "確率",
    "点",
    "同じ答えの方法",
)
SURE = 0.9


def error_rows(
    errors: Sequence[WrongAnswer], titles: Mapping[str, str], labels: Mapping[str, Sequence[str]]
) -> list[dict[str, str]]:
    """Rows with the columns `COLUMNS`.

    Args:
        errors: in order.
        titles: task -> what the user calls it.
        labels: task -> its labels, in the order of their letters; of other tasks nothing.
    """
    t = words("ja")
    rows = []
    for place, one in enumerate(errors, 1):
        identifier, _, row = one.id.rpartition("#")
        known = labels.get(one.task, ())
        rows.append(
            {
                "順": str(place),
                "見るところ": reason(one),
                "モデル": t.model(one.model),
                "課題": titles.get(one.task, one.task),
                "番号": identifier or one.id,
                "行": row.partition(".")[0],
                "本文": one.text,
                "表の答え": _answer(one.gold, known),
                "モデルの答え": "（読み取れません）" if one.said is None else _answer(one.said, known),
                "確率": "" if one.certain is None else f"{one.certain:.3f}",
                "点": f"{one.score:.2f}",
                "同じ答えの方法": t.listed(map(t.model, one.agree)),
            }
        )
    return rows


def reason(one: WrongAnswer) -> str:
    """What a person should look at.

    >>> reason(WrongAnswer("m", "t", "1", "", ("A",), ("B",), 0.97, (), 0.0))
    'モデルが強く確信している誤りです'
    """
    if one.said is None:
        return "答えを読み取れませんでした"
    if one.agree:
        return "ほかの方法も同じ答えです。表の答えが正しいか確かめてください"
    if one.certain is not None and one.certain >= SURE:
        return "モデルが強く確信している誤りです"
    if set(one.said) < set(one.gold):
        return "モデルが見落とした語があります"
    if set(one.said) > set(one.gold):
        return "表にない語をモデルが挙げました"
    return "答えが違います"


def _answer(answer: Sequence[str], labels: Sequence[str]) -> str:
    named = (labels[LETTERS.index(one)] if labels and one in LETTERS[: len(labels)] else one for one in answer)
    return "、".join(named) or "（なし）"
