"""All filters: each module of this folder that has a `FILTER`.

Does: find and sort them. Does not: know one of them by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from igakulm.corpus import filters as folder
from igakulm.corpus.filters.filter import Filter


@cache
def all_filters() -> tuple[Filter, ...]:
    """The filters in the order in which they are asked."""
    names = sorted(f"{folder.__name__}.{module.name}" for module in pkgutil.iter_modules(folder.__path__))
    found = [getattr(importlib.import_module(name), "FILTER", None) for name in names]
    return tuple(sorted((one for one in found if isinstance(one, Filter)), key=lambda one: one.order))
