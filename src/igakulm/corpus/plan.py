"""How the sources are cut into parts, each of which one process works on from beginning to end.

Does: list the parts of all sources in reading order, the same for any number of processes and any executor, and keep
the plan in a folder that every process can read. Does not: read documents, or run parts.

A part is some files of one source that follow each other, about `PART_BYTES` on disk, or a range of one large file:
row groups of Parquet, lines of plain JSON Lines, streams of a multistream dump. Any other large compressed file is one
part, since it can only be read from its beginning. A source with `max_documents` is one part, since its documents must
be counted in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from igakulm.corpus.mediawiki import page_ranges
from igakulm.corpus.read import source_files
from igakulm.corpus.rows import CAN_CUT
from igakulm.files import read_json, sha256_json, write_json
from igakulm.recipe.schema import BenchmarksSection, CorpusSection, Source

FORMAT = 2
"""Counted up whenever a finished part of an earlier version can no longer be used."""
PART_BYTES = 32 * 2**20
_NO_MATTER = {"workers", "executor", "slurm", "shard_mebibytes", "quality"}
"""Keys that change nothing in a part: it stays finished when they change."""


@dataclass(frozen=True)
class Part:
    """Files of one source; `source` is its place in the recipe, None for documents of an earlier stage.

    `span` = (first, end) is a range of the only file: row groups, or bytes that begin and end at the border of a line
    or of a stream.
    `before` is how many rows or lines of the file come before it.
    """

    source: int | None
    files: tuple[str, ...]
    bytes: int
    span: tuple[int, int] | None = None
    before: int = 0


@dataclass(frozen=True)
class Plan:
    """All parts and the settings that they depend on. `key` is the same exactly if the parts give the same result."""

    corpus: CorpusSection
    benchmarks: BenchmarksSection
    parts: tuple[Part, ...]
    key: str


def make_plan(corpus: CorpusSection, benchmarks: BenchmarksSection, extra: Path | None, part_bytes: int) -> Plan:
    """Cut the sources, and the shards in the folder `extra` if there is one, into parts of about `part_bytes`.

    Raises:
        InputError: a source has no files.
    """
    parts: list[Part] = []
    for number, source in enumerate(corpus.sources):
        files = source_files(source)
        if source.max_documents is not None:
            parts.append(Part(number, tuple(map(str, files)), sum(file.stat().st_size for file in files)))
        else:
            parts += _parts_of(number, source, files, part_bytes)
    if extra is not None and extra.is_dir():
        parts += _grouped(None, sorted(extra.glob("*.parquet")), part_bytes)
    files_now = {file: _stamp(Path(file)) for part in parts for file in part.files}
    settings = corpus.model_dump(mode="json", exclude=_NO_MATTER)
    tests = benchmarks.model_dump(mode="json")
    listed = [asdict(part) for part in parts]
    key = sha256_json({"format": FORMAT, "settings": settings, "tests": tests, "files": files_now, "parts": listed})
    return Plan(corpus, benchmarks, tuple(parts), key)


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _parts_of(number: int, source: Source, files: Sequence[Path], part_bytes: int) -> Iterator[Part]:
    """Large files that can be cut are cut; the others stand together until a part is full."""
    small: list[Path] = []
    for file in files:
        spans = list(_spans(source, file, part_bytes)) if file.stat().st_size > part_bytes else []
        if len(spans) < 2:
            small.append(file)
            continue
        yield from _grouped(number, small, part_bytes)
        small = []
        for first, end, before, size in spans:
            yield Part(number, (str(file),), size, (first, end), before)
    yield from _grouped(number, small, part_bytes)


def _grouped(number: int | None, files: Sequence[Path], part_bytes: int) -> Iterator[Part]:
    group: list[str] = []
    size = 0
    for file in files:
        own = file.stat().st_size
        if group and size + own > part_bytes:
            yield Part(number, tuple(group), size)
            group, size = [], 0
        group.append(str(file))
        size += own
    if group:
        yield Part(number, tuple(group), size)


def _spans(source: Source, file: Path, part_bytes: int) -> Iterator[tuple[int, int, int, int]]:
    """(first, end, rows or lines before, bytes) of each range of a file; nothing if it cannot be cut."""
    if source.format == "mediawiki" and file.suffix == ".bz2":
        yield from ((first, end, 0, end - first) for first, end in page_ranges(file, part_bytes))
        return
    if source.format not in CAN_CUT - {"mediawiki"} or file.suffix in (".zst", ".gz", ".bz2"):
        return
    if source.format in ("jsonl", "oscar"):
        yield from _line_ranges(file, part_bytes)
    else:
        yield from _row_groups(file, part_bytes)


def _row_groups(file: Path, part_bytes: int) -> Iterator[tuple[int, int, int, int]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return  # whoever reads the file says what is wrong with it
    first = before = rows = size = 0
    for group in range(about.num_row_groups):
        rows += about.row_group(group).num_rows
        size += sum(about.row_group(group).column(place).total_compressed_size for place in range(about.num_columns))
        if size >= part_bytes or group == about.num_row_groups - 1:
            yield first, group + 1, before, size
            first, before, rows, size = group + 1, before + rows, 0, 0


def _line_ranges(file: Path, part_bytes: int) -> Iterator[tuple[int, int, int, int]]:
    """Ranges end behind the first newline after `part_bytes`; lines before each are counted on the way."""
    start = position = before = count = 0
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            missing = start + part_bytes - position
            cut = chunk.find(b"\n", max(missing, 0)) if missing < len(chunk) else -1
            if cut < 0:
                count += chunk.count(b"\n")
                position += len(chunk)
                continue
            end = position + cut + 1
            count += chunk.count(b"\n", 0, cut + 1)
            yield start, end, before, end - start
            start = position = end
            before += count
            count = 0
            stream.seek(end)
    if position > start:
        yield start, position, before, position - start


def save_plan(folder: Path, plan: Plan) -> None:
    """Write plan.json."""
    write_json(
        folder / "plan.json",
        {
            "key": plan.key,
            # Without defaults: a reader looks whether the recipe itself names a field.
            "corpus": plan.corpus.model_dump(mode="json", exclude_unset=True),
            "benchmarks": plan.benchmarks.model_dump(mode="json", exclude_unset=True),
            "parts": [asdict(part) for part in plan.parts],
        },
    )


def load_plan(folder: Path) -> Plan:
    """Read plan.json, once for each state of the file.

    Raises:
        InputError: no such file.
    """
    path = folder / "plan.json"
    return _loaded(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=1)
def _loaded(path: Path, _stamp: int) -> Plan:
    value: dict[str, Any] = read_json(path)
    parts = tuple(
        Part(**{**row, "files": tuple(row["files"]), "span": tuple(row["span"]) if row["span"] else None})
        for row in value["parts"]
    )
    # A model read from JSON takes strict types only from JSON text.
    corpus = CorpusSection.model_validate_json(json.dumps(value["corpus"]))
    benchmarks = BenchmarksSection.model_validate_json(json.dumps(value["benchmarks"]))
    return Plan(corpus, benchmarks, parts, value["key"])
