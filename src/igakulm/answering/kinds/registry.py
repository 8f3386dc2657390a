"""All kinds of tasks: each module of this folder that defines `REQUEST`.

Does: find them. Does not: know one of them by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from igakulm.answering import kinds as folder
from igakulm.answering.kinds.kind import TaskRequest


@cache
def task_kinds() -> Mapping[str, type[TaskRequest]]:
    """Name of the kind -> its request.

    >>> list(task_kinds())
    ['classify', 'compare', 'exam', 'extract']
    """
    names = sorted(f"{folder.__name__}.{module.name}" for module in pkgutil.iter_modules(folder.__path__))
    found = [module.REQUEST for module in map(importlib.import_module, names) if hasattr(module, "REQUEST")]
    return {request.KIND: request for request in found}


def forms_of_kinds() -> list[type[TaskRequest]]:
    """The kinds that have a form on the page, in the order of their tabs.

    >>> [kind.KIND for kind in forms_of_kinds()]
    ['extract', 'classify', 'compare', 'exam']
    """
    placed = [(kind.FORM.place, name, kind) for name, kind in task_kinds().items() if kind.FORM]
    return [kind for *_, kind in sorted(placed, key=lambda one: one[:2])]
