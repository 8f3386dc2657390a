"""The processes of one training: which one this is, and how they agree.

Does: join the processes that `torchrun` started, send small messages from the first to the others, add numbers up, and
see to it that all of them end together with one message. Does not: cut models or batches (parallel.py).

Two channels. Numbers that belong to a step go through the process group (gloo on CPUs, NCCL on GPUs). Messages between
stages go through the store of the rendezvous, because one process may wait there for hours: a collective call would
run into its time-out, or burn a core (or a GPU) while it waits. Messages are JSON; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from igakulm.errors import InputError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
COLLECTIVE_MINUTES = 60
"""A collective call inside a training that takes longer means that a process has died."""
POLL_SECONDS = 0.2
"""How often a waiting process looks for a message."""
FAREWELL_SECONDS = 5.0
"""How long a process waits at the end for the others to have read their last message."""


@dataclass(frozen=True, slots=True)
class World:
    """The place of this process among all of a training; the default is a training of one process."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    store: Any = field(default=None, repr=False)

    @property
    def leads(self) -> bool:
        """Whether this process speaks, logs and writes."""
        return self.rank == 0

    def device(self) -> torch.device:
        """This process's GPU, else the CPU."""
        import torch

        return torch.device("cuda", self.local_rank) if torch.cuda.is_available() else torch.device("cpu")

    def largest(self, value: int) -> int:
        """The largest of all processes' numbers."""
        if self.size == 1:
            return value
        import torch
        import torch.distributed as dist

        numbers = torch.tensor([value])
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
        return int(numbers)

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place; `values` on this process's device."""
        if self.size > 1:
            import torch.distributed as dist

            dist.all_reduce(values)
        return values

    def agree(self, problem: InputError | None) -> None:
        """Go on only if no process has a problem; called by all at the same place.

        Raises:
            InputError: this process has the problem (the first one, if several have).
            SystemExit: another one has it, and will say so.
        """
        first = self.size - self.largest(0 if problem is None else self.size - self.rank)
        if problem is not None and first == self.rank:
            raise problem
        if first != self.size:
            raise SystemExit(2)

    def together(self, action: Callable[[], T]) -> T:
        """What `action` returns here; called by all at the same place, goes on only if it works everywhere.

        Raises:
            InputError: as `agree`.
            SystemExit: as `agree`.
        """
        result: T | None = None
        problem = None
        try:
            result = action()
        except InputError as error:
            problem = error
        self.agree(problem)
        return cast(T, result)

    def send(self, number: int, message: dict[str, object]) -> None:
        """Send message `number` (0, 1, …) to all other processes."""
        if self.size > 1:
            self.store.set(f"igakulm/message/{number}", json.dumps(message))

    def receive(self, number: int) -> dict[str, Any]:
        """Wait for message `number`, however long it takes."""
        key = f"igakulm/message/{number}"
        while not self.store.check([key]):
            time.sleep(POLL_SECONDS)
        message: dict[str, Any] = json.loads(self.store.get(key))
        return message


_current = World()


def current_world() -> World:
    """The processes that this one has joined; alone if none."""
    return _current


def launched_processes() -> int:
    """How many processes the launcher started (`torchrun` sets WORLD_SIZE); 1 without one."""
    text = os.environ.get("WORLD_SIZE", "1")
    return int(text) if text.isdigit() else 1


@contextmanager
def joined() -> Iterator[World]:
    """Join the other processes for the duration of the block; does nothing where there is one.

    An `InputError` leaves the block in one process only; the others end with exit code 2 and say nothing.

    Raises:
        InputError: the launcher's variables are incomplete, or the other processes cannot be reached.
    """
    global _current
    if launched_processes() == 1 or _current.size > 1:
        yield _current
        return
    world = _meet()
    _current = world
    try:
        yield world
    except InputError as error:
        if world.store.add("igakulm/spoken", 1) > 1:
            raise SystemExit(2) from error
        raise
    except RuntimeError as error:  # a collective call broke off: has another process said why?
        if _said_by_another(world):
            raise SystemExit(2) from error
        raise
    finally:
        _current = World()
        _part(world)


def _meet() -> World:
    import torch
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    limit = timedelta(minutes=COLLECTIVE_MINUTES)
    try:
        store, rank, size = next(iter(rendezvous("env://", timeout=limit)))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if torch.cuda.is_available():
            if local >= torch.cuda.device_count():
                raise InputError(
                    f"process {local} of this machine has no GPU of its own: there are {torch.cuda.device_count()}",
                    hint="start one process for each GPU: torchrun --nproc-per-node N",
                )
            torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(
            backend, store=PrefixStore("training", store), rank=rank, world_size=size, timeout=limit
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"the processes cannot find each other: {str(error).splitlines()[0]}",
            where="environment: MASTER_ADDR, MASTER_PORT, RANK, WORLD_SIZE",
            hint="start them with torchrun, or unset WORLD_SIZE to run one process",
        ) from error
    return World(rank, size, local, store)


def _said_by_another(world: World) -> bool:
    try:
        return bool(world.store.add("igakulm/spoken", 0) > 0)
    except RuntimeError:  # the store went away with the process that held it
        return True


def _part(world: World) -> None:
    """The leading process, which may hold the store, leaves last."""
    import torch.distributed as dist

    try:
        world.store.add("igakulm/left", 1)
        until = time.monotonic() + FAREWELL_SECONDS
        while world.leads and world.store.add("igakulm/left", 0) < world.size and time.monotonic() < until:
            time.sleep(0.02)
    except RuntimeError:
        return  # the store is gone, and so are the others
    dist.destroy_process_group()
