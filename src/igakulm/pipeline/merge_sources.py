"""The evaluations that are merged, and the names that their models and columns have in the merged scoreboard.

Does: find and open scoreboards, tell models of one name and columns with other items apart. Does not: merge (merge.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.evaluation.score_tables import Board
from igakulm.evaluation.scoreboard import OLD_MODELS, SCOREBOARD, UNSHARED
from igakulm.files import read_jsonl, sha256_file, sha256_json
from igakulm.pipeline.merge_pairs import Column

PLACES = ("", "latest/evaluate", "evaluate")
"""Where a folder that is named may hold its scoreboard: an evaluation, or a run."""
ANONYMOUS = ("evaluate", "latest")
"""Folders that are named for what they are; their evaluation is called after the folder above."""


@dataclass(slots=True)
class Source:
    """One evaluation; `models` and `splits` give the names that its models and columns have in the merged board."""

    name: str
    folder: Path
    board: Board
    roles: Mapping[str, str]
    models: dict[tuple[str, str], str] = field(default_factory=dict)
    splits: dict[Column, str] = field(default_factory=dict)

    def model(self, name: str) -> str:
        """A model's name in the merged board."""
        return self.models.get((self.role(name), name), name)

    def role(self, name: str) -> str:
        """Whether a name is a model's or a baseline's."""
        return self.roles.get(name, "model")

    def split(self, task: str, split: str) -> str:
        """A column's split in the merged board."""
        return self.splits.get((task, split), split)


def open_sources(paths: Sequence[Path]) -> list[Source]:
    """The evaluations that are named, each once, in the order given, with different names.

    Raises:
        InputError: nothing is named, or something that is no evaluation.
    """
    if not paths:
        raise InputError("nothing to merge", hint="name run folders, evaluation folders or scoreboard.json files")
    found: dict[str, Source] = {}
    names: list[str] = []
    for path in paths:
        folder = _evaluation_folder(path)
        board = Board.read(folder)
        if "rows" not in board.stored.model_fields_set:
            raise InputError("this is no scoreboard: it has no list of rows", where=str(folder / SCOREBOARD))
        digest = sha256_file(folder / SCOREBOARD)
        if digest in found:
            continue
        name = _source_name(path, folder)
        names.append(name)
        number = names.count(name)
        roles = {score.model: score.role for task in board.tasks for score in task.scores}
        found[digest] = Source(name if number == 1 else f"{name} ({number})", folder, board, roles)
    return list(found.values())


def _evaluation_folder(path: Path) -> Path:
    if path.name == SCOREBOARD and path.is_file():
        return path.parent
    if not path.is_dir():
        raise InputError("there is no such folder", where=str(path), hint="name a run or an evaluation folder")
    for place in PLACES:
        if (path / place / SCOREBOARD).is_file():
            return path / place
    raise InputError(
        f"no {SCOREBOARD} in this folder", where=str(path), hint="run: igakulm evaluate, or name an evaluation folder"
    )


def _source_name(path: Path, folder: Path) -> str:
    place = path.parent if path.name == SCOREBOARD else path
    place = place.absolute()
    while place.name.split("-")[0] in ANONYMOUS and place.parent != place:
        place = place.parent
    return place.name or folder.name


def name_splits(sources: Sequence[Source]) -> None:
    """Tell columns with different items apart: the largest keeps the split's name, others get their first source's."""
    kinds: dict[Column, list[tuple[int | None, str | None, str]]] = {}
    sizes: dict[Column, list[int]] = {}
    places: list[tuple[Source, Column, int]] = []
    for source in sources:
        for task in source.board.tasks:
            column, n = (task.name, task.split), task.n
            ids, known = _item_ids(source.board, column), kinds.setdefault(column, [])
            same = (k for k, kind in enumerate(known) if kind[0] == n and (kind[1] == ids or None in (kind[1], ids)))
            place = next(same, len(known))
            if place == len(known):
                known.append((n, ids, source.name))
                sizes.setdefault(column, []).append(_size(source.board, column))
            places.append((source, column, place))
    for source, column, place in places:
        largest = sizes[column].index(max(sizes[column]))
        source.splits[column] = column[1] if place == largest else f"{column[1]} @ {kinds[column][place][2]}"


def _size(board: Board, column: Column) -> int:
    """The number of items; of a subset, that of the whole, so that both keep or lose their names together."""
    split = "published" if column[1] == UNSHARED else column[1]
    return max((task.n or 0 for task in board.tasks if (task.name, task.split) == (column[0], split)), default=0)


def _item_ids(board: Board, column: Column) -> str | None:
    """A hash of the items of a column, their order aside; None when no file of answers is there."""
    task, split = column
    for file in board.answer_files:
        if (file.task, file.split) == (task, "published" if split == UNSHARED else split):
            kept = (row for row in read_jsonl(file.path) if split != UNSHARED or row.get("shared") is False)
            return sha256_json(sorted([str(row.get("id")), repr(row.get("gold"))] for row in kept))
    return None


def name_models(sources: Sequence[Source]) -> None:
    """Names that stand for different models get the source's name."""
    values: dict[tuple[str, str], list[tuple[Source, dict[tuple[str, ...], Any]]]] = {}
    for source in sources:
        for task in source.board.tasks:
            for score in task.scores:
                holders = values.setdefault((score.role, score.model), [])
                if not holders or holders[-1][0] is not source:
                    holders.append((source, {}))
                key = (task.name, source.split(task.name, task.split), *score.variant, score.metric)
                holders[-1][1][key] = (score.value, score.n)
    for (role, name), holders in values.items():
        if any(_differ(name, first, second) for (_, first), (_, second) in combinations(holders, 2)):
            for source, _ in holders:
                source.models[role, name] = f"{name} @ {source.name}"


def _differ(name: str, first: Mapping[Any, Any], second: Mapping[Any, Any]) -> bool:
    """Whether two lots of figures cannot be one model's: other values; or none in common, under a name of every run."""
    both = first.keys() & second.keys()
    return any(first[key] != second[key] for key in both) or (not both and name in OLD_MODELS)
