"""Read a bundle and check it: bundle.json itself, and every file that it names.

Does: compare names, sizes and hashes; refuse what is changed, missing, added or linked. Does not: need torch or
transformers, load a model, or say who made the bundle: whoever can change a file can write new hashes. Compare the
digest that `igakulm verify` prints with one that reached you by another way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import explain_os_error, files_below, sha256_file, sha256_json
from igakulm.hashes import FileHashes
from igakulm.inference.bundle_folder import DIGEST, description_digest, read_bundle
from igakulm.progress import Progress, SilentProgress

_COPY_AGAIN = "copy the bundle again"


def verify_bundle(
    folder: Path,
    *,
    expected: str | None = None,
    progress: Progress | None = None,
    hash_of: Callable[[Path], str] = sha256_file,
) -> dict[str, Any]:
    """Hash every file of a bundle again.

    Args:
        folder: the bundle.
        expected: the digest that the bundle must have, or its first 12 digits or more; None compares with none.
        progress: where to show it.
        hash_of: hex SHA-256 of a file.

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
            if hash_of(folder / name) != entry["sha256"]:
                raise InputError("a file of the bundle has changed", where=str(folder / name), hint=_COPY_AGAIN)
            task.advance(entry["bytes"])
    return {"name": value["name"], "digest": digest, "files": len(value["files"]), "bytes": size}


def verify_at_start(folder: Path, memory: Path | None = None) -> dict[str, object]:
    """As `verify_bundle`, but a file is hashed again only when its inode, size, mtime or ctime is another.

    Whoever writes to a file changes its ctime, which only the kernel sets; whoever can write the memory too can write
    bundle.json, see above.

    Args:
        folder: the bundle.
        memory: a file with what was hashed before; None = in the user's cache folder.
    """
    hashes = FileHashes(memory or _memory())
    found = verify_bundle(folder, hash_of=hashes.of)
    hashes.save()
    return found


def files_digest(folder: Path, memory: Path | None = None) -> str:
    """One hash for the content of a model folder that is no bundle; empty where there is none."""
    if not folder.is_dir():
        return ""
    hashes = FileHashes(memory or _memory())
    try:
        found = {path.relative_to(folder).as_posix(): hashes.of(path) for path in files_below(folder)}
    except OSError as error:
        raise explain_os_error(error, folder) from error
    hashes.save()
    return sha256_json(found)


def _memory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "igakulm" / "verified.json"
