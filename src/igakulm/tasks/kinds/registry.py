"""All kinds of tasks: each module of this folder that defines `KIND`.

Does: find them. Does not: know one of them by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from igakulm.tasks import kinds as folder
from igakulm.tasks.kinds.kind import Kind


@cache
def kinds() -> Mapping[str, Kind]:
    """Name -> kind.

    >>> list(kinds())
    ['classify', 'compare', 'exam', 'extract']
    """
    names = sorted(f"{folder.__name__}.{module.name}" for module in pkgutil.iter_modules(folder.__path__))
    found = [module.KIND for module in map(importlib.import_module, names) if hasattr(module, "KIND")]
    return {kind.NAME: kind for kind in found}
