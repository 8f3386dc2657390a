"""How a model's text is prepared, as its folder says it: `preparation.json`.

Does: write and read the file. Does not: prepare text (prepared.py).

The file is {"version": 1, "form": "cleaned"}. A folder without one is a model that others made: it reads text raw.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from igakulm.errors import InputError, did_you_mean
from igakulm.files import read_json, write_json
from igakulm.text.prepared import Form

PREPARATION_FILE = "preparation.json"
VERSION = 1


def write_preparation(folder: Path, form: Form) -> None:
    """Write `preparation.json` into a model's folder."""
    write_json(folder / PREPARATION_FILE, {"version": VERSION, "form": form})


def read_preparation(folder: Path) -> Form:
    """The form that the model in `folder` reads; "raw" where the folder does not say.

    Raises:
        InputError: a file of another form, a newer version, an unknown form.
    """
    path = folder / PREPARATION_FILE
    if not path.is_file():
        return "raw"
    value = read_json(path)
    if not isinstance(value, dict) or value.keys() != {"version", "form"} or type(value["version"]) is not int:
        hint = f'it holds {{"version": {VERSION}, "form": "cleaned"}}'
        raise InputError("this does not say how text is prepared", where=str(path), hint=hint)
    if value["version"] != VERSION:
        raise InputError(
            f"text is prepared by version {value['version']}, and this program knows version {VERSION}",
            where=str(path),
            hint="use the version of igakulm that wrote the folder, or a newer one",
        )
    forms: tuple[Form, ...] = get_args(Form)
    for form in forms:
        if value["form"] == form:
            return form
    raise InputError(
        f"there is no form of prepared text {value['form']!r}",
        where=str(path),
        hint=did_you_mean(str(value["form"]), forms) or f"the forms are {', '.join(forms)}",
    )
