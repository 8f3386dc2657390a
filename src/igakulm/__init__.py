"""IgakuLM: build, evaluate and run small Japanese medical language models offline.

The functions of docs/python-api.md are here: `igakulm.load("BUNDLE").ask("…")`. They are imported at their first use,
so that `import igakulm` costs nothing.
"""

from typing import TYPE_CHECKING

from igakulm.version import __version__

if TYPE_CHECKING:
    from igakulm.api import Answer, LoadedModel, clean, deidentify, evaluate, load

__all__ = ["Answer", "LoadedModel", "__version__", "clean", "deidentify", "evaluate", "load"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'igakulm' has no attribute {name!r}")
    from igakulm import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
