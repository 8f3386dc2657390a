"""Read a bundle and check it: bundle.json itself, and every file that it names.

Does: compare names, sizes and hashes; refuse what is changed, missing, added or linked. Does not: need torch or
transformers, load a model, or say who made the bundle: whoever can change a file can write new hashes. Compare the
digest that `igakulm verify` prints with one that reached you by another way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, write_json
from igakulm.inference.bundle_folder import DIGEST, description_digest, read_bundle
from igakulm.progress import Progress, SilentProgress

MOST_CACHED = 1000
"""Files whose hashes are kept: those of some dozens of bundles."""
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


def verify_at_start(folder: Path, cache: Path | None = None) -> dict[str, Any]:
    """As `verify_bundle`, but a file is hashed again only when its inode, size, mtime or ctime is another.

    Whoever writes to a file changes its ctime, which only the kernel sets; whoever can write the cache too can write
    bundle.json, see above.

    Args:
        folder: the bundle.
        cache: a file with what was hashed before; None = in the user's cache folder.
    """
    cache = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "igakulm" / "verified.json"
    known, seen = _read_cache(cache), dict[str, str]()

    def hash_of(path: Path) -> str:
        status = path.stat()
        parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        key = ":".join(map(str, parts))
        seen[key] = known.get(key) or sha256_file(path)
        return seen[key]

    found = verify_bundle(folder, hash_of=hash_of)
    if seen.items() - known.items():
        with suppress(InputError):  # a folder that cannot be written costs the time of hashing again, nothing else
            write_json(cache, dict(list({**known, **seen}.items())[-MOST_CACHED:]))
    return found


def _read_cache(path: Path) -> dict[str, str]:
    try:
        value = read_json(path)
    except (InputError, OSError, RecursionError):
        return {}
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
