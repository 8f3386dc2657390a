"""What the text of an answer is held to.

Does: say it. Does not: hold anything to it (masks.py does, or a server that has means of its own).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

_UNIT = re.compile("[A-Za-zÀ-ÖØ-öø-ÿＡ-Ｚａ-ｚ]+|[0-9０-９]+(?:[.,．，][0-9０-９]+)*|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """JSON that a schema allows, as `json_grammar` writes it."""

    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON list of strings, and of nothing else.

    Attributes:
        document: every string stands in this text, made of whole `units`; None = any strings.
    """

    document: str | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """What a JSON schema can say of it."""
        return {"type": "array", "items": {"type": "string"}}


Constraint: TypeAlias = JsonSchema | ListOf


def units(text: str) -> list[str]:
    """The parts of a text that an item of it holds whole or not at all: Latin words, numbers, else single characters.

    A finding "CT" does not stand in "ECT", nor "5mg" in "15mg" or "1.5mg".

    >>> units("ECTで1.5mg")
    ['ECT', 'で', '1.5', 'mg']
    """
    return _UNIT.findall(text)
