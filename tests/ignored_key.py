"""Code that ignores a key of the recipe: whatever reads it gets its default, wherever it is read.

Who writes a check for a key sees with this that the check can fail: IGAKULM_TEST_IGNORE_KEY=TrainSection.clip pytest …
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from igakulm.recipe.schema import Recipe

VARIABLE = "IGAKULM_TEST_IGNORE_KEY"
_NO_DEFAULT: dict[type, Any] = {str: "nothing", tuple: ()}


def models_within(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_within(part)


def keys(model: type[BaseModel] = Recipe) -> dict[str, type[BaseModel]]:
    """Every key of a recipe as CLASS.key, once, where it is declared; sections themselves are no keys."""
    found: dict[str, type[BaseModel]] = {}
    for name, info in model.model_fields.items():
        inner = list(models_within(info.annotation))
        for section in inner:
            found |= keys(section)
        owner = next(base for base in reversed(model.__mro__) if name in getattr(base, "__annotations__", {}))
        if not inner:
            found[f"{owner.__name__}.{name}"] = owner
    return found


@contextmanager
def ignoring(key: str) -> Iterator[None]:
    """All code of this process ignores a key: it reads the default whatever the recipe says."""
    owner, name = keys()[key], key.partition(".")[2]
    info = owner.model_fields[name]
    default = info.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        default = next((value for kind, value in _NO_DEFAULT.items() if kind is info.annotation), None)

    def read(section: BaseModel, attribute: str) -> Any:
        return default if attribute == name else object.__getattribute__(section, attribute)

    owner.__getattribute__ = read  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del owner.__getattribute__
