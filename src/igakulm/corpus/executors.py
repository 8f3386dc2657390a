"""Who works on the parts of the sources: processes of this machine, Ray, or a Slurm cluster.

Does: give every part of a plan that is not finished to `part.work_part`, and come back when all are finished; run any
function in a pool of processes. Does not: know what a part does; the result is the same under every executor.

A killed run loses the parts that were in work and nothing else: finished parts are recognised by their records.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from igakulm.corpus.part import finished_record, part_file, work_part
from igakulm.corpus.plan import Plan, load_plan
from igakulm.corpus.slurm import run_slurm
from igakulm.errors import InputError
from igakulm.files import read_json, write_text
from igakulm.machine import cores
from igakulm.progress import Bar, Progress
from igakulm.recipe.schema import CorpusSection

T = TypeVar("T")

PART_MEMORY = 512 * 2**20
"""Bytes that Ray keeps free for a part."""
POOL_BYTES = 4 * 2**20
"""So little input is read before a pool of processes has started."""


def run_parts(plan: Plan, folder: Path, corpus: CorpusSection, progress: Progress) -> list[dict[str, Any]]:
    """Work on all parts of the plan in `folder`, and return their records in order.

    Raises:
        InputError: bad input in a part, a killed process, parts that the cluster did not finish.
    """
    total = sum(part.bytes for part in plan.parts)
    with progress.task("read, clean and filter", total / 2**20, "MiB") as task:
        records = {number: finished_record(folder, number, plan.key) for number in range(len(plan.parts))}
        missing = [number for number, record in records.items() if record is None]
        if len(missing) < len(records):
            progress.say(f"{len(records) - len(missing)} of {len(records)} parts of the sources were finished before")
        task.advance(sum(part.bytes for number, part in enumerate(plan.parts) if records[number]) / 2**20)
        if missing:
            for number in missing:
                error_file(folder, number).unlink(missing_ok=True)
            _EXECUTORS[corpus.executor](plan, folder, missing, corpus, task)
    return [records[number] or _record(folder, number, plan.key) for number in range(len(plan.parts))]


def _record(folder: Path, number: int, key: str) -> dict[str, object]:
    """The record of a part that an executor should have finished."""
    path, error = part_file(folder, number, "json"), error_file(folder, number)
    if error.is_file():
        raise InputError(error.read_text(encoding="utf-8"))
    if not path.is_file() or read_json(path)["key"] != key:
        raise InputError(
            f"part {number} of the sources was not finished",
            where=str(folder),
            hint="run the same command again: finished parts are kept",
        )
    record: dict[str, Any] = read_json(path)
    return record


def error_file(folder: Path, number: int) -> Path:
    """Where a part that ran elsewhere leaves what the user has to put right."""
    return part_file(folder, number, "error")


def work_elsewhere(folder: Path, number: int) -> None:
    """`work_part` where no caller sees exceptions: bad input is left in a file."""
    try:
        work_part(folder, number)
    except InputError as error:
        write_text(error_file(folder, number), str(error))


def process_count(workers: int) -> int:
    """Processes to use: the recipe's number, or all cores that this process may run on."""
    return workers or cores()


# ---- processes of this machine


def run_processes(
    function: Callable[..., object], calls: Sequence[tuple[object, ...]], processes: int, done: Callable[[int], None]
) -> None:
    """Call `function` once for each tuple of arguments, in several processes; `done` is told each finished place.

    Raises:
        InputError: from the function, or because a process was killed (usually for want of memory).
    """
    if processes == 1 or len(calls) < 2:
        for place, arguments in enumerate(calls):
            function(*arguments)
            done(place)
        return
    # Spawned, not forked: the parent may hold threads of pyarrow or torch.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(calls)), context, _start)
    try:
        waiting: dict[Future[Any], int] = {pool.submit(function, *call): place for place, call in enumerate(calls)}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done(waiting.pop(future))
    except BrokenProcessPool as error:
        raise InputError(
            "a process that cleans documents was killed",
            hint="it may have run out of memory: set corpus.workers lower and run again; finished parts are kept",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    os.environ["RAYON_NUM_THREADS"] = "1"  # one core a process
    import pyarrow as pa

    pa.set_cpu_count(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_local(plan: Plan, folder: Path, missing: list[int], corpus: CorpusSection, task: Bar) -> None:
    if sum(plan.parts[number].bytes for number in missing) < POOL_BYTES or process_count(corpus.workers) == 1:
        for number in missing:
            work_part(folder, number, lambda count: task.advance(count / 2**20))
        return
    # The largest first, so that no process works alone at the end.
    order = sorted(missing, key=lambda number: (-plan.parts[number].bytes, number))
    calls = [(folder, number) for number in order]
    run_processes(
        work_part,
        calls,
        process_count(corpus.workers),
        lambda place: task.advance(plan.parts[order[place]].bytes / 2**20),
    )


def _run_ray(plan: Plan, folder: Path, missing: list[int], corpus: CorpusSection, task: Bar) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves this machine
    try:
        import ray
    except ImportError as error:
        hint = 'pip install "igakulm[cluster]", or executor: local'
        raise InputError("corpus.executor: ray needs Ray", hint=hint) from error
    started_here = not ray.is_initialized()
    if started_here:
        if os.environ.get("RAY_ADDRESS"):
            ray.init()
        else:
            ray.init(num_cpus=process_count(corpus.workers), include_dashboard=False, log_to_driver=False)
    work = ray.remote(num_cpus=1, memory=PART_MEMORY, max_retries=2)(work_elsewhere)
    try:
        waiting = {work.remote(folder, number): number for number in missing}
        while waiting:
            finished, _ = ray.wait(list(waiting))
            for one in finished:
                ray.get(one)
                task.advance(plan.parts[waiting.pop(one)].bytes / 2**20)
    except ray.exceptions.RayError as error:
        hint = "see Ray's logs; finished parts are kept: run again"
        raise InputError(f"Ray did not finish a part: {type(error).__name__}", hint=hint) from error
    finally:
        if started_here:
            ray.shutdown()


def _run_slurm(plan: Plan, folder: Path, missing: list[int], corpus: CorpusSection, task: Bar) -> None:
    run_slurm(folder, len(plan.parts), corpus.slurm)
    task.advance(sum(plan.parts[number].bytes for number in missing) / 2**20)


_EXECUTORS: dict[str, Callable[[Plan, Path, list[int], CorpusSection, Bar], None]] = {
    "local": _run_local,
    "ray": _run_ray,
    "slurm": _run_slurm,
}


def work_share(folder: Path, task: int, tasks: int) -> int:
    """Work on every `tasks`-th part from `task` on: what one task of a Slurm array does. Returns how many parts.

    Raises:
        InputError: no plan in the folder, or a task number that is none.
    """
    if not 0 <= task < tasks:
        raise InputError(f"task {task} is not among {tasks} tasks", hint="tasks count from 0")
    numbers = range(task, len(load_plan(folder).parts), tasks)
    for number in numbers:
        work_elsewhere(folder, number)
    return len(numbers)
