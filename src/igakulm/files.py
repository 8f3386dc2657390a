"""Documents, shards, atomic writes, hashes and manifests: everything that touches the disk in a way others rely on.

Does: write to a temporary name, sync, rename, replacing regular files only; read and write document shards (Parquet,
zstd); hash files and folders; lock a folder. Does not: know any stage, recipe or model.
"""

from __future__ import annotations

import datetime
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igakulm.errors import InputError

MANIFEST = "manifest.json"
BESIDE_THE_RESULT = ("logs/", "checkpoints/")
"""Files below these folders of a stage (times, rates, states to resume from) are kept and hashed one by one, but are no
part of the stage's content digest: they differ between runs that give the same result."""
STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
ADD_WAIT = "wait for it, or add --wait to start when it has finished"


@dataclass(frozen=True, slots=True)
class Doc:
    """One document. `meta` is a JSON object as text (url, title, …); `licence` travels with the text for ever."""

    id: str
    text: str
    source: str
    licence: str
    meta: str = "{}"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success what it holds stands at `path`, on failure nothing has changed.

    A regular file is replaced in one step; a symbolic link stays, and the file that it leads to is replaced. A device
    or a named pipe is never replaced: what was written is copied into it. `-` and `/dev/stdout` are standard output.

    Raises:
        InputError: the folder cannot be written, the disk is full, a folder or a socket stands there.
    """
    try:
        target = _target(path)
        if target is None:
            with tempfile.TemporaryDirectory() as folder:
                temporary = Path(folder) / "output"
                yield temporary
                _copy_into(temporary, path)
            return
    except OSError as error:
        raise explain_os_error(error, path) from error
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    except OSError as error:
        raise explain_os_error(error, path) from error
    finally:
        with suppress(OSError):  # what is wrong was said above: a file where a folder should be
            temporary.unlink(missing_ok=True)


def is_stream(path: Path) -> bool:
    """Whether what is written there passes on: standard output, a device or a named pipe.

    >>> is_stream(Path("-")), is_stream(Path("/dev/null")), is_stream(Path("result.csv"))
    (True, True, False)
    """
    return _target(path) is None


def _target(path: Path) -> Path | None:
    """The regular file, there or to be made, that is meant by a path; None for a stream.

    Raises:
        InputError: something else stands there.
    """
    if str(path) in STANDARD_OUTPUT:
        return None
    try:
        target = path.resolve()
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except RuntimeError as error:  # links that lead to one another
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error
    if stat.S_ISREG(mode):
        return target
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return None
    what = "a folder" if stat.S_ISDIR(mode) else "a disk" if stat.S_ISBLK(mode) else "a socket"
    raise InputError(f"this is {what}, no place for a file", where=str(path), hint="name another file")


def _copy_into(source: Path, path: Path) -> None:
    standard = str(path) in STANDARD_OUTPUT
    if standard:
        sys.stdout.flush()
    with source.open("rb") as file, open(1 if standard else path, "wb", closefd=not standard) as out:
        shutil.copyfileobj(file, out)


def explain_os_error(error: OSError, path: Path) -> InputError:
    """Say in one line what the operating system refused, and what to do."""
    where = str(error.filename or path)
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(path.parent if path.parent.exists() else "/").free
        return InputError(
            "the disk is full",
            where=f"{where} ({free / 2**20:,.0f} MiB free)",
            hint="free some space and run the same command again; finished work is kept",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError("this place cannot be written", where=where, hint="choose a folder that you may write to")
    if error.errno == errno.ENOENT:
        return InputError("there is no such file", where=where, hint="check the path")
    return InputError(f"the operating system says: {error.strerror or error}", where=where)


@contextmanager
def locked(folder: Path, *, wait: bool = False, hint: str = ADD_WAIT) -> Iterator[None]:
    """Hold the run's lock; it is released by the kernel when the process dies, however it dies.

    `hint` is what the user can do while another process holds it.

    Raises:
        InputError: another process holds it (its number, machine and start are named).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise explain_os_error(error, folder) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            holder = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").strip()
            what = f"this run is in use: {holder or 'by another process'}"
            raise InputError(what, where=str(folder / "lock"), hint=hint) from error
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Flush a file or a folder entry to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically, indented, keys in the order given, Japanese unescaped."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: missing or malformed file, with the line of the first mistake.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise explain_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise InputError("the file is not UTF-8", where=f"{path}, byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"the file is not valid JSON: {error.msg}", where=f"{path}, line {error.lineno}") from error


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> int:
    """Write one JSON object a line, atomically; return the number of rows."""
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield one object a line; blank lines and a byte-order mark are skipped.

    Raises:
        InputError: a line that is not a JSON object or not UTF-8, with its number; a file that cannot be read.
    """
    return (row for _, row in numbered_jsonl(path))


def numbered_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) as `read_jsonl` does.

    Raises:
        InputError: as `read_jsonl`.
    """
    for number, row in tried_jsonl(path):
        if isinstance(row, InputError):
            raise row
        yield number, row


def tried_jsonl(path: Path) -> Iterator[tuple[int, dict[str, object] | InputError]]:
    """Yield (line number from 1, object, or what is wrong with the line); blank lines are skipped.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, _json_object(line, number, path)
    except OSError as error:
        raise explain_os_error(error, path) from error


def _json_object(line: bytes, number: int, path: Path) -> dict[str, object] | InputError:
    where = f"{path}, line {number}"
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as error:
        kind = "UTF-8" if isinstance(error, UnicodeDecodeError) else "JSON"
        return InputError(f"this line is not {kind}: {error}", where=where)
    return value if isinstance(value, dict) else InputError("this line is not a JSON object", where=where)


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: object) -> str:
    """Hex SHA-256 of a value's canonical JSON (sorted keys, no spaces).

    >>> sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """All regular files below a folder, sorted by relative path, manifests and leftovers (`.*.tmp`) excluded."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(path for path in found if path.relative_to(folder).as_posix() != MANIFEST)


DOC_COLUMNS = ("id", "text", "source", "licence", "meta")


def write_documents(folder: Path, documents: Iterable[Doc], *, shard_bytes: int = 256 * 2**20) -> int:
    """Write Parquet shards `00000.parquet`, … of about `shard_bytes` of text each; return the number of documents."""
    batch: list[Doc] = []
    size = shard = count = 0
    folder.mkdir(parents=True, exist_ok=True)
    for document in documents:
        batch.append(document)
        size += len(document.text.encode("utf-8", "surrogatepass"))
        count += 1
        if size >= shard_bytes:
            _write_shard(folder / f"{shard:05d}.parquet", batch)
            batch, size, shard = [], 0, shard + 1
    if batch or shard == 0:
        _write_shard(folder / f"{shard:05d}.parquet", batch)
    return count


def _write_shard(path: Path, documents: Sequence[Doc]) -> None:
    write_table(path, {name: [getattr(doc, name) for doc in documents] for name in DOC_COLUMNS})


def write_table(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write a Parquet file (zstd) of string columns, atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values, pa.large_string()) for name, values in columns.items()})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=4096)


def read_documents(folder: Path) -> Iterator[Doc]:
    """Yield the documents of a folder of shards, in order, one row group in memory at a time."""
    for path in sorted(folder.glob("*.parquet")):
        yield from read_shard(path)


def read_shard(path: Path) -> Iterator[Doc]:
    """Yield the documents of one shard, in order."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024, columns=list(DOC_COLUMNS)):
            columns = [column.to_pylist() for column in batch.columns]
            for values in zip(*columns, strict=True):
                yield Doc(*values)
