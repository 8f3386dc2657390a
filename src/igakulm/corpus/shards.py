"""Parquet files that are written batch by batch, and the tables of documents inside a corpus under construction.

Does: write rows of strings as they come, one row group for each batch, so that memory holds one batch; read ranges of
rows. Does not: know what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from igakulm.files import DOC_COLUMNS, atomic_path

DROPPED_COLUMNS = ("id", "source", "reason", "detail", "text", "before")
_SAME_IN_MANY_ROWS = ("source", "licence", "reason")
_GROUP_CHARACTERS = 1 << 20
_GROUP_ROWS = 4096


class RowWriter:
    """Writes rows of strings to one Parquet file (zstd); use it by `row_writer`."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = pa.schema([(name, pa.large_string()) for name in columns])
        # A dictionary of whole texts would only cost time: only short values that repeat get one.
        repeated = [name for name in columns if name in _SAME_IN_MANY_ROWS]
        self._writer: Any = pq.ParquetWriter(
            path, self._schema, compression="zstd", use_dictionary=repeated, write_statistics=False
        )
        self._rows: list[tuple[str, ...]] = []
        self._characters = 0
        self.count = 0

    def add(self, row: tuple[str, ...]) -> None:
        """Add a row; its longest text decides when a row group is full."""
        self._rows.append(row)
        self._characters += sum(map(len, row))
        self.count += 1
        if self._characters >= _GROUP_CHARACTERS or len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(values, pa.large_string()) for values in columns]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows, self._characters = [], 0

    def close(self) -> None:
        """Write what is waiting and the end of the file."""
        if self._rows:
            self._flush()
        self._writer.close()


@contextmanager
def row_writer(path: Path, columns: Sequence[str] = DOC_COLUMNS) -> Iterator[RowWriter]:
    """A writer whose file appears under its name when the block ends without an exception.

    Raises:
        InputError: the folder cannot be written or the disk is full.
    """
    with atomic_path(path) as temporary:
        writer = RowWriter(temporary, columns)
        try:
            yield writer
        finally:
            writer.close()


Rows = list[tuple[str, ...]]


def read_rows(path: Path, first: int, end: int, columns: Sequence[str] = DOC_COLUMNS) -> Iterator[Rows]:
    """Rows first..end-1 of a file, in batches of at most one row group; other row groups are not read."""
    import pyarrow.parquet as pq

    if first >= end:
        return
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            if stop > first and start < end:
                table = file.read_row_group(group, columns=list(columns))
                low, high = max(first, start) - start, min(end, stop) - start
                yield list(zip(*(column.to_pylist() for column in table.slice(low, high - low).columns), strict=True))
            start = stop


def read_column(path: Path, name: str) -> list[str]:
    """One column of a file."""
    import pyarrow.parquet as pq

    values: list[str] = pq.read_table(path, columns=[name]).column(name).to_pylist()
    return values


def arrays_of(path: Path, beginnings: tuple[str, ...] = ("",)) -> dict[str, Any]:
    """The arrays of a .npz file whose names begin so; nothing in it is ever unpickled."""
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name.startswith(beginnings)}


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays to a .npz file, atomically."""
    import numpy as np

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
