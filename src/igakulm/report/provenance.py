"""The report's last section: where every part of the run came from.

Does: show manifests and recipe without absolute paths or passwords, so that the page can be passed on.
Does not: verify anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml
from markupsafe import Markup
from pydantic import JsonValue

from igakulm.files import sha256_json
from igakulm.manifest import Manifest
from igakulm.recipe.schema import Recipe
from igakulm.report.numbers import Language
from igakulm.report.record import RunRecord
from igakulm.report.render import render
from igakulm.report.words import words

_ABSOLUTE = re.compile(r"^(?:/|[A-Za-z]:[\\/]|\\\\)")
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+@")
Versions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage, with its share of the run's time and where that begins (0 to 1)."""

    title: str
    folder: str
    manifest: Manifest
    share: float
    start: float


def provenance_section(recipe: Recipe, record: RunRecord, language: Language) -> Markup:
    """Stages with fingerprints and times, versions, the recipe."""
    shown = shared_recipe(recipe)
    return render(
        "provenance.html.j2",
        language,
        record=record,
        stages=_stages(record, language),
        software=_software(record, language),
        recipe_hash=sha256_json(shown),
        recipe_text=yaml.safe_dump(shown, allow_unicode=True, sort_keys=False, width=110),
    )


def _stages(record: RunRecord, language: Language) -> list[StageLine]:
    lines, before, whole = [], 0.0, record.seconds or 1.0
    for name, manifest in record.manifests.items():
        title, folder = words(language).named("stage", name), record.folders[name].name
        lines.append(StageLine(title, folder, manifest, manifest.seconds / whole, before / whole))
        before += manifest.seconds
    return lines


def _software(record: RunRecord, language: Language) -> list[tuple[list[str], Versions]]:
    """Stages of equal versions together."""
    found: dict[Versions, list[str]] = {}
    for name, manifest in record.manifests.items():
        used = {"python": manifest.provenance.get("python"), **(manifest.provenance.get("packages") or {})}
        versions = tuple((package, str(version)) for package, version in used.items() if version)
        found.setdefault(versions, []).append(words(language).named("stage", name))
    return [(names, versions) for versions, names in found.items() if versions]


def shared_recipe(recipe: Recipe) -> dict[str, JsonValue]:
    """The recipe as plain values without absolute paths and passwords; the same on every machine."""
    return {key: _walk(value) for key, value in recipe.model_dump(mode="json").items()}


def _walk(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _walk(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_walk(entry) for entry in value]
    return portable(value) if isinstance(value, str) else value


def portable(text: str) -> str:
    """A text without what belongs to one machine only.

    >>> portable("/home/a/data/corpus/*.jsonl"), portable("runs"), portable("http://me:secret@10.0.0.1/v1")
    ('…/corpus/*.jsonl', 'runs', 'http://10.0.0.1/v1')
    """
    text = _PASSWORD.sub("", text)
    if not _ABSOLUTE.match(text):
        return text
    return "/".join(("…", *PurePosixPath(text.replace("\\", "/")).parts[-2:]))
