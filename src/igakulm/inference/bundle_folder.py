"""A bundle as whoever opens one sees it: bundle.json, and the files that it names.

Does: read bundle.json and refuse one that changed, walk the folder without following links, compare names and sizes.
Does not: hash what it reads (`bundle/verify.py` does), write a bundle, or need torch or transformers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from igakulm.errors import InputError
from igakulm.files import MANIFEST, read_json, sha256_file, sha256_json

BUNDLE, MODEL, GGUF = "bundle.json", "huggingface", "gguf"
"""What lies in a bundle: its description, the folder of the model and its tokenizer, the folder of its GGUF files."""
FORMAT = 2
DIGEST = "digest"
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


def describe(folder: Path) -> dict[str, dict[str, object]]:
    """Name -> bytes and sha256 of every file of a bundle that is being written."""
    return {name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for name, path in present(folder).items()}


def check_sizes(folder: Path, files: Mapping[str, Mapping[str, object]]) -> None:
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


def description_digest(description: Mapping[str, object]) -> str:
    """Hex SHA-256 of all of bundle.json but the digest itself; with the hashes in it, it stands for the whole bundle.

    >>> description_digest({"name": "m"}) == description_digest({"digest": "0", "name": "m"})
    True
    """
    return sha256_json({key: value for key, value in description.items() if key != DIGEST})


def read_bundle(folder: Path) -> dict[str, Any]:
    """bundle.json, checked against its own digest, with the size of every file compared (quick: nothing is hashed).

    Returns:
        format, name, model, tokenizer_sha256, gguf, licences, versions, files, digest, and more; see docs/bundle.md.

    Raises:
        InputError: no bundle, an unknown format, bundle.json changed; a file that is missing, cut short, a link or
            not part of it.
    """
    path = folder / BUNDLE
    if not path.is_file():
        raise InputError("this is not a bundle: there is no bundle.json", where=str(folder), hint="igakulm export")
    if path.is_symlink():
        raise InputError("bundle.json is a link, not a file", where=str(path), hint=_COPY_AGAIN)
    try:
        value = read_json(path)
    except RecursionError as error:
        raise InputError("the file is not valid JSON: nested too deeply", where=str(path)) from error
    if not isinstance(value, dict) or value.get("format") != FORMAT or not _well_formed(value):
        what = f"this bundle.json is not of format {FORMAT}"
        raise InputError(what, where=str(path), hint="export again with this version, or install the one that wrote it")
    if value.get(DIGEST) != description_digest(value):
        raise InputError("bundle.json has changed", where=str(path), hint=_COPY_AGAIN)
    check_sizes(folder, value["files"])
    return value


def _well_formed(value: Mapping[str, Any]) -> bool:
    gguf = value.get("gguf", {})
    return (
        isinstance(value.get("name"), str)
        and isinstance(value.get("model"), dict)
        and well_formed_files(value.get("files"))
        and isinstance(gguf, dict)
        and all(isinstance(entry, dict) and f"gguf/{name}" in value["files"] for name, entry in gguf.items())
    )
