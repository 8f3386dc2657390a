"""The key file: the secret behind surrogates and shifts, and what was replaced where, so that it can be undone.

Does: make, read and extend it; undo a replacement whose text has not been touched since. Does not: stand inside a run:
whoever has the key and the text has the personal data.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import MANIFEST, explain_os_error, numbered_jsonl
from igakulm.recipe.personal_data import Deidentification
from igakulm.text.personal.replacing import Deidentifier, Replaced

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Undo:
    """One text: the hash of its place and of what it became, and what stood where."""

    sha256: str
    edits: tuple[tuple[int, int, str], ...]


def open_key(path: Path, beside: Path | None = None) -> bytes:
    """The secret of a key file, which is made if it is not there (readable by its owner only).

    Args:
        path: of the key.
        beside: the output that the key belongs to: the key must not lie in its folder.

    Raises:
        InputError: the key lies beside the output or inside a run, or is no key.
    """
    _check_place(path, beside)
    if path.exists():
        return _header(path)
    secret = secrets.token_bytes(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps({"igakulm_key": _VERSION, "secret": secret.hex()}) + "\n")
    except OSError as error:
        raise explain_os_error(error, path) from error
    return secret


def deidentifier_of(config: Deidentification, where: str, beside: Path | None = None) -> Deidentifier:
    """What a stage of a run, or a command, takes personal data out with.

    Args:
        config: of the recipe or of the command's options.
        where: the key of the recipe or the option, for messages.
        beside: a file that is written, in whose folder the key must not lie.

    Raises:
        InputError: dates or names are to be invented without a key file, so that no two runs would be the same; or the
            key lies inside a run or beside the output.
    """
    if config.key is None and (config.style == "invented" or config.dates == "shift"):
        hint = "name a file outside the run, e.g. {dates: shift, key: /secure/ward.key}; it is made if it is not there"
        raise InputError("shifted dates and invented names need a key file", where=where, hint=hint)
    return Deidentifier(config, open_key(Path(config.key), beside) if config.key else b"none")


def _check_place(path: Path, beside: Path | None) -> None:
    hint = "keep it where only those may read who may read the records, e.g. in a folder of its own"
    folder = path.resolve().parent
    if beside is not None and folder == beside.resolve().parent:
        raise InputError("the key must not lie beside the text that it opens", where=str(path), hint=hint)
    if any((parent / MANIFEST).exists() for parent in (folder, *folder.parents)):
        raise InputError("the key must not lie inside a run or a bundle", where=str(path), hint=hint)


def _header(path: Path) -> bytes:
    for _, row in numbered_jsonl(path):
        if row.get("igakulm_key") == _VERSION and isinstance(row.get("secret"), str):
            try:
                return bytes.fromhex(row["secret"])
            except ValueError:
                break
        break
    raise InputError(
        "this is not a key file of this version", where=str(path), hint="name a new file, or the right one"
    )


def undo_of(replaced: Replaced, place: str) -> Undo:
    """How to undo one replacement; `place` says where in the file it stands."""
    edits = ((edit.new_start, edit.new_end, replaced.original[edit.start : edit.end]) for edit in replaced.edits)
    return Undo(_digest(replaced.text, place), tuple(edits))


def add_to_key(path: Path, undos: Iterable[Undo]) -> None:
    """Append what was replaced."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(
                json.dumps([undo.sha256, undo.edits], ensure_ascii=False) + "\n" for undo in undos if undo.edits
            )
    except OSError as error:
        raise explain_os_error(error, path) from error


def read_key(path: Path) -> dict[str, Undo]:
    """All replacements of a key by the hash of the place and of the text that came out.

    Raises:
        InputError: no key file, or a damaged line.
    """
    _header(path)
    return {undo.sha256: undo for undo in _undos(path)}


def _undos(path: Path) -> Iterator[Undo]:
    with path.open(encoding="utf-8") as file:
        next(file)
        for number, line in enumerate(file, 2):
            try:
                digest, edits = json.loads(line)
                yield Undo(digest, tuple((int(start), int(end), str(text)) for start, end, text in edits))
            except (ValueError, TypeError) as error:
                raise InputError("this line of the key is damaged", where=f"{path}, line {number}") from error


def restored(text: str, place: str, key: dict[str, Undo]) -> str | None:
    """The original of a text that was replaced with this key; None if it was not, or was changed or moved since."""
    undo = key.get(_digest(text, place))
    if undo is None:
        return None
    pieces: list[str] = []
    done = 0
    for start, end, original in undo.edits:
        pieces += (text[done:start], original)
        done = end
    return "".join([*pieces, text[done:]])


def _digest(text: str, place: str) -> str:
    return hashlib.sha256(f"{place}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
