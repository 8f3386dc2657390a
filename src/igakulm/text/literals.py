"""Lists written as text: the gold answers of JMED-LLM and what models answer.

Does: read a list of strings from JSON or a Python literal (tolerant), and, apart from that, the list that Python itself
would make of a text (strict), both with limits.
Does not: evaluate code, or guess at other forms.
"""

from __future__ import annotations

import ast
import json
import warnings

from igakulm.text.broken import whole_characters

MAX_CHARACTERS = 20_000
"""Longer texts are not read. Python's parser is safe at this length, whatever is nested in it."""
MAX_ITEMS = 1_000
UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, OverflowError)


def string_list(text: str) -> tuple[str, ...] | None:
    """The strings of a list written as JSON or as a Python literal; None when it is anything else.

    Numbers become text, and half of a surrogate pair becomes U+FFFD. A nested list, a call, a longer text than
    `MAX_CHARACTERS` or more than `MAX_ITEMS` entries give None: nothing is ever evaluated.

    >>> string_list("['発熱', '咳']")
    ('発熱', '咳')
    >>> string_list('["発熱"]')
    ('発熱',)
    >>> string_list("__import__('os').getcwd()") is None
    True
    """
    if len(text) > MAX_CHARACTERS:
        return None
    value = json_or_literal(text.strip())
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        return None
    if not all(isinstance(entry, (str, int, float)) and not isinstance(entry, bool) for entry in value):
        return None
    try:
        return tuple(whole_characters(str(entry)) for entry in value)
    except ValueError:  # an integer of more digits than Python writes out
        return None


def json_or_literal(text: str) -> object:
    """The value of JSON or of a Python literal; None when the text is neither. The caller limits its length."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(_parsed(text))
    except UNREADABLE:
        return None


def python_list(text: str) -> list[object] | None:
    """The list that Python's `eval` makes of the whole text, or None.

    Read are list literals with any literals in them, and sums and products of them (`['a'] + ['b']`, `['a'] * 2`).
    None stands for everything else: an error, another value than a list, JSON that is no Python (`[true]`), an
    element that would have to be computed (a name, a call, an f-string), or a text longer than `MAX_CHARACTERS`.

    >>> python_list("['a'] + [1, None]")
    ['a', 1, None]
    >>> python_list("[true]") is None and python_list("('a', 'b')") is None
    True
    """
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        return _folded(_parsed(text).body)
    except UNREADABLE:
        return None


def _folded(node: ast.expr) -> list[object] | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        first, second = _folded(node.left), _folded(node.right)
        return None if first is None or second is None else first + second
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        factors = [node.left, node.right]
        factors.sort(key=lambda factor: isinstance(factor, (ast.List, ast.BinOp)), reverse=True)
        value, times = _folded(factors[0]), ast.literal_eval(factors[1])
        small = isinstance(times, int) and len(value or ()) * times <= MAX_CHARACTERS
        return value * times if value is not None and small else None
    value = ast.literal_eval(node)
    return value if isinstance(value, list) else None


def _parsed(text: str) -> ast.Expression:
    with warnings.catch_warnings():  # '\d' in a model's answer is no matter for our user
        warnings.simplefilter("ignore")
        return ast.parse(text.lstrip(" \t"), mode="eval")
