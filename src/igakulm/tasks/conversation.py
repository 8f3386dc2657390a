"""Training rows as the model reads them: prepared messages, and answers that stand in them letter by letter.

Does: prepare every message of an item or a conversation as one string; take the strings of a list from the message that
they answer. Does not: read rows, or turn messages into tokens.

A string that is prepared alone may become another one than in its place ("，" before a digit, "ー" at an end), and a
model that is to name parts of its text would learn to name what is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from igakulm.errors import InputError
from igakulm.recipe.keys import Form
from igakulm.tasks.items import Item
from igakulm.tasks.prompts import chat_answer, chat_prompt, in_text_order, listed
from igakulm.text.messages import Message
from igakulm.text.prepared import Prepared, prepare


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation to learn. `lost`: strings of its answers of which preparing leaves nothing."""

    messages: tuple[Message, ...]
    lost: tuple[str, ...] = ()


def conversation_of_item(item: Item, form: Form, where: str) -> Conversation:
    """The question and the answer of an item.

    Raises:
        InputError: preparing leaves nothing of the question; there is no answer.

    >>> item = Item("1", "t", "entities", "所見は？\\n「ＣＴで肺炎。」", (), ("ＣＴ", "肺炎"), "ＣＴで肺炎。")
    >>> [message["content"] for message in conversation_of_item(item, "cleaned", "row 1").messages]
    ['所見は?\\n「CTで肺炎。」', '["CT", "肺炎"]']
    """
    asked = _prepared(chat_prompt(item), form, where)
    answer = chat_answer(item)
    lost: list[str] = []
    if item.kind == "entities":
        start = max(asked.original.rfind(item.document), 0)
        strings, lost = _as_read(in_text_order(item.answer, item.document or item.question), asked, start)
        answer = listed(strings)
    if not answer.strip():
        raise InputError("a training row has no answer to learn", where=where)
    return Conversation((_message("user", asked.text), _message("assistant", answer)), tuple(lost))


def conversation_of_chat(messages: Sequence[Mapping[str, str]], form: Form, where: str) -> Conversation:
    """A conversation; an answer that is a JSON list of strings of the message before it is taken from that message.

    Raises:
        InputError: preparing leaves nothing of a message.
    """
    made: list[Message] = []
    lost: list[str] = []
    before = prepare("", form)
    for message in messages:
        strings = _strings(message["content"], before.original) if message["role"] == "assistant" else None
        if strings is not None:
            found, gone = _as_read(strings, before, 0)
            made.append(_message("assistant", listed(found)))
            lost += gone
            continue
        before = _prepared(message["content"], form, where)
        made.append(_message(message["role"], before.text))
    return Conversation(tuple(made), tuple(lost))


def _prepared(text: str, form: Form, where: str) -> Prepared:
    made = prepare(text, form)
    if text.strip() and not made.text.strip():
        hint = "it holds only characters that no model reads: leave the row out"
        raise InputError("nothing is left of this text once it is prepared for the model", where=where, hint=hint)
    return made


def _as_read(strings: Iterable[str], message: Prepared, start: int) -> tuple[list[str], list[str]]:
    """Strings as they stand in the prepared message (first place from `start` of the original on), and lost ones."""
    found: list[str] = []
    lost: list[str] = []
    for string in strings:
        place = message.original.find(string, start)
        first, last = message.prepared_span(place, place + len(string)) if place >= 0 else (0, 0)
        read = message.text[first:last]
        if read.strip():
            found.append(read)
        else:
            lost.append(string)
    return list(dict.fromkeys(found)), lost


def _strings(answer: str, text: str) -> list[str] | None:
    """The strings of an answer that is a JSON list of parts of `text`; None for any other answer."""
    if not answer.lstrip().startswith("["):
        return None
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not all(isinstance(string, str) and string in text for string in value):
        return None
    return value


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
