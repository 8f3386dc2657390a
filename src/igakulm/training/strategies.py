"""Which way a training is spread over processes: the one place that knows all of them.

Does: choose by the number of processes and `parallel`. Does not: know how any of them works (parallel.py,
deepspeed_zero.py).
"""

from __future__ import annotations

from igakulm.model.objective import Objective
from igakulm.recipe.schema import TrainSection
from igakulm.training.deepspeed_zero import DeepSpeed
from igakulm.training.parallel import DataParallel, Sharded, Strategy
from igakulm.training.world import World


def open_strategy(objective: Objective, section: TrainSection, world: World) -> Strategy:
    """The strategy of a training; one process needs none.

    Raises:
        InputError: DeepSpeed is asked for and not installed.
    """
    if world.size == 1:
        return Strategy(objective, section, world)
    if section.parallel == "ddp":
        return DataParallel(objective, section, world)
    if section.parallel == "deepspeed":
        return DeepSpeed(objective, section, world)
    return Sharded(objective, section, world)
