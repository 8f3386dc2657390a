"""Tuning rows: benchmark items and conversations as token ids, with the loss on the answers only (section 2.4.2).

Does: render prepared messages, leave out what is too long, hold whole documents out for validation.
Does not: read files or train.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from igakulm.errors import InputError
from igakulm.model.batch import NO_TARGET, Ids, Row
from igakulm.progress import Progress, track
from igakulm.recipe.keys import Form
from igakulm.tasks.chats import Chat, document_hash
from igakulm.tasks.conversation import Conversation, conversation_of_chat, conversation_of_item
from igakulm.tasks.items import Item
from igakulm.tasks.splits import documents_of, linked_groups
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import Encoder
from igakulm.training.loop import Validation

CHATS = "chats"
"""The task under which conversations are counted."""


@dataclass(frozen=True, slots=True)
class TuningRow:
    """One rendered row: `ids` (T,) int64 and `targets` (T,), -100 where nothing is learnt.

    `documents`: hashes of what it is about. `answer_bytes`: UTF-8 bytes of all that is learnt. `repeats`: times that it
    stands among the training rows. `lost`: strings of its answers of which preparing leaves nothing. `label`: its
    class, of choices. `share`: what each of its targets counts (row_shares.py).
    """

    task: str
    name: str
    ids: Ids
    targets: Ids
    documents: frozenset[str] = frozenset()
    answer_bytes: int = 0
    repeats: int = 1
    lost: tuple[str, ...] = ()
    label: str = ""
    share: float = 1.0

    def row(self) -> Row:
        """As one document."""
        return Row(self.ids, self.targets, (len(self.ids),), self.share)


class TuningRows:
    """All training rows, each one document, for `loop.train`."""

    def __init__(self, rows: Sequence[TuningRow]) -> None:
        self._rows = [row for row in rows for _ in range(row.repeats)]
        digest = hashlib.sha256()
        for row in self._rows:
            digest.update(row.name.encode("utf-8", "surrogatepass") + row.ids.tobytes() + row.targets.tobytes())
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> Row:
        """The row as one document."""
        return self._rows[index].row()

    def names(self, index: int) -> list[str]:
        """The item's task and id."""
        return [self._rows[index].name]

    @property
    def tasks(self) -> list[str]:
        """The task of each row."""
        return [row.task for row in self._rows]

    @property
    def labels(self) -> list[str]:
        """The class of each row, "" where it has none."""
        return [row.label for row in self._rows]

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(len(row.ids) for row in self._rows)


def render_rows(
    items: Mapping[str, Sequence[Item]],
    encoder: Encoder,
    max_length: int,
    progress: Progress,
    chats: Sequence[Chat] = (),
    *,
    form: Form,
) -> tuple[list[TuningRow], list[dict[str, object]]]:
    """Rows in the order of tasks and items, then of conversations; and what was left out for its length.

    `form`: how the text of all messages is prepared.

    Raises:
        InputError: a row without an answer token; nothing left to train on.
    """
    rows: list[TuningRow] = []
    left_out: list[dict[str, Any]] = []
    flat: list[Item | Chat] = [item for task in items for item in items[task]]
    for source in track(progress, [*flat, *chats], "render rows", unit="rows"):
        row = _row(source, encoder, form)
        if len(row.ids) <= max_length:
            rows.append(row)
            continue
        where = {"where": source.where} if isinstance(source, Chat) else {}
        name = row.name.removeprefix(f"{row.task}/")
        left_out.append({"task": row.task, "id": name, "tokens": len(row.ids), **where})
    if not rows:
        raise InputError(
            "there are no training rows",
            where="benchmarks",
            hint="give benchmarks that have training rows, or finetune.chats, or raise finetune.max_length",
        )
    return rows, left_out


def _row(source: Item | Chat, encoder: Encoder, form: Form) -> TuningRow:
    return render_row(source, encoder, form) if isinstance(source, Item) else render_conversation(source, encoder, form)


def render_row(item: Item, encoder: Encoder, form: Form) -> TuningRow:
    """One item as a conversation; the loss runs from after `<|assistant|>` to `<|end_of_text|>` (section 2.4.2)."""
    where = f"{item.task}, row {item.id}"
    about = documents_of(item) or {item.question}
    documents = frozenset(filter(None, map(document_hash, about)))
    row = _rendered(item.task, item.id, conversation_of_item(item, form, where), encoder, where, documents)
    return replace(row, label="".join(item.answer)) if item.kind == "choice" else row


def render_conversation(chat: Chat, encoder: Encoder, form: Form) -> TuningRow:
    """One conversation; the loss is on every assistant turn, each to its own end token."""
    turns = conversation_of_chat(chat.messages, form, chat.where)
    return _rendered(CHATS, chat.name, turns, encoder, chat.where, chat.documents, chat.repeats)


def _rendered(
    task: str, name: str, turns: Conversation, encoder: Encoder, where: str, documents: frozenset[str], repeats: int = 1
) -> TuningRow:
    ids, targets = _tokens(turns.messages, encoder, where)
    answers = (message["content"] for message in turns.messages if message["role"] == "assistant")
    return TuningRow(task, f"{task}/{name}", ids, targets, documents, sum(map(_size, answers)), repeats, turns.lost)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _tokens(messages: Sequence[Mapping[str, str]], encoder: Encoder, where: str) -> tuple[Ids, Ids]:
    try:
        ids, mask = render_chat(encoder, messages, add_generation_prompt=False)
    except InputError as error:  # an adopted model's template may refuse roles or their order
        place = f"{where}: {error.where}" if error.where else where
        raise InputError(error.what, where=place, hint=error.hint) from error
    tokens = np.asarray(ids, np.int64)
    learnt = np.append(np.asarray(mask[1:], bool), False)
    if not learnt.any():
        raise InputError("a training row has no answer token", where=where)
    return tokens, np.where(learnt, np.append(tokens[1:], NO_TARGET), NO_TARGET)


def hold_out(rows: Sequence[TuningRow], share: float, seed: int) -> tuple[list[TuningRow], list[TuningRow]]:
    """Training and validation rows; rows that share a document, also by way of others, stay on one side.

    Groups go to validation in the order of a seeded hash, as long as they fit into `share` of the rows.

    Raises:
        InputError: a share above 0, and no group is small enough.
    """
    if not share:
        return list(rows), []
    groups = linked_groups(row.documents for row in rows)
    sizes = Counter(groups)
    names = {group: row.name for group, row in zip(reversed(groups), reversed(rows), strict=True)}
    order = sorted(sizes, key=lambda group: hashlib.sha256(f"{seed} {names[group]}".encode(errors="replace")).digest())
    left = max(1, round(share * len(rows)))
    chosen: set[int] = set()
    for group in order:
        if sizes[group] <= left and len(chosen) + 1 < len(sizes):
            chosen.add(group)
            left -= sizes[group]
    if not chosen:
        what = f"no group of rows that share a document is smaller than {share:.1%} of the rows"
        raise InputError(what, where="finetune.validation_share", hint="raise it, or set it to 0")
    sides: tuple[list[TuningRow], list[TuningRow]] = ([], [])
    for group, row in zip(groups, rows, strict=True):
        sides[group in chosen].append(row)
    return sides


def validation_of(rows: Sequence[TuningRow]) -> Validation | None:
    """Held-out rows for the loop; bits per byte are counted on the answers."""
    if not rows:
        return None
    size = float(sum(row.answer_bytes for row in rows))
    return Validation([row.row() for row in rows], size, [row.task for row in rows])
