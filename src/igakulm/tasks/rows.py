"""IgakuLM's own task rows in JSON Lines: exam, classification, entities, similarity, free text.

Does: turn rows into items with a fixed Japanese question, leave odd rows out. Does not: split (splits.py) or score.

Row forms (one JSON object a line; further fields only where the task names them in `by`):
- exam: {"id", "question", "choices", "answer": ["b"]}, see exams.py
- classification: {"id", "tag", "document", "choices", "answer": ["A"]} and, if wanted, "question"
- entities: {"id", "tag", "document", "answer": ["…"]} with tag d (findings), m-key (medicines), m-val (doses)
  or another tag together with "question"
- similarity: {"id", "sentence1", "sentence2", "similarity": 0-5}
- free-text: {"id", "question", "answer": "…" or several references ["…", "…"]} and, if wanted, "document", "tag"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from igakulm.recipe.schema import RowTask
from igakulm.tasks.exam_answers import choices_of, right_answers
from igakulm.tasks.exams import read_exam
from igakulm.tasks.fields import Row, check_fields, id_field, label_field, labels, rows_of, strings_field, text_field
from igakulm.tasks.item_rows import item_of_row
from igakulm.tasks.items import LETTERS, Item, normalised_document
from igakulm.tasks.left_out import OddRow, Screen
from igakulm.tasks.personal_data import deidentifier_for, row_without
from igakulm.tasks.splits import linked_groups

SIMILARITY_CHOICES = (
    "意味が同じである。",
    "ほぼ同じだが、重要でない細部が違う。",
    "おおむね同じだが、重要な情報が違うか欠けている。",
    "同じではないが、共通する内容がある。",
    "同じではないが、話題は同じである。",
    "まったく違う。",
)
"""Similarity 5 is A, 0 is F."""

ENTITY_QUESTIONS = {
    "d": "次の文書で、患者に実際に認められた症状や所見を表す表現をすべて挙げてください。",
    "m-key": "次の文書に書かれた薬の名前をすべて挙げてください。",
    "m-val": "次の文書に書かれた薬の量や用法の値をすべて挙げてください。",
}
ENDINGS = ("である", "でない", "がある", "がない", "あり", "なし", "だ", "ではない")


FIELDS = {
    "classification": ("id", "document", "choices", "answer", "question", "tag"),
    "entities": ("id", "document", "answer", "question", "tag"),
    "similarity": ("id", "sentence1", "sentence2", "similarity", "tag"),
    "free-text": ("id", "question", "answer", "document", "tag"),
}
"""The fields of each kind of row; those of examinations are in exams.py."""


def read_rows(path: Path, task: RowTask, screen: Screen | None = None) -> list[Item]:
    """Items of one file of a task.

    Args:
        path: JSON Lines.
        task: its name and kind, and the fields for scores by subgroup.
        screen: takes the rows left out; None = the first odd row is an error (file and row are named).

    Raises:
        InputError: an unknown field, no row that can be asked, and what a strict screen raises.
    """
    screen = screen or Screen(strict=True)
    change = _change(task, screen)
    if task.kind == "exam":
        return read_exam(path, task.name, screen, task.by, change)
    if task.kind == "similarity":
        return _similarity_items(path, task, screen, change)
    builders: dict[str, Callable[[Row, RowTask, str], Item]] = {
        "classification": _classification_item,
        "entities": _entities_item,
        "free-text": _text_item,
        "items": lambda row, task, where: item_of_row(row, task.name, where),
    }
    build = builders[task.kind]
    return rows_of(path, task.name, lambda row, where: build(change(row), task, where), screen)


def _change(task: RowTask, screen: Screen) -> Callable[[Row], Row]:
    """What is done to a row before an item is made of it."""
    deidentifier = deidentifier_for(
        task.name, task.personal_data, screen.personal_data, "benchmarks.rows.personal_data"
    )
    if deidentifier is None:
        return lambda row: row
    return lambda row: row_without(row, deidentifier, str(row.get("id", "")))


def _check(row: Row, task: RowTask, where: str) -> None:
    check_fields(row, (*FIELDS[task.kind], *task.by), where)


def _classification_item(row: Row, task: RowTask, where: str) -> Item:
    _check(row, task, where)
    document = text_field(row, "document", where)
    choices = choices_of(row.get("choices"), where)
    asked = text_field(row, "question", where) if "question" in row else classification_question(choices)
    answers = right_answers(row.get("answer"), choices, where)
    return Item(
        id=id_field(row, "id", where),
        task=task.name,
        kind="choice",
        question=f"{asked}\n「{document}」",
        choices=choices,
        answer=answers[0],
        document=document,
        tag=label_field(row, "tag", where),
        wanted=len(answers[0]),
        also=answers[1:],
        labels=labels(row, task.by, where),
    )


def classification_question(choices: Sequence[str]) -> str:
    """The question of a classification row without one of its own: about the name that all choices begin with.

    >>> classification_question(["花粉症である", "花粉症でない"])
    '次の投稿をした本人または周囲の人は、今「花粉症」の症状がありますか。'
    >>> classification_question(["外来", "病棟"])
    '次の文書に最もよく当てはまるものはどれですか。'
    """
    names = {_without_ending(choice) for choice in choices}
    if len(names) == 1 and (name := names.pop()):
        return f"次の投稿をした本人または周囲の人は、今「{name}」の症状がありますか。"
    return "次の文書に最もよく当てはまるものはどれですか。"


def _without_ending(choice: str) -> str:
    ending = max((ending for ending in ENDINGS if choice.endswith(ending)), key=len, default="")
    return choice.removesuffix(ending) if ending else choice


def _entities_item(row: Row, task: RowTask, where: str) -> Item:
    _check(row, task, where)
    document, tag = text_field(row, "document", where), label_field(row, "tag", where)
    asked = text_field(row, "question", where) if "question" in row else ENTITY_QUESTIONS.get(tag)
    if asked is None:
        known = ", ".join(ENTITY_QUESTIONS)
        hint = f'use {known} or add "question"'
        raise OddRow("wrong-field", f"the tag {tag!r} has no question", where=where, hint=hint)
    entities = strings_field(row, "answer", where)
    missing = next((entity for entity in entities if entity not in document), None)
    if missing is not None:
        raise OddRow("wrong-answer", f"the answer {missing[:40]!r} does not stand in the document", where=where)
    return Item(
        id=id_field(row, "id", where),
        task=task.name,
        kind="entities",
        question=f"{asked}\n「{document}」",
        choices=(),
        answer=tuple(dict.fromkeys(entities)),
        document=document,
        tag=tag,
        labels=labels(row, task.by, where),
    )


def _text_item(row: Row, task: RowTask, where: str) -> Item:
    _check(row, task, where)
    question = text_field(row, "question", where)
    document = text_field(row, "document", where) if "document" in row else ""
    given = row.get("answer")
    references = strings_field(row, "answer", where) if isinstance(given, list) else (text_field(row, "answer", where),)
    if not references:
        raise OddRow("no-answer", "no reference answer is given", where=where)
    return Item(
        id=id_field(row, "id", where),
        task=task.name,
        kind="text",
        question=f"{question}\n「{document}」" if document else question,
        choices=(),
        answer=references[:1],
        document=document or question,
        tag=label_field(row, "tag", where),
        also=tuple((reference,) for reference in references[1:]),
        labels=labels(row, task.by, where),
    )


def _similarity_items(path: Path, task: RowTask, screen: Screen, change: Callable[[Row], Row]) -> list[Item]:
    items = rows_of(path, task.name, lambda row, where: _similarity_item(change(row), task, where), screen)
    documents = connected_sentences([(item.sentences[0], item.sentences[1]) for item in items])
    return [replace(item, document=document) for item, document in zip(items, documents, strict=True)]


def _similarity_item(row: Row, task: RowTask, where: str) -> Item:
    _check(row, task, where)
    pair = text_field(row, "sentence1", where), text_field(row, "sentence2", where)
    degree = row.get("similarity")
    if isinstance(degree, float) and degree.is_integer():
        degree = int(degree)
    if not isinstance(degree, int) or isinstance(degree, bool) or not 0 <= degree <= 5:
        what = f"similarity must be a whole number from 0 to 5, not {str(degree)[:40]!r}"
        raise OddRow("wrong-answer", what, where=where)
    return Item(
        id=id_field(row, "id", where),
        task=task.name,
        kind="choice",
        question=f"次の二つの文の意味はどれくらい似ていますか。\n文1: {pair[0]}\n文2: {pair[1]}",
        choices=SIMILARITY_CHOICES,
        answer=(LETTERS[5 - degree],),
        tag=label_field(row, "tag", where),
        sentences=pair,
        ordered=True,
        labels=labels(row, task.by, where),
    )


def connected_sentences(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """For each pair, the smallest sentence of all pairs that are linked with it through shared sentences.

    >>> connected_sentences([("い", "ろ"), ("ろ", "は"), ("に", "ほ")])
    ['い', 'い', 'に']
    """
    groups = linked_groups(filter(None, map(normalised_document, pair)) for pair in pairs)
    smallest: dict[int, str] = {}
    for group, pair in zip(groups, pairs, strict=True):
        smallest[group] = min(smallest.get(group, pair[0]), *pair)
    return [smallest[group] for group in groups]
