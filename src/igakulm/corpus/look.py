"""A look at a source before hours are spent on it: the first documents are read.

Does: count which of them can be read, and say why one cannot. Does not: clean, judge or write.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from igakulm.corpus.read import describe_left_out, read_source, source_files
from igakulm.recipe.schema import Source

TRIED = 100


class Look(NamedTuple):
    """`readable` of the first `tried` documents; `example`: why the first of the others is not, or what is missing."""

    files: int
    tried: int
    readable: int
    left_out: str
    example: str


def look_at(source: Source) -> Look:
    """Read the first documents of a source.

    Raises:
        InputError: no file, a broken one, a column or a package that is not there, a document without a licence.
    """
    files = len(source_files(source))
    rows = list(islice(read_source(source), TRIED))
    errors = [row.error for row in rows if row.error is not None]
    example = errors[0] if errors else "" if rows else "the files hold no document"
    return Look(files, len(rows), len(rows) - len(errors), describe_left_out(source), example)
