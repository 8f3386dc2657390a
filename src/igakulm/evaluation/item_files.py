"""One JSON Lines file for every model, task, split and answer mode: each prompt, answer, reading and score.

Does: write the files, and read them back as items and predictions that can be scored again without the benchmark.
Does not: score sets of items, or know engines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.answering.reading import Prediction
from igakulm.errors import InputError
from igakulm.evaluation.ask_items import Reply
from igakulm.evaluation.metrics import is_right, measure
from igakulm.evaluation.scoreboard import BASELINE_MODE
from igakulm.files import read_jsonl, write_jsonl
from igakulm.tasks.items import Item
from igakulm.tasks.prompts import chat_prompt
from igakulm.tasks.splits import documents_of
from igakulm.tasks.wording import is_exam
from igakulm.text.broken import whole_characters

BASELINE = BASELINE_MODE
CHANCE = "chance"
"""The baseline that is scored by its expectation; its file holds one draw."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one model or baseline answered to the items of one task, in one mode; `replies` is empty for baselines.

    `wording` and `precision`: see `scoreboard.Score`.
    """

    model: str
    role: str  # "model" or "baseline"
    mode: str
    prompt_style: str
    parsed: Sequence[Prediction]
    upstream: Sequence[Prediction]
    replies: Sequence[Reply] = ()
    wording: str = ""
    precision: str = ""


def file_name(model: str, task: str, split: str, mode: str) -> str:
    """The path below the evaluation's folder.

    >>> file_name("tuned", "crade", "published", "generate")
    'items/tuned/crade.published.generate.jsonl'
    >>> file_name("org/model", "crade", "all questions", "generate")
    'items/org-model-c87c0c64/crade.all-questions-25dade33.generate.jsonl'
    """
    parts = (plain_name(model), ".".join(map(plain_name, (task, split, mode))))
    return f"items/{parts[0]}/{parts[1]}.jsonl"


def plain_name(name: str) -> str:
    """A name as part of a path; one that is no plain file name gets a hash behind it, so that no two names meet."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80]
    if plain and plain == name:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def write_items(path: Path, items: Sequence[Item], answered: Answered, shared: Collection[str]) -> None:
    """Write one object for each item, in order.

    `score` is 1 or 0 for choices and the overlap F1 of the row for entities; `shared`: ids of the items whose document
    or sentence stands in a training row.
    """
    write_jsonl(path, _rows(items, answered, shared))


def _rows(items: Sequence[Item], answered: Answered, shared: Collection[str]) -> Iterator[dict[str, Any]]:
    for place, (item, parsed) in enumerate(zip(items, answered.parsed, strict=True)):
        reply = answered.replies[place] if answered.replies else None
        upstream = answered.upstream[place]
        yield {
            "id": item.id,
            "task": item.task,
            "kind": item.kind,
            "tag": item.tag,
            "group": item.group,
            "part": item.part,
            "prompt": whole_characters(reply.prompt) if reply else "",
            **_asked(item, answered),
            "truncated": bool(reply and reply.truncated),
            "answer": whole_characters(reply.text) if reply else "",
            "cut": bool(reply and reply.cut),
            "failure": whole_characters(reply.failure) if reply else "",
            "probabilities": list(reply.shares) if reply else [],
            "answer_mode": reply.mode if reply else answered.mode,
            "parsed": None if parsed is None else [whole_characters(part) for part in parsed],
            "upstream": None if upstream is None else [whole_characters(part) for part in upstream],
            "gold": list(item.answer),
            "also": [list(other) for other in item.also],
            "choices": len(item.choices),
            "exam": is_exam(item),
            "ordered": item.ordered,
            "wanted": item.wanted,
            "points": item.points,
            "forbidden": list(item.forbidden),
            "documents": sorted(_short_hash(document) for document in documents_of(item)),
            "shared": item.id in shared,
            "score": float(is_right(item, parsed))
            if item.kind in ("choice", "number")
            else measure([item], [parsed])[0].value,
        }


def _asked(item: Item, answered: Answered) -> dict[str, Any]:
    """`message`: what was asked in our layout, as its author wrote it ("" in others); `document`: its place in it."""
    message = whole_characters(chat_prompt(item)) if answered.prompt_style == "chat" and answered.replies else ""
    start = message.rfind(item.document) if message and item.document else -1
    return {"message": message, "document": [start, start + len(item.document)] if start >= 0 else None}


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_items(path: Path) -> tuple[list[Item], list[Prediction]]:
    """Items and predictions of a file, enough to score them again.

    The question is the prompt as sent, the options are without text, and documents are hashes: equal ones stay equal.
    An examination question is its own document, as it was.

    Raises:
        InputError: a missing or malformed file.
    """
    items: list[Item] = []
    predictions: list[Prediction] = []
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            items.append(_item(row))
            predictions.append(None if row["parsed"] is None else tuple(row["parsed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"this is no row of an evaluation ({type(error).__name__}: {error})", where=f"{path}, row {number}"
            ) from error
    return items, predictions


def _item(row: dict[str, Any]) -> Item:
    return Item(
        id=row["id"],
        task=row["task"],
        kind=row["kind"],
        question=row["prompt"],
        choices=("",) * row["choices"],
        answer=tuple(row["gold"]),
        document=row["prompt"] if row["exam"] else "",
        tag=row["tag"],
        wanted=row["wanted"],
        points=row["points"],
        group=row["group"],
        also=tuple(tuple(other) for other in row["also"]),
        sentences=tuple(row["documents"]),
        ordered=row["ordered"],
        part=row["part"],
        forbidden=tuple(row["forbidden"]),
    )
