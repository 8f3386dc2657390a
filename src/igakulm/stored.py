"""JSON files of ours as typed models: every reader goes through the model that stands beside the writer.

Does: read such a file, and say in one sentence what is wrong with one that is damaged or of a newer version. Does not:
know any file's fields (the rooms that write them do), or write.

A file's version is its key `format`; files without one are of version 1. Fields that this version does not know are
kept, so that a merge or a copy loses nothing.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from igakulm.errors import InputError
from igakulm.files import read_json, read_jsonl

_HALVES = re.compile("[\ud800-\udfff]")
AGAIN = "run the command again that wrote it"


class Part(BaseModel):
    """An object inside of such a file."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Stored(Part):
    """A whole file; `NEWEST` is the newest version that this program reads, older ones are understood."""

    NEWEST: ClassVar[int] = 1
    format: int = 1


def finite(value: object) -> float | None:
    """A number as float; None for everything else, and for NaN and infinities.

    >>> finite(3), finite("3"), finite(float("nan")), finite(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


Figure = Annotated[float | None, BeforeValidator(finite)]
"""A measured number; None where nothing could be measured (a loss that became NaN, a metric without items)."""
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""A text; null of older files is the empty one."""

S = TypeVar("S", bound=Stored)
T = TypeVar("T")


def read_stored(path: Path, model: type[S]) -> S:
    """Read a file.

    Raises:
        InputError: missing, no JSON, of a newer version, or with a field that does not fit.
    """
    return parse_stored(read_json(path), model, str(path))


def parse_stored(value: object, model: type[S], where: str) -> S:
    """A value that was read already, as its model; errors as `read_stored`."""
    refuse_newer(value, model.NEWEST, where)
    return parse(value, TypeAdapter(model), where)


def refuse_newer(value: object, newest: int, where: str) -> None:
    """Refuse a file that a newer version of this program wrote.

    Raises:
        InputError: its `format` is higher than `newest`.
    """
    version = value.get("format") if isinstance(value, dict) else None
    if isinstance(version, int) and version > newest:
        what = f"this file is of format {version}, this version of IgakuLM reads up to {newest}"
        raise InputError(what, where=where, hint="install the version that wrote it, or " + AGAIN)


def parse(value: object, adapter: TypeAdapter[T], where: str) -> T:
    """A JSON value as what the adapter describes.

    Raises:
        InputError: a field that does not fit, named.
    """
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "string_unicode":
            return parse(_mended(value), adapter, where)
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"this file does not hold what it should: {first['msg']}",
            where=f"{where}, {place}" if place else where,
            hint=AGAIN,
        ) from error


def _mended(value: object) -> object:
    """A JSON value in which halves of surrogate pairs (JSON can hold them, UTF-8 cannot) are U+FFFD."""
    if isinstance(value, str):
        return _HALVES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_mended(key): _mended(entry) for key, entry in value.items()}
    return [_mended(entry) for entry in value] if isinstance(value, list) else value


def read_rows(path: Path, model: type[T]) -> list[T]:
    """The rows of a JSON Lines file, each as the model.

    Raises:
        InputError: as `read_stored`.
    """
    adapter: TypeAdapter[list[Any]] = TypeAdapter(list[model])  # type: ignore[valid-type]
    return parse(list(read_jsonl(path)), adapter, str(path))
