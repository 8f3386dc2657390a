"""Several evaluations in one scoreboard: `igakulm scoreboard RUN…`.

Does: put the rows of several folders together, tell models of one name apart, keep columns with other items apart, and
compare all models of a column anew from their files of answers. Does not: ask anybody, or score rows again (their
values and intervals stay as they were measured).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.evaluation.item_files import file_name
from igakulm.evaluation.scoreboard import SCOREBOARD, UNSHARED, Scoreboard
from igakulm.files import atomic_path, read_json, sha256_file, sha256_json, write_json, write_text
from igakulm.manifest import read_manifest
from igakulm.pipeline.merge_pairs import Column, Entry, compared
from igakulm.pipeline.merge_sources import Source, name_models, name_splits, open_sources
from igakulm.report.evaluation import REPORT, build_evaluation_report
from igakulm.report.markdown import render_markdown
from igakulm.report.numbers import Language
from igakulm.report.words import words
from igakulm.stored import Part

MARKDOWN = "scoreboard.md"
ITEMS = "items"

Row = dict[str, Any]


def merge_scoreboards(sources: Sequence[Path], *, samples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """One scoreboard of several.

    A model's name that stands for different models gets the source's name ("tuned @ first-run"); baselines with the
    same values are kept once; columns of one split with other items are kept apart: the largest keeps the split's
    name, the others become "published @ second-run". Comparisons are made anew, each model with every other on the
    same items in the same way of answering, and with the column's best baseline.

    Args:
        sources: evaluation folders, run folders or `scoreboard.json` files.
        samples: resamples of the comparisons.
        seed: of the comparisons.

    Returns:
        The scoreboard; `items` name files as `write_merged` copies them, `sources` what it was made of.

    Raises:
        InputError: a source without a scoreboard, or a damaged file.
    """
    return _merged(open_sources(sources), samples, seed)[0]


def write_merged(
    sources: Sequence[Path], out_dir: Path, *, samples: int = 2000, seed: int = 0, language: Language = "ja"
) -> dict[str, Any]:
    """Merge and write `scoreboard.json`, `scoreboard.md`, `report.html` and the files of answers into `out_dir`.

    Raises:
        InputError: as `merge_scoreboards`; or `out_dir` holds anything but an earlier merge.
    """
    opened = open_sources(sources)
    _check_folder(out_dir, opened)
    shutil.rmtree(out_dir / ITEMS, ignore_errors=True)
    board, copies = _merged(opened, samples, seed)
    for name, path in copies.items():
        with atomic_path(out_dir / name) as temporary:
            shutil.copyfile(path, temporary)
    write_json(out_dir / SCOREBOARD, board)
    write_text(out_dir / MARKDOWN, render_markdown(Scoreboard.model_validate(board)))
    build_evaluation_report(out_dir, words(language).listed(source.name for source in opened), language)
    return board


def _check_folder(out_dir: Path, sources: Sequence[Source]) -> None:
    """Refuse a folder that is a source, or that an earlier merge did not make.

    Raises:
        InputError: it is one.
    """
    hint = "name an empty folder"
    if any(source.folder.resolve() == out_dir.resolve() for source in sources):
        raise InputError("the merged scoreboard would overwrite a source", where=str(out_dir), hint=hint)
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError("this is not a folder", where=str(out_dir), hint=hint)
    if out_dir.is_dir():
        ours = {path.name for path in out_dir.iterdir()} <= {ITEMS, SCOREBOARD, MARKDOWN, REPORT}
        board = read_json(out_dir / SCOREBOARD) if ours and (out_dir / SCOREBOARD).is_file() else {"sources": []}
        if not ours or not isinstance(board, dict) or "sources" not in board:
            raise InputError("the folder holds something else", where=str(out_dir), hint=hint)


def _merged(sources: Sequence[Source], samples: int, seed: int) -> tuple[dict[str, object], dict[str, Path]]:
    name_splits(sources)
    name_models(sources)
    rows = _rows(sources)
    items, copies = _items(sources)
    pairs = compared(board_columns(sources, rows), samples, seed)
    board: dict[str, Any] = {
        "format": Scoreboard.NEWEST,
        "rows": rows,
        "items": items,
        "paired": [*pairs, *_carried(sources, {(row["task"], row["split"]) for row in pairs})],
        "passing": _once(_renamed(source, row) for source in sources for row in source.board.stored.passing),
        "groups": _once(_renamed(source, row) for source in sources for row in source.board.stored.groups),
        "details": _once(_renamed(source, row) for source in sources for row in source.board.stored.details),
        "published": _once(_plain(row) for source in sources for row in source.board.stored.published),
        "leakage": _once(_renamed(source, row) for source in sources for row in source.board.stored.leakage),
        "leaked_items": _once(_plain(row) for source in sources for row in source.board.stored.leaked_items),
        "bootstrap": {"samples": samples, "seed": seed, "unit": "document"},
        "sources": [_described(source) for source in sources],
        "max_items": min((n for source in sources if (n := source.board.stored.max_items) is not None), default=None),
        **{
            name: _by_task(getattr(source.board.stored, name) for source in sources) for name in ("left_out", "missing")
        },
    }
    return board, copies


def _by_task(found: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Rows that were left out, of all sources; of one task those of the source with the most."""
    most: dict[str, dict[str, int]] = {}
    for tasks in found:
        for task, reasons in tasks.items():
            most[task] = max(most.get(task, {}), dict(reasons), key=lambda counts: sum(counts.values()))
    return most


def _described(source: Source) -> Row:
    manifest = read_manifest(source.folder)
    return {
        "name": source.name,
        "finished": manifest.finished if manifest else "",
        "scoreboard_sha256": sha256_file(source.folder / SCOREBOARD),
        "bootstrap": _plain(source.board.stored.bootstrap) if source.board.stored.bootstrap else None,
    }


def _plain(part: Part) -> Row:
    """A part of a board as JSON, with the fields that its file had."""
    return part.model_dump(mode="json", exclude_unset=True)


def _rows(sources: Sequence[Source]) -> list[Row]:
    """All rows with their new names, each figure once, tasks together in the order in which they first appear."""
    found: dict[tuple[str, ...], Row] = {}
    for source in sources:
        for score in source.board.stored.rows:
            role, name, split = (
                source.role(score.model),
                source.model(score.model),
                source.split(score.task, score.split),
            )
            key = (role, name, score.task, split, *score.variant, score.metric)
            found.setdefault(key, {**_plain(score), "model": name, "split": split, "role": role})
    order = {task: place for place, task in enumerate(dict.fromkeys(str(row["task"]) for row in found.values()))}
    return sorted(found.values(), key=lambda row: (order[str(row["task"])], " @ " in row["split"]))


def _renamed(source: Source, part: Part) -> Row:
    """A row beside the scores with its model's and split's new names, where it has them."""
    renamed = _plain(part)
    if "model" in renamed:
        renamed["model"] = source.model(str(renamed["model"]))
    if "split" in renamed:
        renamed["split"] = source.split(str(renamed.get("task")), str(renamed["split"]))
    return renamed


def board_columns(sources: Sequence[Source], rows: Sequence[Row]) -> dict[Column, list[Entry]]:
    """The answers of every column of the merged board; those of the unshared items stand in the published files."""
    values: dict[tuple[str, ...], float] = {}
    for row in rows:
        key = tuple(str(row.get(name)) for name in ("model", "task", "split", "answer_mode"))
        values.setdefault(key, float(row["value"]))
    found: dict[Column, dict[tuple[str, str], Entry]] = {}
    for source in sources:
        for file in source.board.answer_files:
            for split in (file.split, UNSHARED) if file.split == "published" else (file.split,):
                name, renamed = source.model(file.model), source.split(file.task, split)
                value = values.get((name, file.task, renamed, file.answer_mode))
                if value is not None:
                    entry = Entry(name, file.role, file.answer_mode, file.path, split == UNSHARED, value)
                    found.setdefault((file.task, renamed), {}).setdefault((name, file.answer_mode), entry)
    return {column: list(entries.values()) for column, entries in found.items()}


def _carried(sources: Sequence[Source], done: Collection[Column]) -> list[Row]:
    """The sources' own comparisons in the columns that could not be compared anew (answers of older versions)."""
    found = []
    for source in sources:
        for row in source.board.stored.paired:
            renamed = _renamed(source, row) | {"first": source.model(row.first), "second": source.model(row.second)}
            if (row.task, str(renamed.get("split"))) not in done:
                found.append(renamed)
    return _once(found)


def _once(rows: Iterable[Row]) -> list[Row]:
    """Equal rows once, in order."""
    return list({sha256_json(row): row for row in rows}.values())


def _items(sources: Sequence[Source]) -> tuple[list[Row], dict[str, Path]]:
    """The files of answers under new names, and where each is copied from."""
    items: dict[tuple[str, str, str, str], Row] = {}
    copies: dict[str, Path] = {}
    for source in sources:
        for file in source.board.answer_files:
            split = source.split(file.task, file.split)
            key = (source.model(file.model), file.task, split, file.answer_mode)
            if key not in items:
                name = file_name(*key)
                items[key] = dict(zip(("model", "task", "split", "answer_mode", "file"), (*key, name), strict=True))
                copies[name] = file.path
    return list(items.values()), copies
