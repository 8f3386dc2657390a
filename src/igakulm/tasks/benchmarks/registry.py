"""All published benchmarks: every module of this folder that defines `BENCHMARK` is one.

Does: find them, and say of a task whose it is. Does not: read any benchmark's files.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from igakulm.errors import InputError, did_you_mean
from igakulm.recipe.schema import BenchmarkSet, BenchmarksSection
from igakulm.tasks import benchmarks as folder
from igakulm.tasks.benchmarks.benchmark import CHOOSING, NOT_STATED, Benchmark, PublishedScore


@functools.cache
def benchmarks() -> Mapping[str, Benchmark]:
    """Name -> benchmark, in the order of names.

    >>> "igakuqa" in benchmarks()
    True
    """
    names = [f"{folder.__name__}.{module.name}" for module in pkgutil.iter_modules(folder.__path__)]
    found = [module.BENCHMARK for module in map(importlib.import_module, names) if hasattr(module, "BENCHMARK")]
    tasks = [task for benchmark in found for task in benchmark.tasks]
    assert len(set(tasks)) == len(tasks), "two benchmarks have a task of one name"
    return {benchmark.name: benchmark for benchmark in found}


def benchmark_named(name: str, where: str) -> Benchmark:
    """The benchmark of a name.

    Raises:
        InputError: there is none.
    """
    if name not in benchmarks():
        close = did_you_mean(name, benchmarks())
        hint = f"did you mean {close}?" if close else "known: " + ", ".join(benchmarks())
        raise InputError(f"there is no benchmark {name!r}", where=where, hint=hint)
    return benchmarks()[name]


def benchmark_of(task: str) -> Benchmark | None:
    """The benchmark that a task belongs to; None for a user's own."""
    return next((benchmark for benchmark in benchmarks().values() if task in benchmark.licences), None)


def chosen(config: BenchmarksSection) -> list[tuple[Benchmark, BenchmarkSet]]:
    """The benchmarks of a recipe with the user's copies, those that have keys of their own first.

    Raises:
        InputError: an unknown name, or one that is given twice.
    """
    sets: list[BenchmarkSet] = []
    if config.jmed is not None:
        sets.append(BenchmarkSet(name="jmed", path=config.jmed.path, tasks=config.jmed.tasks))
    if config.igakuqa is not None:
        sets.append(BenchmarkSet(name="igakuqa", **config.igakuqa.model_dump()))
    sets += config.sets
    names = [one.name for one in sets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"the benchmark {twice!r} is given twice", where="benchmarks", hint="keep one of them")
    found = [(benchmark_named(one.name, "benchmarks.sets"), one) for one in sets]
    return [(benchmark, _checked(benchmark, one)) for benchmark, one in found]


def _checked(benchmark: Benchmark, one: BenchmarkSet) -> BenchmarkSet:
    """A user's choice, with the names of tasks that our files have.

    Raises:
        InputError: a key that this benchmark does not read, or a task that it does not have.
    """
    defaults = BenchmarkSet(name=one.name, path=one.path)
    for key in CHOOSING:
        if getattr(one, key) != getattr(defaults, key) and key not in benchmark.reads:
            others = ", ".join(name for name, other in benchmarks().items() if key in other.reads)
            own = ", ".join(("tasks", *sorted(benchmark.reads)))
            hint = f"leave it out: {one.name} is chosen from by {own}; {key} belongs to {others}"
            raise InputError(f"{benchmark.title} does not read {key}", where=f"benchmarks.{one.name}.{key}", hint=hint)
    names = {name: name for name in benchmark.tasks} | dict(benchmark.aliases)
    for name in one.tasks:
        if name not in names:
            close = did_you_mean(name, names)
            hint = f"did you mean {close}?" if close else "known tasks: " + ", ".join(benchmark.tasks)
            raise InputError(f"{benchmark.title} has no task {name!r}", where=f"benchmarks.{one.name}.tasks", hint=hint)
    return one.model_copy(update={"tasks": tuple(dict.fromkeys(names[name] for name in one.tasks))})


def licence_of(task: str) -> str:
    """The licence of a task's rows, as its benchmark states it."""
    benchmark = benchmark_of(task)
    return benchmark.licences[task] if benchmark else NOT_STATED


def published_scores() -> list[PublishedScore]:
    """All published figures of all benchmarks."""
    return [score for benchmark in benchmarks().values() for score in benchmark.published]
