"""Read a bundle and check it: bundle.json itself, and every file that it names.

Does: compare names, sizes and hashes; refuse what is changed, missing, added or linked. Does not: need torch or
transformers, load a model, or say who made the bundle: whoever can change a file can write new hashes. Compare the
digest that `igakulm verify` prints with one that reached you by another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igakulm.bundle.contents import BUNDLE, check_sizes, well_formed_files
from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, sha256_json
from igakulm.progress import Progress, SilentProgress

FORMAT = 2
DIGEST = "digest"
_COPY_AGAIN = "copy the bundle again"


def description_digest(description: Mapping[str, Any]) -> str:
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
    if not isinstance(value, dict) or value.get("format") not in (1, FORMAT) or not _well_formed(value):
        what = f"this bundle.json is not of format {FORMAT}"
        raise InputError(what, where=str(path), hint="export again with this version, or install the one that wrote it")
    if value["format"] == FORMAT and value.get(DIGEST) != description_digest(value):
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


def verify_bundle(folder: Path, *, expected: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Hash every file of a bundle again.

    Args:
        folder: the bundle.
        expected: the digest that the bundle must have, or its first 12 digits or more; None compares with none.
        progress: where to show it.

    Returns:
        name, digest, files (how many), bytes.

    Raises:
        InputError: a file is changed, cut short, missing, a link, or no part of the bundle; another digest.
    """
    if expected is not None and len(expected) < 12:
        raise InputError(f"{len(expected)} digits are too few", where=expected, hint="give 12 digits or more")
    value = read_bundle(folder)
    digest = str(value.get(DIGEST) or description_digest(value))
    if expected is not None and not digest.startswith(expected.lower()):
        raise InputError(f"this is another bundle: its digest is {digest}", where=f"{folder}, expected {expected}")
    size = sum(entry["bytes"] for entry in value["files"].values())
    with (progress or SilentProgress()).task("verify", size, "bytes") as task:
        for name, entry in value["files"].items():
            if sha256_file(folder / name) != entry["sha256"]:
                raise InputError("a file of the bundle has changed", where=str(folder / name), hint=_COPY_AGAIN)
            task.advance(entry["bytes"])
    return {"name": value["name"], "digest": digest, "files": len(value["files"]), "bytes": size}
