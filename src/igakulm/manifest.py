"""What a finished stage folder holds: files, hashes, counts, provenance. Without a manifest a folder does not exist.

Does: write, read and check `manifest.json`. Does not: decide what to run.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import (
    BESIDE_THE_RESULT,
    MANIFEST,
    files_below,
    read_json,
    sha256_file,
    sha256_json,
    sync,
    write_json,
)
from igakulm.machine import arithmetic, cores
from igakulm.version import __version__

PROVENANCE_PACKAGES = ("torch", "transformers", "numpy", "pyarrow", "sentencepiece", "tokenizers", "fugashi", "gguf")


@dataclass(frozen=True)
class Manifest:
    """The record of one finished stage.

    `ingredients` is the exact structure whose hash is the fingerprint; `digest` covers the content of all files
    but logs and checkpoints; `seconds`, `finished` and `provenance` are records and enter no hash.
    """

    stage: str
    version: int
    fingerprint: str
    ingredients: Mapping[str, Any]
    digest: str
    files: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, Any]
    seconds: float = 0.0
    finished: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


def describe_files(folder: Path, hash_of: Callable[[Path], str] = sha256_file) -> dict[str, dict[str, object]]:
    """Relative path -> size in bytes and SHA-256, for every file below a folder; each file is synced first."""
    described = {}
    for path in files_below(folder):
        sync(path)
        described[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": hash_of(path)}
    return described


def content_digest(files: Mapping[str, Mapping[str, object]]) -> str:
    """One hash for the content of a stage: names and hashes of all files but logs and checkpoints."""
    return sha256_json(
        {name: entry["sha256"] for name, entry in files.items() if not name.startswith(BESIDE_THE_RESULT)}
    )


def provenance() -> dict[str, object]:
    """Versions and machine, as a record; what torch computed with only where a stage has loaded it."""
    versions: dict[str, str | None] = {}
    computed = arithmetic()
    for package in PROVENANCE_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "igakulm": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": cores(),
        "gpus": _gpus(),
        "arithmetic": computed.as_json() if computed else None,
        "packages": versions,
    }


def _gpus() -> list[str]:
    """Names of the GPUs that this process uses; torch is asked only where a stage has loaded it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [str(torch.cuda.get_device_name(number)) for number in range(torch.cuda.device_count())]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest: the last file of a stage."""
    write_json(folder / MANIFEST, asdict(manifest))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, or None when the folder is unfinished.

    Raises:
        InputError: a manifest that was damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    value = read_json(path)
    try:
        return Manifest(**value)
    except TypeError as error:
        raise InputError(
            "this manifest is not one of ours", where=str(path), hint="remove the folder and run the stage again"
        ) from error


def check_files(folder: Path, manifest: Manifest, hash_of: Callable[[Path], str] = sha256_file) -> None:
    """Compare sizes with the manifest, and hashes of all that later stages read, so that nothing is built upon a file
    that was cut short, or changed at the same size. Of logs and checkpoints only sizes are compared.

    Args:
        folder: of the stage.
        manifest: of the folder.
        hash_of: hex SHA-256 of a file.

    Raises:
        InputError: a file is missing, has another size or another content.
    """
    for name, entry in manifest.files.items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size is None:
            what = "is missing"
        elif size != entry["bytes"]:
            what = f"has {size} bytes instead of {entry['bytes']}"
        elif not name.startswith(BESIDE_THE_RESULT) and hash_of(path) != entry["sha256"]:
            what = "has changed"
        else:
            continue
        hint = f"remove the folder {folder} and run the same command again"
        raise InputError(f"a file of a finished stage {what}", where=str(path), hint=hint)
