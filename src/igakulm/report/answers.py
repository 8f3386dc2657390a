"""How models answered: marked documents, confusion tables, the hardest items, and answers that could not be read.

Does: read the files of answers once and choose what to show. Does not: parse or score answers again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from igakulm.report.board import UNSHARED, AnswerFile, Board, Task, answer_rows, listed
from igakulm.report.items import (
    MAX_QUESTION,
    SHOWN_ITEMS,
    Row,
    choose_items,
    clipped,
    entity_item,
    marked,
    marks_legend,
    prompt_of,
    raw_answer,
    split_document,
    strings,
)
from igakulm.report.page import (
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
    one_of,
    percent,
    table,
)
from igakulm.report.words import mode_name, model_name, shortened, split_name

MAX_CLASSES = 8
HARDEST = 5
SHOWN_UNREAD = 3
UNREAD = "不読"


@dataclass(slots=True)
class Digest:
    """What the page needs of one file of answers; `said` and `scores` are by item."""

    file: AnswerFile
    examples: list[Row] = field(default_factory=list)
    unread: list[Row] = field(default_factory=list)
    unread_count: int = 0
    gold: dict[str, tuple[str, ...]] = field(default_factory=dict)
    said: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model and how it was asked."""
        return f"{model_name(self.file.model)} · {mode_name(self.file.answer_mode)}".removesuffix(" · ")


def digest(file: AnswerFile, examples: int) -> Digest:
    """Read a file of answers once, keeping `examples` rows to show."""
    found = Digest(file)
    found.examples = choose_items(_noting(file, found), examples)
    return found


def _noting(file: AnswerFile, found: Digest) -> Iterator[Row]:
    for number, row in enumerate(answer_rows(file)):
        key = str(row.get("id") or number)
        gold, parsed = tuple(strings(row.get("gold"))), row.get("parsed")
        said = None if parsed is None else tuple(strings(parsed))
        score = finite(row.get("score"))
        found.gold[key], found.said[key] = gold, said
        found.scores[key] = score if score is not None else float(gold == said)
        if said is None:
            found.unread_count += 1
            if len(found.unread) < SHOWN_UNREAD:
                found.unread.append(row)
        yield row


def answers_part(board: Board, level: int) -> Html:
    """Everything about single answers: of the split that stands first; confusion tables of every split."""
    examples, tables, hardest, unread = [], [], [], []
    for number, task in enumerate(task for task in board.tasks if task.split != UNSHARED):
        files = board.answers_to(task)
        if not files:
            continue
        digests = [digest(file, SHOWN_ITEMS if len(files) <= 3 else 2) for file in files]
        if task.kind != "entities":
            tables.append(_confusions(task, digests, f"confusion-{number}"))
        if task in board.first_tasks:
            if task.kind == "entities":
                examples.append(_examples(task, digests, f"examples-{number}", level + 1))
            hardest.append(_hardest(task, digests))
        unread.append(_unread(task, digests))
    parts = [
        _group(level, "抽出の例", examples, marks_legend()),
        _group(level, "正解と答えの対応", [el("div", found, class_="charts") for found in [_full(tables)] if found]),
        _group(level, "難しかった問題", hardest, _HARDEST_NOTE),
        _group(level, "読み取れなかった答え", unread),
    ]
    return join(*parts) if any(parts) else note("個々の答えの記録がありません。")


_HARDEST_NOTE = note(
    "正解したモデル（答え方を含む）の少ない順に示し、同数なら同じ誤答の多いものを先にする。抽出は、得点の平均が低い順。"
    "そろって間違える問題は、正解や問題文に誤りがあることもある。"
)


def _full(parts: Sequence[Html]) -> list[Html]:
    return [part for part in parts if part]


def _group(level: int, title: str, parts: Sequence[Html], before: Html | None = None) -> Html:
    return join(heading(level, title), before, _full(parts)) if _full(parts) else Html("")


def _place(task: Task) -> str:
    return shortened(task.name)


def _examples(task: Task, digests: Sequence[Digest], group: str, level: int) -> Html:
    parts = []
    for number, found in enumerate(digests):
        few_shot = found.file.prompt_style.endswith("-shot")
        asked = dict.fromkeys(split_document(prompt_of(row), last=few_shot)[0] for row in found.examples)
        alone = len(asked) == 1
        question = shortened(next(iter(asked)), MAX_QUESTION) if alone else ""
        shown = [entity_item(row, with_question=not alone, few_shot=few_shot) for row in found.examples]
        if shown:
            line = el("p", question, class_="asked") if question else None
            parts.append(one_of(group, found.name, line, *shown, is_open=number == 0))
    return join(heading(level, _place(task)), *parts) if parts else Html("")


def _confusions(task: Task, digests: Sequence[Digest], group: str) -> Html:
    parts: list[Html] = []
    for found in digests:
        inner = _confusion(found)
        if inner:
            parts.append(one_of(group, found.name, inner, is_open=not parts))
    if not parts:
        return Html("")
    return el("figure", el("figcaption", _place(task), el("small", split_name(task.split))), parts)


def _confusion(found: Digest) -> Html:
    cells: Counter[tuple[str, str]] = Counter()
    for key, gold in found.gold.items():
        said = found.said[key]
        if len(gold) == 1:
            cells[gold[0], said[0] if said and len(said) == 1 else UNREAD] += 1
    wanted = {gold for gold, _ in cells}
    columns = sorted(wanted | {said for _, said in cells} - {UNREAD})
    if not cells or len(columns) > MAX_CLASSES:
        return Html("")
    if any(said == UNREAD for _, said in cells):
        columns.append(UNREAD)
    rows = [_confusion_row(gold, columns, cells) for gold in sorted(wanted)]
    header = el("tr", el("th", "正解＼答え", scope="col"), [el("th", column, scope="col") for column in columns])
    left_out = len(found.gold) - sum(cells.values())
    remark = note(f"正解が複数の {count(left_out)} 問を除く。") if left_out else None
    return join(el("table", el("thead", header), el("tbody", rows), class_="confusion"), remark)


def _confusion_row(gold: str, columns: Sequence[str], cells: Mapping[tuple[str, str], int]) -> Html:
    total = sum(cells.get((gold, column), 0) for column in columns)
    out = []
    for column in columns:
        number = cells.get((gold, column), 0)
        share = round(50 * number / total) if total else 0
        style = f"--share:{share}%" if number else None
        out.append(el("td", number or "·", style=style, class_="right" if column == gold else None))
    return el("tr", el("th", gold, scope="row"), out)


def _hardest(task: Task, digests: Sequence[Digest]) -> Html:
    keys = [key for key in digests[0].gold if all(key in found.scores for found in digests)]
    if not keys:
        return Html("")
    means = {key: sum(found.scores[key] for found in digests) / len(digests) for key in keys}
    if task.kind == "entities":
        chosen = sorted(keys, key=lambda key: means[key])[:HARDEST]
        title = f"{_place(task)}：得点の低い {len(chosen)} 文書"
    else:
        missed = [key for key in keys if not any(found.scores[key] for found in digests)]
        wrong = [key for key in keys if means[key] < 1]
        chosen = sorted(wrong, key=lambda key: (means[key], -_agreement(key, digests)))[:HARDEST]
        nobody = "どのモデルも不正解" if len(digests) > 1 else "不正解"
        share = percent(len(missed) / len(keys), 0)
        title = f"{_place(task)}：{count(len(keys))} 問中 {count(len(missed))} 問（{share}）は{nobody}"
    rows = _rows_by_key(digests[0].file, chosen)
    show = _hard_document if task.kind == "entities" else _hard_question
    items = [show(key, rows[key], digests) for key in chosen if key in rows]
    return bulk(title, *items) if items else note(f"{title}。")


def _rows_by_key(file: AnswerFile, keys: Sequence[str]) -> dict[str, Row]:
    wanted = set(keys)
    return {key: row for number, row in enumerate(answer_rows(file)) if (key := str(row.get("id") or number)) in wanted}


def _given(key: str, digests: Sequence[Digest]) -> Counter[str]:
    answers = (found.said[key] for found in digests)
    return Counter(UNREAD if said is None else listed(said) or "（空）" for said in answers)


def _agreement(key: str, digests: Sequence[Digest]) -> int:
    """How many models gave the most frequent wrong answer; unread ones do not count."""
    return max((number for answer, number in _given(key, digests).items() if answer != UNREAD), default=0)


def _hard_question(key: str, row: Row, digests: Sequence[Digest]) -> Html:
    given = [f"{shortened(answer)}（{number}）" for answer, number in _given(key, digests).most_common(6)]
    remarks = [shortened(key), f"正解 {shortened(listed(digests[0].gold[key]))}", f"答え（数） {listed(given)}"]
    text = prompt_of(row)
    few = text if len(text) <= 2 * MAX_QUESTION else f"{text[:MAX_QUESTION]} … {text[-MAX_QUESTION:]}"
    return el("div", el("p", few), el("p", [el("span", part) for part in remarks], class_="meta"), class_="item")


def _hard_document(key: str, row: Row, digests: Sequence[Digest]) -> Html:
    gold = digests[0].gold[key]
    found = {entity for one in digests for entity in one.said[key] or ()}
    missed = [shortened(entity) for entity in dict.fromkeys(gold) if entity not in found]
    mean = sum(one.scores[key] for one in digests) / len(digests)
    remarks = [shortened(key), f"部分一致F1の平均 {decimal(mean, 2)}"]
    if missed:
        nobody = "見つけられなかった語句" if len(digests) == 1 else "どのモデルも挙げなかった語句"
        remarks.append(f"{nobody}：{listed(missed[:20])}")
    few_shot = digests[0].file.prompt_style.endswith("-shot")
    text = clipped(split_document(prompt_of(row), last=few_shot)[1])
    body = el("p", marked(text, gold, [entity for entity in gold if entity in found]))
    return el("div", body, el("p", [el("span", part) for part in remarks], class_="meta"), class_="item")


def _unread(task: Task, digests: Sequence[Digest]) -> Html:
    rows: list[Sequence[Child]] = []
    for found in digests:
        if not found.unread_count:
            continue
        examples = [
            el("li", el("span", shortened(str(row.get("id") or "")), class_="id"), raw_answer(row))
            for row in found.unread
        ]
        share = percent(found.unread_count / len(found.gold), 0)
        rows.append([found.name, f"{count(found.unread_count)} 問（{share}）", el("ul", examples, class_="samples")])
    if not rows:
        return Html("")
    total = sum(found.unread_count for found in digests)
    title = f"{_place(task)}（{split_name(task.split)}）：{count(total)} 件"
    head = ["モデル", "不読", f"書かれた文（先頭の {SHOWN_UNREAD} 件）"]
    return bulk(title, table(head, rows, label=f"読み取れなかった答え：{_place(task)}", numbers=False, kind="wide"))
