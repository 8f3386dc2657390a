"""What each stage writes for the small quickstart run is known, so that a change of it does not go unnoticed.

A stage whose output changes for the same input must raise its `version`, or old folders pass for new ones. Renew with
`make golden` (or IGAKULM_RENEW_GOLDEN=1 python -m pytest tests/pipeline/test_golden.py) and commit tests/golden.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from igakulm.files import BESIDE_THE_RESULT, read_json, sha256_json, write_json
from igakulm.manifest import Manifest, read_manifest
from igakulm.pipeline.stages import STAGES, stage_named
from small_quickstart import FinishedRun

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "stages.json"
RENEW = "make golden"
TRAINED = ("pretrain", "finetune", "evaluate", "export")
"""Stages whose bytes hang on the arithmetic of the machine."""
TIMED = ("report",)
"""Stages whose output tells times; their bytes are not compared."""


def described(manifest: Manifest) -> dict[str, Any]:
    """What the golden file knows of a finished stage. `ingredients` are input and keys, without the version."""
    ingredients = {key: value for key, value in manifest.ingredients.items() if key != "version"}
    timed = manifest.stage in TIMED
    kept = {name: entry for name, entry in manifest.files.items() if not name.startswith(BESIDE_THE_RESULT)}
    return {
        "version": manifest.version,
        "ingredients": sha256_json(ingredients),
        "digest": "" if timed else manifest.digest,
        "files": {name: "" if timed else entry["sha256"][:12] for name, entry in kept.items()},
    }


def machine(manifests: dict[str, Manifest]) -> dict[str, Any]:
    return {
        "packages": manifests["corpus"].provenance["packages"],
        "arithmetic": manifests["pretrain"].provenance["arithmetic"],
    }


def complaint(stage: str, known: dict[str, Any], found: dict[str, Any], *, bytes_promised: bool) -> str:
    """Why a stage's output is not what it was; "" if it is."""
    same = known["digest"] == found["digest"] and known["files"] == found["files"]
    if bytes_promised and not same:
        names = sorted({*known["files"], *found["files"]})
        changed = [name for name in names if known["files"].get(name) != found["files"].get(name)]
        if known["version"] == found["version"] and known["ingredients"] == found["ingredients"]:
            return (
                f"the output of the stage {stage} changed for the same input ({', '.join(changed[:5])}): raise the "
                f"version of stage {stage} in pipeline/stages.py and run `{RENEW}`"
            )
    elif known["files"].keys() != found["files"].keys() and known["version"] == found["version"]:
        return f"the stage {stage} writes other files: raise its version in pipeline/stages.py and run `{RENEW}`"
    if {**known, "files": 0, "digest": 0} != {**found, "files": 0, "digest": 0} and bytes_promised:
        return f"the stage {stage} has another version or input than the golden file: run `{RENEW}` and commit it"
    return ""


@pytest.fixture(scope="module")
def manifests(small_run: FinishedRun) -> dict[str, Manifest]:
    found = {stage.name: read_manifest(small_run.folder / "latest" / stage.name) for stage in STAGES}
    whole = {name: manifest for name, manifest in found.items() if manifest is not None}
    assert whole.keys() == found.keys()
    if os.environ.get("IGAKULM_RENEW_GOLDEN"):
        write_json(GOLDEN, {**machine(whole), "stages": {name: described(whole[name]) for name in whole}})
    return whole


def test_the_golden_file_knows_every_stage() -> None:
    assert set(read_json(GOLDEN)["stages"]) == {stage.name for stage in STAGES}


@pytest.mark.parametrize("name", [stage.name for stage in STAGES])
def test_a_stage_writes_what_it_wrote_or_has_another_version(name: str, manifests: dict[str, Manifest]) -> None:
    golden, here = read_json(GOLDEN), machine(manifests)
    assert manifests[name].version == stage_named(name).version
    promised = golden["packages"] == here["packages"] and name not in TIMED
    promised = promised and (name not in TRAINED or golden["arithmetic"] == here["arithmetic"])
    assert not (why := complaint(name, golden["stages"][name], described(manifests[name]), bytes_promised=promised)), (
        why
    )


def test_complaints() -> None:
    known = {"version": 1, "ingredients": "a", "digest": "d", "files": {"x": "1"}}
    assert complaint("pack", known, known, bytes_promised=True) == ""
    changed = {**known, "digest": "e", "files": {"x": "2"}}
    assert "raise the version of stage pack" in complaint("pack", known, changed, bytes_promised=True)
    assert complaint("pack", known, changed, bytes_promised=False) == ""
    raised = complaint("pack", known, {**changed, "version": 2}, bytes_promised=True)
    assert "another version or input" in raised and RENEW in raised
    assert "other files" in complaint("pack", known, {**changed, "files": {"y": "2"}}, bytes_promised=False)
