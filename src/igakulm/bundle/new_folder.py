"""A folder that appears whole or not at all.

Does: hand out a folder beside the wished one, under a lock; rename it when all went well. Does not: replace a folder
that holds anything.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error, sync


def refuse_full_folder(out: Path) -> None:
    """Refuse a target that is not free, before any work is done.

    Raises:
        InputError: a file, or a folder that holds something.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError("there is a file or link of this name already", where=str(out), hint="choose another name")
    if out.is_dir() and any(out.iterdir()):
        hint = "choose another folder, or remove this one"
        raise InputError("this folder holds something already; nothing is overwritten", where=str(out), hint=hint)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder `.NAME.partial` beside `out`; on success it becomes `out`, on failure it is removed.

    What a killed process left there is removed by the next one.

    Raises:
        InputError: `out` holds something; another process writes it now; the place cannot be written.
    """
    refuse_full_folder(out)
    partial = out.absolute().with_name(f".{out.absolute().name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise explain_os_error(error, out) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError("another process is writing this folder", where=str(out), hint="wait for it") from error
        _empty(partial)
        try:
            yield partial
            if out.is_dir():
                out.rmdir()
            partial.rename(out)
            sync(out.absolute().parent)
        except OSError as error:
            raise explain_os_error(error, out) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
