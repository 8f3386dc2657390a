"""Lists of strings written as text: the gold answers of JMED-LLM and what models answer.

Does: read a JSON list or a Python list literal of strings, with limits.
Does not: evaluate code, or guess at other forms.
"""

from __future__ import annotations

import ast
import json

MAX_CHARACTERS = 20_000
MAX_ITEMS = 1_000


def string_list(text: str) -> tuple[str, ...] | None:
    """The strings of a list written as JSON or as a Python literal; None when it is anything else.

    Numbers become text. A nested list, a call, a longer text than `MAX_CHARACTERS` or more than `MAX_ITEMS` entries
    give None: nothing is ever evaluated.

    >>> string_list("['発熱', '咳']")
    ('発熱', '咳')
    >>> string_list('["発熱"]')
    ('発熱',)
    >>> string_list("__import__('os').getcwd()") is None
    True
    """
    if len(text) > MAX_CHARACTERS:
        return None
    value = _literal(text.strip())
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        return None
    if not all(isinstance(entry, (str, int, float)) and not isinstance(entry, bool) for entry in value):
        return None
    return tuple(str(entry) for entry in value)


def _literal(text: str) -> object:
    """Parse JSON, else a Python literal (`ast.literal_eval`: constants and containers only); None when neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
