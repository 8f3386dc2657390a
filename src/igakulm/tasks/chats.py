"""Conversations to tune on, from JSON Lines: {"messages": [{"role": "user", "content": "…"}, …]}.

Does: read and check them; every assistant turn is an answer to learn. Does not: render them to tokens, or look for test
items in them (`igakulm evaluate leakage --train FILE` does).

A line may have an "id" and a "document_sha256" (hex SHA-256 of the normalised document that it is about, as
`igakulm evaluate rows` writes it). Other fields are not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import numbered_jsonl
from igakulm.recipe.loading import data_files
from igakulm.recipe.schema import Chats
from igakulm.tasks.items import normalised_document
from igakulm.tasks.personal_data import Deidentifiers, deidentifier_for, messages_without
from igakulm.text.personal.replacing import Deidentifier

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation.

    `where`: file and line. `name`: file name and id, or line. `documents`: hashes of what it is about: its
    `document_sha256`, or else of every user turn; two conversations that share one belong on one side of a split.
    """

    name: str
    where: str
    messages: tuple[dict[str, str], ...]
    documents: frozenset[str]
    repeats: int = 1


def _names(sources: Sequence[Chats]) -> list[str]:
    """File names; a second file of the same name is numbered."""
    names = [Path(source.path).name for source in sources]
    seen = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name} ({before + 1})" if before else name for name, before in zip(names, seen, strict=True)]


def read_chats(sources: Sequence[Chats], personal_data: Deidentifiers | None = None) -> list[Chat]:
    """All conversations of all sources, in order.

    Args:
        sources: of the recipe; each says what becomes of personal data.
        personal_data: gets, under the file name of each source, what took it out; not under its path, which says where
            the recipe lies on this machine.

    Raises:
        InputError: no file, a line of another form, an unknown role, no answer to learn; file and line are named.
    """
    known: Deidentifiers = {} if personal_data is None else personal_data
    chats: list[Chat] = []
    for name, source in zip(_names(sources), sources, strict=True):
        deidentifier = deidentifier_for(name, source.personal_data, known, "finetune.chats.personal_data")
        for path in data_files(source.path):
            chats += (_chat(row, path, number, source.repeats, deidentifier) for number, row in _rows(path))
    return chats


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    empty = True
    for number, row in numbered_jsonl(path):
        empty = False
        yield number, row
    if empty:
        raise InputError("this file has no conversation", where=str(path))


def _chat(row: dict[str, object], path: Path, number: int, repeats: int, deidentifier: Deidentifier | None) -> Chat:
    where = f"{path}, line {number}"
    given = row.get("messages")
    if not isinstance(given, list) or not given:
        hint = 'a line is {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'
        raise InputError("this conversation has no messages", where=where, hint=hint)
    messages = tuple(_message(message, f"{where}, message {place}") for place, message in enumerate(given, 1))
    if not any(message["role"] == "assistant" for message in messages):
        hint = "add the assistant's answer, or leave the line out"
        raise InputError("this conversation has no answer to learn", where=where, hint=hint)
    if deidentifier is not None:
        patient = row.get(deidentifier.config.patient or "")
        messages = messages_without(messages, deidentifier, str(patient) if patient else where)
    told = row.get("document_sha256")
    asked = (message["content"] for message in messages if message["role"] == "user")
    documents = [told] if isinstance(told, str) and told else [document_hash(text) for text in asked]
    name = row.get("id")
    known = str(name) if isinstance(name, str | int) else f"line {number}"
    return Chat(f"{path.name}/{known}", where, messages, frozenset(filter(None, documents)), repeats)


def _message(message: object, where: str) -> dict[str, str]:
    role, content = (message.get(key) for key in ("role", "content")) if isinstance(message, dict) else (None, None)
    if role not in ROLES:
        raise InputError(f"unknown role {role!r} in a conversation", where=where, hint=f"use one of {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise InputError("a message without text in `content`", where=where, hint="give content as a string")
    if role == "assistant" and not content.strip():
        hint = "write the answer, or leave the turn out"
        raise InputError("this assistant turn has no answer to learn", where=where, hint=hint)
    return {"role": role, "content": content}


def document_hash(text: str) -> str:
    """Hex SHA-256 of a normalised document; "" for a text without letters.

    >>> document_hash("３８℃の発熱。") == document_hash("38℃の発熱"), document_hash("。")
    (True, '')
    """
    normalised = normalised_document(text)
    return hashlib.sha256(normalised.encode("utf-8", "surrogatepass")).hexdigest() if normalised else ""
