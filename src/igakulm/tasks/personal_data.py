"""Rows and conversations without personal data, before anything is made of them.

Does: take it out of all texts of a row together, so that a name found in one field is found in the others, and let
answers that stand in the document move with it. Does not: find or replace anything itself (text/personal/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from igakulm.recipe.personal_data import PersonalData, deidentification
from igakulm.text.personal.key_file import deidentifier_of
from igakulm.text.personal.replacing import Deidentifier, Replaced

Deidentifiers = dict[str, Deidentifier | None]
"""Task or source -> what took personal data out of its rows; None = the recipe keeps it."""
_NOT_TEXT = frozenset({"id", "problem_id", "licence", "license", "url", "source", "role", "document_sha256"})
_DOCUMENT = "document"


def deidentifier_for(name: str, value: PersonalData | None, known: Deidentifiers, where: str) -> Deidentifier | None:
    """The one deidentifier of a task or source; `known` keeps it for the account.

    Raises:
        InputError: the settings need a key file, or the key cannot be used.
    """
    if name not in known:
        config = deidentification(value)
        known[name] = deidentifier_of(config, where) if config else None
    return known[name]


def account(known: Deidentifiers) -> dict[str, dict[str, object]]:
    """Task or source -> what was done, for the summary of a stage and the card."""
    return {name: one.record() if one else {"how": "kept"} for name, one in sorted(known.items())}


def row_without(row: Mapping[str, object], deidentifier: Deidentifier, scope: str) -> dict[str, object]:
    """A row whose texts hold no personal data.

    Args:
        row: as read; of nested lists and objects every string is looked at, except ids and notes on the origin.
        deidentifier: finds and replaces.
        scope: names the row where the settings name no field for the patient.

    Returns:
        The row; an answer that stands in `document` word for word is what stands there now.
    """
    texts = dict(_texts(row, ()))
    joined = deidentifier.replace_together(texts, _scope(row, deidentifier, scope))
    document = joined.get((_DOCUMENT,))
    moved = {path: _moved(text, path, document) or joined[path].text for path, text in texts.items()}
    return {name: _rebuilt(value, (name,), moved) for name, value in row.items()}


def _scope(row: Mapping[str, object], deidentifier: Deidentifier, scope: str) -> str:
    patient = deidentifier.config.patient
    value = row.get(patient) if patient else None
    return str(value) if isinstance(value, str | int) else scope


_Path = tuple[str | int, ...]


def _texts(value: object, path: _Path) -> Iterator[tuple[_Path, str]]:
    if path and path[-1] in _NOT_TEXT:
        return
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _texts(entry, (*path, name))
    elif isinstance(value, list | tuple):
        for place, entry in enumerate(value):
            yield from _texts(entry, (*path, place))


def _moved(text: str, path: _Path, document: Replaced | None) -> str | None:
    """An answer, or an entry of a list of answers, that is a piece of the document."""
    if document is None or path[0] != "answer" or not text or (start := document.original.find(text)) < 0:
        return None
    first, last = document.moved(start, start + len(text))
    return document.text[first:last]


def _rebuilt(value: object, path: _Path, texts: Mapping[_Path, str]) -> object:
    if path[-1] in _NOT_TEXT:
        return value
    if isinstance(value, str):
        return texts[path]
    if isinstance(value, Mapping):
        return {name: _rebuilt(entry, (*path, name), texts) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rebuilt(entry, (*path, place), texts) for place, entry in enumerate(value)]
    return value


def messages_without(
    messages: Sequence[Mapping[str, str]], deidentifier: Deidentifier, scope: str
) -> tuple[dict[str, str], ...]:
    """The turns of a conversation, looked at together."""
    texts = {place: message["content"] for place, message in enumerate(messages)}
    replaced = deidentifier.replace_together(texts, scope)
    return tuple({**message, "content": replaced[place].text} for place, message in enumerate(messages))
