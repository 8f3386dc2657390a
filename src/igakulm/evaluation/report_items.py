"""Single answers in the report: marked passages for entity tasks, confusion tables for choice tasks.

Does: show how the tuned model (else the base model) answered. Does not: parse or score answers again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from igakulm.evaluation.report_inputs import RunRecord, Task, listed
from igakulm.evaluation.report_page import Child, Html, count, decimal, el, finite, join, note
from igakulm.evaluation.report_words import model_name

SHOWN_ITEMS = 4
MAX_CLASSES = 8
UNREAD = "不読"
MARKS = {"hit": "正答", "missed": "見落とし", "wrong": "余分", "edge": "範囲の食い違い"}


def items_part(record: RunRecord) -> Html:
    """Examples and confusion tables of one model: the tuned one where it was evaluated."""
    model = next((name for name in ("tuned", "base") if any(task.main(name) for task in record.tasks)), None)
    if model is None:
        return Html("")
    entities = [_entity_examples(record, task, model) for task in record.tasks if task.kind == "entities"]
    tables = [_confusion(record, task, model) for task in record.tasks if task.kind != "entities"]
    entities, tables = [part for part in entities if part], [part for part in tables if part]
    parts: list[Child] = []
    if entities:
        parts += [el("h3", f"抽出の例（{model_name(model)}）"), _legend(), *entities]
    if tables:
        parts += [
            el("h3", f"正解と答えの対応（{model_name(model)}）"),
            el("div", tables, class_="charts"),
            note("行が正解、列がモデルの答え、数は問題数。枠で囲んだ対角線が正答。正解が一つの問題だけを数える。"),
        ]
    return join(*parts)


def _legend() -> Html:
    return el("p", [el("span", el("mark", name, class_=kind)) for kind, name in MARKS.items()], class_="legend")


def _entity_examples(record: RunRecord, task: Task, model: str) -> Html:
    chosen = choose_items(record.items(model, task.name))
    asked = dict.fromkeys(question for row in chosen if (question := split_document(_prompt(row))[0]))
    alone = len(asked) == 1
    heading = el("p", next(iter(asked)), class_="asked") if alone else None
    items = [_entity_item(row, with_question=not alone) for row in chosen]
    return join(el("h4", task.name), heading, items) if chosen else Html("")


def _prompt(row: Mapping[str, Any]) -> str:
    return str(row.get("prompt") or row.get("question") or "")


def choose_items(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A few items of different outcome: fully right, partly right, all missed, unreadable; then the first others."""
    groups: dict[str, list[Mapping[str, Any]]] = {"part": [], "right": [], "missed": [], "unread": []}
    for row in rows:
        gold, said = set(strings(row.get("gold"))), set(strings(row.get("parsed")))
        if row.get("parsed") is None:
            outcome = "unread"
        elif gold == said:
            outcome = "right"
        else:
            outcome = "part" if gold & said else "missed"
        if len(groups[outcome]) < SHOWN_ITEMS:
            groups[outcome].append(row)
    ranked = sorted(
        ((place, order, row) for order, rows in enumerate(groups.values()) for place, row in enumerate(rows)),
        key=lambda entry: entry[:2],
    )
    return [row for _, _, row in ranked[:SHOWN_ITEMS]]


def _entity_item(row: Mapping[str, Any], *, with_question: bool) -> Html:
    question, text = split_document(_prompt(row))
    gold = strings(row.get("gold"))
    said = strings(row.get("parsed"))
    elsewhere = [entity for entity in dict.fromkeys(said) if entity not in text]
    remarks = [str(row.get("id") or "")]
    score = finite(row.get("score"))
    if score is not None:
        remarks.append(f"部分一致F1 {decimal(score, 2)}")
    if row.get("parsed") is None:
        remarks.append(f"答えを読み取れない：{_shortened(str(row.get('answer') or ''))}")
    if elsewhere:
        remarks.append(f"本文にない答え：{listed(elsewhere)}")
    line = el("p", [el("span", remark) for remark in remarks if remark], class_="meta")
    asked = el("p", question, class_="asked") if with_question and question else None
    return el("div", asked, el("p", marked(text, gold, said)), line, class_="item")


def _shortened(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def strings(value: object) -> list[str]:
    """The strings of a JSON list; a single string is a list of one, anything else is empty."""
    if isinstance(value, str):
        return [value]
    return [str(entry) for entry in value] if isinstance(value, list) else []


def split_document(prompt: str) -> tuple[str, str]:
    """Question and document of a prompt: the document stands between the first 「 that begins a line and the last 」.

    >>> split_document("症状を挙げてください。\\n「発熱と「咳」を認めた。」")
    ('症状を挙げてください。', '発熱と「咳」を認めた。')
    >>> split_document("発熱あり")
    ('', '発熱あり')
    """
    start, end = prompt.find("\n「"), prompt.rfind("」")
    if 0 <= start < end:
        return prompt[:start].strip(), prompt[start + 2 : end]
    return "", prompt


def marked(text: str, gold: Sequence[str], said: Sequence[str]) -> Html:
    """The text with every occurrence of the entities marked: right, missed, wrong, or both of the last two.

    >>> marked("発熱と咳。", ["発熱"], ["咳"])
    '<mark class="missed" title="見落とし">発熱</mark>と<mark class="wrong" title="余分">咳</mark>。'
    """
    labels: list[set[str]] = [set() for _ in text]
    for kind, entities in _kinds(gold, said).items():
        for entity in entities:
            for start in occurrences(text, entity):
                for place in range(start, start + len(entity)):
                    labels[place].add(kind)
    pieces: list[Child] = []
    for label, run in groupby(range(len(text)), key=lambda place: _one_label(labels[place])):
        places = list(run)
        piece = text[places[0] : places[-1] + 1]
        pieces.append(el("mark", piece, class_=label, title=MARKS[label]) if label else piece)
    return join(*pieces)


def _kinds(gold: Sequence[str], said: Sequence[str]) -> dict[str, set[str]]:
    wanted, given = set(gold), set(said)
    return {"hit": wanted & given, "missed": wanted - given, "wrong": given - wanted}


def _one_label(labels: set[str]) -> str:
    if "hit" in labels:
        return "hit"
    return "edge" if len(labels) > 1 else next(iter(labels), "")


def occurrences(text: str, part: str) -> Iterator[int]:
    """Where a part begins in a text, without overlaps.

    >>> list(occurrences("咳と咳", "咳"))
    [0, 2]
    """
    start = text.find(part) if part else -1
    while start >= 0:
        yield start
        start = text.find(part, start + len(part))


def _confusion(record: RunRecord, task: Task, model: str) -> Html:
    cells: Counter[tuple[str, str]] = Counter()
    left_out = 0
    for row in record.items(model, task.name):
        gold, said = strings(row.get("gold")), strings(row.get("parsed"))
        if len(gold) != 1:
            left_out += 1
            continue
        cells[(gold[0], said[0] if len(said) == 1 else UNREAD)] += 1
    wanted = {gold for gold, _ in cells}
    if not cells or len(wanted) > MAX_CLASSES:
        return Html("")
    columns = sorted(wanted | {said for _, said in cells} - {UNREAD})
    if any(said == UNREAD for _, said in cells):
        columns.append(UNREAD)
    rows = [_confusion_row(gold, columns, cells) for gold in sorted(wanted)]
    header = el("tr", el("th", "正解＼答え", scope="col"), [el("th", column, scope="col") for column in columns])
    remark = f"正解が複数の {count(left_out)} 問を除く" if left_out else ""
    caption = el("figcaption", task.name, el("small", remark) if remark else None)
    return el("figure", caption, el("table", el("thead", header), el("tbody", rows), class_="confusion"))


def _confusion_row(gold: str, columns: Sequence[str], cells: Mapping[tuple[str, str], int]) -> Html:
    total = sum(cells.get((gold, column), 0) for column in columns)
    out = []
    for column in columns:
        number = cells.get((gold, column), 0)
        share = round(50 * number / total) if total else 0
        style = f"--share:{share}%" if number else None
        out.append(el("td", number or "·", style=style, class_="right" if column == gold else None))
    return el("tr", el("th", gold, scope="row"), out)
