"""The one exception that is meant for people.

Whatever a user can put right (a missing file, a bad line, an unknown key) is raised as `InputError`; the CLI prints it
without a traceback and exits with code 2. Programming mistakes stay ordinary exceptions and keep their traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Bad input: what is wrong, where it is, and what to do about it.

    Args:
        what: one sentence naming the problem.
        where: file, line, field or key where it was found.
        hint: one sentence saying what the user can do.

    >>> print(InputError("the file is empty", where="a.jsonl", hint="give a file with at least one line"))
    the file is empty
      where: a.jsonl
      hint:  give a file with at least one line
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        parts = [what]
        if where:
            parts.append(f"  where: {where}")
        if hint:
            parts.append(f"  hint:  {hint}")
        super().__init__("\n".join(parts))


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The closest known word, or None when nothing is close.

    >>> did_you_mean("vocabulary_sise", ["vocabulary_size", "seed"])
    'vocabulary_size'
    >>> did_you_mean("xyz", ["vocabulary_size"]) is None
    True
    """
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
