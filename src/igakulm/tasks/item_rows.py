"""Items in JSON Lines: the rows that `igakulm task train` hands to the stages.

Does: write items with all that they are, read them back the same. Does not: word questions (own/items.py), or serve as
a form for people (rows.py has those).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from igakulm.files import write_jsonl
from igakulm.tasks.fields import Row, check_fields
from igakulm.tasks.items import Item
from igakulm.tasks.left_out import OddRow

_FORM = TypeAdapter(Item)
_FIELDS = tuple(field.name for field in fields(Item))


def write_item_rows(path: Path, items: Iterable[Item]) -> int:
    """Write one item a line; the number of items."""
    return write_jsonl(path, (_FORM.dump_python(item, mode="json", exclude_defaults=True) for item in items))


def item_of_row(row: Row, task: str, where: str) -> Item:
    """The item of a row.

    Raises:
        OddRow: a field is missing, unknown or of another type.
    """
    check_fields(row, _FIELDS, where)
    try:
        return _FORM.validate_python({**row, "task": task})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise OddRow("wrong-field", f"{name}: {first['msg']}", where=where) from error
