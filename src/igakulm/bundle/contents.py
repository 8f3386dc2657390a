"""The files of a bundle: which names are allowed, what lies in the folder, sizes and hashes.

Does: walk a folder without following links, describe its files. Does not: know what a file means, or write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from igakulm.errors import InputError
from igakulm.files import MANIFEST, sha256_file

BUNDLE = "bundle.json"
_NAME = re.compile(r"[^\x00-\x1f\x7f\\:]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COPY_AGAIN = "remove it, or copy the bundle again"


def safe_name(name: str) -> bool:
    r"""Whether a name from bundle.json leads to a file inside the bundle, on every operating system.

    >>> safe_name("gguf/model-q8_0.gguf")
    True
    >>> [safe_name(name) for name in ("../x", "/x", "a//b", "a/./b", "c:x", "a\\b", "", "bundle.json")]
    [False, False, False, False, False, False, False, False]
    """
    if not _NAME.fullmatch(name) or name in (BUNDLE, MANIFEST):
        return False
    parts = name.split("/")
    return PurePosixPath(name).as_posix() == name and not any(part in ("", ".", "..") for part in parts)


def well_formed_files(value: object) -> bool:
    """Whether this is a list of files as `describe` writes it: name -> bytes and sha256."""
    if not isinstance(value, dict) or not all(isinstance(entry, dict) for entry in value.values()):
        return False
    sizes = (entry.get("bytes") for entry in value.values())
    hashes = (entry.get("sha256") for entry in value.values())
    return all(type(size) is int and size >= 0 for size in sizes) and all(
        isinstance(text, str) and bool(_SHA256.fullmatch(text)) for text in hashes
    )


def present(folder: Path) -> dict[str, Path]:
    """Every file of a bundle by relative name, sorted; bundle.json and the manifest of a stage are none of it.

    Raises:
        InputError: a symbolic link, a device or a pipe lies in the folder: what it leads to can change unseen.
    """
    found = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in [*folders, *names]:
            path = Path(place) / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                what = "a bundle holds plain files only; this is a link or a special file"
                raise InputError(what, where=str(path), hint=_COPY_AGAIN)
        found.update({(Path(place) / name).relative_to(folder).as_posix(): Path(place) / name for name in names})
    return {name: found[name] for name in sorted(found) if name not in (BUNDLE, MANIFEST)}


def describe(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> bytes and sha256 of every file of a bundle that is being written."""
    return {name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for name, path in present(folder).items()}


def check_sizes(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare the names and sizes in a folder with a description (quick: nothing is hashed).

    Raises:
        InputError: a name that leads out of the folder; a file that is missing, cut short, or not described.
    """
    unsafe = [name for name in files if not safe_name(name)]
    if unsafe:
        raise InputError(f"this bundle names a file outside of itself: {unsafe[0]!r}", where=str(folder / BUNDLE))
    found = present(folder)
    for name, entry in files.items():
        size = found[name].stat().st_size if name in found else None
        if size != entry["bytes"]:
            what = "is missing" if size is None else f"has {size} bytes instead of {entry['bytes']}"
            raise InputError(f"a file of the bundle {what}", where=str(folder / name), hint="copy the bundle again")
    foreign = sorted(found.keys() - files.keys())
    if foreign:
        what = "the folder holds a file that is no part of the bundle"
        raise InputError(what, where=str(folder / foreign[0]), hint=_COPY_AGAIN)
