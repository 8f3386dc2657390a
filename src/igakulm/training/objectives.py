"""The objectives that tuning knows by name: `finetune.objective`.

Does: map a name to what makes the objective. Does not: make rows (tuning_rows.py), or train (loop.py).

Another objective is a class like `model.objective.Objective` (what a row counts, rows to a micro-batch, the summed
loss, the loss of each row), its rows, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable

from transformers import PreTrainedModel

from igakulm.errors import InputError, did_you_mean
from igakulm.model.objective import Objective
from igakulm.recipe.schema import FinetuneSection

Maker = Callable[[PreTrainedModel, float, FinetuneSection], Objective]
"""The model, the factor on its embeddings and the recipe's keys to an objective."""


def _answers(model: PreTrainedModel, scale: float, section: FinetuneSection) -> Objective:
    """The next token, over the answers' tokens."""
    return Objective(
        model,
        scale=scale,
        dropout=section.dropout,
        neftune_alpha=section.neftune_alpha,
        bf16=section.precision == "bf16",
    )


OBJECTIVES: dict[str, Maker] = {"answers": _answers}


def objective_maker(name: str) -> Maker:
    """What makes the objective of that name.

    Raises:
        InputError: there is none.
    """
    if name not in OBJECTIVES:
        near = did_you_mean(name, list(OBJECTIVES))
        hint = f"did you mean {near!r}?" if near else f"known: {', '.join(OBJECTIVES)}"
        raise InputError(f"there is no objective {name!r}", where="finetune.objective", hint=hint)
    return OBJECTIVES[name]
