"""YAML to a checked `Recipe`: environment variables, `--set a.b=c`, and errors that name file, line and key.

Does: read, override, validate. Does not: look at the data that the recipe points to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from igakulm.errors import InputError, did_you_mean
from igakulm.files import explain_os_error
from igakulm.recipe.keys import DataPath, Section
from igakulm.recipe.schema import Recipe

SectionT = TypeVar("SectionT", bound=Section)
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are `a.b=c` strings whose values are YAML.

    Paths of data are relative to the recipe's own folder; `${NAME:-default}` reads the environment.

    Raises:
        InputError: missing file, bad YAML, unknown key (with a suggestion), wrong value.
    """
    recipe = load_yaml(path, Recipe, "recipe", "`igakulm init DIR` writes examples to DIR/recipes", overrides)
    resolved: Recipe = resolve_paths(recipe, path.resolve().parent)
    _check_start(resolved, path)
    _check_folds(resolved, path)
    return resolved


def load_yaml(path: Path, model: type[SectionT], what: str, hint: str, overrides: Sequence[str] = ()) -> SectionT:
    """Read a YAML file into its typed model; environment variables are expanded, paths stay as written.

    Args:
        path: of the file.
        model: of its whole.
        what: the file is called so in errors.
        hint: where one finds or gets such a file.
        overrides: `a.b=c` strings whose values are YAML.

    Raises:
        InputError: missing file, bad YAML, unknown key (with a suggestion), wrong value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"there is no such {what}", where=str(path), hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"the {what} is not UTF-8", where=str(path), hint="save it as UTF-8") from error
    except OSError as error:
        raise explain_os_error(error, path) from error
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"the {what} is not valid YAML: {error.problem}", where=f"{path}, line {line}") from error
    if not isinstance(data, dict):
        raise InputError(f"a {what} is a YAML mapping", where=str(path), hint=hint)
    for override in overrides:
        _override(data, override)
    try:
        return model.model_validate(_expand(data))
    except ValidationError as error:
        raise _explain(error, path, tree, model, hint) from error


def _check_start(recipe: Recipe, path: Path) -> None:
    """Pretraining needs text; without it a base must be there to tune."""
    if recipe.from_base and recipe.model.from_folder is None:
        raise InputError(
            "pretrain.steps is 0 and there is no base model to take as it is",
            where=f"{path}, key model.from_folder",
            hint="name a Hugging Face folder, a bundle or a GGUF file, or set pretrain.steps",
        )
    if not recipe.from_base and not recipe.corpus.sources:
        raise InputError(
            "the key 'corpus.sources' is missing: there is nothing to pretrain on",
            where=f"{path}, key corpus.sources",
            hint="add sources (recipes/quickstart.yaml shows how); or to tune a base as it is, set model.from_folder "
            "and pretrain.steps: 0",
        )


def _check_folds(recipe: Recipe, path: Path) -> None:
    """In the splits fold-I-of-K rows for tuning are test items, so that the corpus must not hold them either."""
    rows = recipe.benchmarks.jmed is not None or any(task.train for task in recipe.benchmarks.rows)
    guard = recipe.corpus.decontamination
    if recipe.finetune.split.startswith("fold-") and rows and guard.enabled and not guard.training_rows:
        raise InputError(
            f"with finetune.split {recipe.finetune.split} rows for tuning are test items, "
            "but corpus.decontamination.training_rows is false: the corpus may hold them",
            where=f"{path}, key corpus.decontamination.training_rows",
            hint="set corpus.decontamination.training_rows: true; all folds then share one corpus",
        )


def _override(data: dict[str, object], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise InputError(f"--set wants key=value, got {override!r}", hint="write for example --set pretrain.steps=100")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"--set {key}: the value {value!r} is not YAML") from error
    parts = key.split(".")
    target: Any = data
    for part in parts[:-1]:
        target = target.setdefault(part, {}) if isinstance(target, dict) else target[_position(target, part, key)]
        if not isinstance(target, dict | list):
            raise InputError(f"--set {key}: {part!r} is a value, not a section")
    if isinstance(target, list):
        target[_position(target, parts[-1], key)] = parsed
    else:
        target[parts[-1]] = parsed


def _position(items: list[object], part: str, key: str) -> int:
    """The place in a list that `part` of an override means."""
    if not part.isdigit() or int(part) >= len(items):
        raise InputError(f"--set {key}: {part!r} is no place in a list of {len(items)}", hint="places count from 0")
    return int(part)


def _expand(value: object) -> object:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: os.environ.get(found[1]) or found[2] or "", value)
    if isinstance(value, dict):
        return {key: _expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item) for item in value]
    return value


def _line_of(tree: yaml.Node | None, location: Sequence[int | str]) -> int | None:
    """The line of the deepest part of `location` that stands in the file, 1-based."""
    line: int | None = None
    node = tree
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _keys_at(root: type[Section], location: Sequence[int | str]) -> list[str]:
    """Names that are allowed where an unknown key stood."""
    model: Any = root
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            return []
        model = _section_in(field.annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _section_in(annotation: object) -> object:
    """The section class inside `X`, `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found is not None:
            return found
    return None


def _explain(
    error: ValidationError, path: Path, tree: yaml.Node | None, root: type[Section], example: str
) -> InputError:
    first = error.errors()[0]
    location = first["loc"]
    key = ".".join(str(part) for part in location)
    line = _line_of(tree, location)
    where = f"{path}, line {line}, key {key}" if line else f"{path}, key {key}"
    if first["type"] == "extra_forbidden":
        near = did_you_mean(str(location[-1]), _keys_at(root, location))
        known = ", ".join(_keys_at(root, location))
        hint = f"did you mean {near!r}?" if near else f"known keys here: {known}"
        return InputError(f"unknown key {location[-1]!r}", where=where, hint=hint)
    if first["type"] == "missing":
        return InputError(f"the key {key!r} is missing", where=where, hint=f"add it; {example}")
    return InputError(f"{key}: {first['msg']} (given: {first['input']!r})", where=where)


def resolve_paths(section: object, folder: Path) -> Any:
    """A copy of a section in which every `Data` path is absolute (relative ones start at `folder`)."""
    if isinstance(section, tuple):
        return tuple(resolve_paths(item, folder) for item in section)
    if not isinstance(section, BaseModel):
        return section
    changes: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in data_fields(section) and isinstance(value, str):
            changes[name] = os.path.normpath(folder / value)
        else:
            changes[name] = resolve_paths(value, folder)
    return section.model_copy(update=changes)


def data_fields(section: BaseModel) -> Mapping[str, str]:
    """Names and values of the fields that are paths to data."""
    found: dict[str, str] = {}
    for name, field in type(section).model_fields.items():
        marked = any(isinstance(item, DataPath) for item in field.metadata)
        if not marked:  # `Data | None` keeps its mark inside the union
            marked = any(
                isinstance(item, DataPath)
                for inner in getattr(field.annotation, "__args__", ())
                for item in getattr(inner, "__metadata__", ())
            )
        value = getattr(section, name)
        if marked and isinstance(value, str):
            found[name] = value
    return found


def data_files(pattern: str) -> list[Path]:
    """The files that a `Data` key means: one file, all files of a folder, or a glob; sorted.

    Raises:
        InputError: nothing is there.
    """
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    else:
        anchor = path.anchor or "."
        found = sorted(file for file in Path(anchor).glob(str(path.relative_to(path.anchor))) if file.is_file())
    if not found:
        raise InputError("no file is there", where=pattern, hint="check the path, or get the data first")
    return found


def data_paths(section: object) -> Iterator[str]:
    """Every `Data` path inside a section, in order."""
    if isinstance(section, tuple):
        for item in section:
            yield from data_paths(item)
    elif isinstance(section, BaseModel):
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, str) and name in data_fields(section):
                yield value
            else:
                yield from data_paths(value)


def absent_data(section: Any) -> list[str]:
    """The `Data` paths inside a section at which nothing is, in order, each once."""
    absent = []
    for path in dict.fromkeys(data_paths(section)):
        try:
            data_files(path)
        except InputError:
            absent.append(path)
    return absent
