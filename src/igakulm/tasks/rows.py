"""IgakuLM's own task rows in JSON Lines: exam, classification, entities, similarity.

Does: turn rows into items with a fixed Japanese question. Does not: split (splits.py) or score.

Row forms (one JSON object a line):
- exam: {"id", "question", "choices", "answer": ["b"]}, see exams.py
- classification: {"id", "tag", "document", "choices", "answer": ["A"]} and, if wanted, "question"
- entities: {"id", "tag", "document", "answer": ["…"]} with tag d (findings), m-key (medicines), m-val (doses)
  or another tag together with "question"
- similarity: {"id", "sentence1", "sentence2", "similarity": 0-5}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.recipe.schema import RowTask
from igakulm.tasks.exams import (
    choices_field,
    label_field,
    letters_field,
    read_exam,
    strings_field,
    text_field,
    unique_rows,
)
from igakulm.tasks.items import LETTERS, Item, normalised_document
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


def read_rows(path: Path, task: RowTask) -> list[Item]:
    """Items of one file of a task.

    Raises:
        InputError: a wrong row (file and row are named), an id that occurs twice, an empty file.
    """
    if task.kind == "exam":
        return read_exam(path, task.name)
    if task.kind == "similarity":
        return _similarity_items(path, task.name)
    build: Callable[[Mapping[str, Any], str, str], Item]
    build = _classification_item if task.kind == "classification" else _entities_item
    return [build(row, task.name, where) for row, where in unique_rows(path)]


def _classification_item(row: Mapping[str, Any], task: str, where: str) -> Item:
    document = text_field(row, "document", where)
    choices = choices_field(row, where)
    asked = text_field(row, "question", where) if "question" in row else classification_question(choices)
    answer = letters_field(row, len(choices), where)
    return Item(
        id=text_field(row, "id", where),
        task=task,
        kind="choice",
        question=f"{asked}\n「{document}」",
        choices=choices,
        answer=answer,
        document=document,
        tag=label_field(row, "tag", where),
        wanted=len(answer),
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


def _entities_item(row: Mapping[str, Any], task: str, where: str) -> Item:
    document, tag = text_field(row, "document", where), label_field(row, "tag", where)
    asked = text_field(row, "question", where) if "question" in row else ENTITY_QUESTIONS.get(tag)
    if asked is None:
        known = ", ".join(ENTITY_QUESTIONS)
        raise InputError(f"the tag {tag!r} has no question", where=where, hint=f'use {known} or add "question"')
    entities = strings_field(row, "answer", where)
    missing = next((entity for entity in entities if entity not in document), None)
    if missing is not None:
        raise InputError(f"the answer {missing[:40]!r} does not stand in the document", where=where)
    return Item(
        id=text_field(row, "id", where),
        task=task,
        kind="entities",
        question=f"{asked}\n「{document}」",
        choices=(),
        answer=tuple(dict.fromkeys(entities)),
        document=document,
        tag=tag,
    )


def _similarity_items(path: Path, task: str) -> list[Item]:
    rows = unique_rows(path)
    pairs = [(text_field(row, "sentence1", where), text_field(row, "sentence2", where)) for row, where in rows]
    documents = connected_sentences(pairs)
    items = []
    for (row, where), pair, document in zip(rows, pairs, documents, strict=True):
        degree = row.get("similarity")
        if not isinstance(degree, int) or isinstance(degree, bool) or not 0 <= degree <= 5:
            raise InputError(f"similarity must be a whole number from 0 to 5, not {degree!r}", where=where)
        items.append(
            Item(
                id=text_field(row, "id", where),
                task=task,
                kind="choice",
                question=f"次の二つの文の意味はどれくらい似ていますか。\n文1: {pair[0]}\n文2: {pair[1]}",
                choices=SIMILARITY_CHOICES,
                answer=(LETTERS[5 - degree],),
                document=document,
                tag=label_field(row, "tag", where),
                sentences=pair,
                ordered=True,
            )
        )
    return items


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
