"""Run the stages of a recipe: fingerprints, locking, resume, status.

Does: give each stage a folder `STAGE-<hash8>` below `runs_folder/name`, written as `….partial` and renamed when its
manifest is complete; a killed run continues with the same command. Does not: know what a stage does.

Under a launcher (`torchrun`) the leading process does all of this. The others wait, take part in the stages that are
`shared` (training), and end when it ends, with the same exit code.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from igakulm.errors import InputError
from igakulm.files import explain_os_error, locked, read_json, sync, write_json
from igakulm.hashes import FileHashes
from igakulm.manifest import (
    Manifest,
    check_files,
    content_digest,
    describe_files,
    provenance,
    read_manifest,
    write_manifest,
)
from igakulm.pipeline.fingerprint import differences, fingerprint, ingredients
from igakulm.pipeline.stages import Stage, stage_named, stages_for, stages_of
from igakulm.progress import Progress, SilentProgress
from igakulm.recipe.loading import absent_data
from igakulm.recipe.schema import Recipe
from igakulm.training.world import World, current_world, joined

BEGUN = "begun.json"
"""In the folder of a training that is not finished: what it was begun with."""
ADJUSTABLE = frozenset(
    f"{stage}.{key}"
    for stage in ("pretrain", "finetune")
    for key in ("validate_every", "compile", "micro_batch", "spike_factor")
)
"""Keys that may change while a training is unfinished; `training.loop.NOT_IDENTITY` has the same."""
Found = TypeVar("Found")
State = Literal["done", "stale", "partial", "missing", "waiting"]


@dataclass(frozen=True)
class StageStatus:
    """Where one stage stands; `why` explains everything but `done`."""

    stage: str
    state: State
    folder: Path | None
    why: str = ""
    seconds: float | None = None


def run_folder(recipe: Recipe) -> Path:
    """The folder of all stages of a recipe."""
    return Path(recipe.runs_folder) / recipe.name


def _present(stage: Stage, found: Mapping[str, Found]) -> dict[str, Found]:
    """Of what was found for every earlier stage, what a stage reads; a recipe may lack some of them."""
    return {name: found[name] for name in stage.needs if name in found}


def _exit_code(error: BaseException) -> int:
    if isinstance(error, InputError):
        return 2
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _few(changes: Sequence[str]) -> str:
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return "; ".join(changes[:3]) + more


class Runner:
    """Runs the stages of one recipe."""

    def __init__(self, recipe: Recipe, progress: Progress) -> None:
        self.recipe, self.progress = recipe, progress
        self.folder = run_folder(recipe)
        self._hashes = FileHashes(self.folder / ".hashes.json")
        self._messages = 0

    def run(self, target: str = "report", *, wait: bool = False) -> dict[str, Path]:
        """Build `target` and whatever it needs; return the folder of every stage (nothing in processes that follow).

        Raises:
            InputError: bad input, a full disk, a lock held by another process.
        """
        with joined() as world:
            if not world.leads:
                self._follow(world)
                return {}
            try:
                folders = self._lead(target, wait=wait)
            except BaseException as error:
                self._send(world, {"end": _exit_code(error)})
                raise
            self._send(world, {"end": 0})
            return folders

    def _refuse_absent_data(self, stages: Sequence[Stage]) -> None:
        """Name all files that the stages want and that are not there, before the first stage spends an hour."""
        sections = dict.fromkeys(section for stage in stages for section in stage.sections)
        absent = [path for section in sections for path in absent_data(getattr(self.recipe, section, None))]
        if absent := list(dict.fromkeys(absent)):
            what = (
                "a file that the recipe names is not there" if len(absent) == 1 else f"{len(absent)} files are missing"
            )
            hint = "get the data, or change these keys in the recipe; `igakulm doctor --recipe FILE` looks again"
            raise InputError(what, where=", ".join(absent), hint=hint)

    def _lead(self, target: str, *, wait: bool) -> dict[str, Path]:
        stages = stages_for(target, self.recipe)
        self._refuse_absent_data(stages)
        with locked(self.folder, wait=wait):
            done: dict[str, Manifest] = {}
            folders: dict[str, Path] = {}
            for number, stage in enumerate(stages, 1):
                manifest, folders[stage.name] = self._ensure(stage, done, folders, f"{number}/{len(stages)}")
                done[stage.name] = manifest
                self._point_latest(stage.name, folders[stage.name])
            self._hashes.save()
            return folders

    def _follow(self, world: World) -> None:
        """Take part in every shared stage that the leading process begins, until it ends.

        Raises:
            SystemExit: it ended with an error.
        """
        while True:
            message = world.receive(self._messages)
            self._messages += 1
            if "end" in message:
                if message["end"]:
                    raise SystemExit(message["end"])
                return
            inputs = {name: Path(folder) for name, folder in message["inputs"].items()}
            stage_named(message["stage"]).build(self.recipe, inputs, Path(message["folder"]), SilentProgress())

    def _send(self, world: World, message: dict[str, object]) -> None:
        world.send(self._messages, message)
        self._messages += 1

    def status(self) -> list[StageStatus]:
        """Where every stage stands, without changing anything.

        Raises:
            InputError: files that the recipe names are not there; all of them are named.
        """
        done: dict[str, Manifest] = {}
        rows = []
        stages = stages_of(self.recipe)
        self._refuse_absent_data(stages)
        present = {stage.name for stage in stages}
        for stage in stages:
            waiting = [name for name in stage.needs if name in present and name not in done]
            if waiting:
                rows.append(self._waiting(stage, waiting))
                continue
            structure = self._ingredients(stage, done)
            folder = self._stage_folder(stage, fingerprint(structure))
            manifest = read_manifest(folder)
            if manifest is None:
                rows.append(self._unfinished(stage, folder, structure))
                continue
            done[stage.name] = manifest
            rows.append(StageStatus(stage.name, "done", folder, seconds=manifest.seconds))
        return rows

    def _ensure(
        self, stage: Stage, done: dict[str, Manifest], folders: dict[str, Path], place: str
    ) -> tuple[Manifest, Path]:
        structure = self._ingredients(stage, done)
        folder = self._stage_folder(stage, fingerprint(structure))
        manifest = read_manifest(folder)
        if manifest is not None:
            check_files(folder, manifest, self._hashes.of)
            self.progress.say(f"[{place}] {stage.name}: done before ({folder.name})")
            return manifest, folder
        self.progress.say(f"[{place}] {stage.name}: {stage.purpose}")
        inputs = _present(stage, folders)
        for name, path in inputs.items():
            check_files(path, done[name], self._hashes.of)
        try:
            return self._build(stage, structure, folder, inputs), folder
        except OSError as error:
            raise explain_os_error(error, folder) from error
        except InputError:
            raise
        except Exception as error:  # libraries wrap the operating system's refusal in their own types
            if "No space left on device" in str(error) or "disk is full" in str(error):
                raise explain_os_error(OSError(28, "disk full", str(folder)), folder) from error
            raise

    def _build(self, stage: Stage, structure: dict[str, object], folder: Path, inputs: dict[str, Path]) -> Manifest:
        partial = folder.with_name(folder.name + ".partial")
        if partial.exists() and not stage.resumable:
            shutil.rmtree(partial)
        if stage.shared and not partial.exists():
            self._go_on_with(stage, structure, partial)
        partial.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        if stage.shared:
            write_json(partial / BEGUN, structure)
            paths = {name: str(path) for name, path in inputs.items()}
            self._send(current_world(), {"stage": stage.name, "folder": str(partial), "inputs": paths})
        try:
            summary = stage.build(self.recipe, inputs, partial, self.progress)
        except InputError:
            if not stage.resumable:
                shutil.rmtree(partial, ignore_errors=True)
            raise
        (partial / BEGUN).unlink(missing_ok=True)
        files = describe_files(partial, self._hashes.of)
        manifest = Manifest(
            stage=stage.name,
            version=stage.version,
            fingerprint=fingerprint(structure),
            ingredients=structure,
            digest=content_digest(files),
            files=files,
            summary=summary,
            seconds=round(time.monotonic() - start, 2),
            finished=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            provenance=provenance(),
        )
        write_manifest(partial, manifest)
        partial.rename(folder)
        sync(folder.parent)
        self._hashes.save()
        return manifest

    def _go_on_with(self, stage: Stage, structure: dict[str, object], partial: Path) -> None:
        """Let the stage continue a training that was begun with other adjustable keys, if there is one.

        Raises:
            InputError: one was begun with something else; hours of work are not left lying unsaid.
        """
        begun = self._begun(stage, structure)
        for folder, changes in begun.items():
            if all(change.partition(": ")[0] in ADJUSTABLE for change in changes):
                self.progress.say(f"the training in {folder.name} is continued with {'; '.join(changes)}")
                folder.rename(partial)
                return
        for folder, changes in begun.items():
            raise InputError(
                f"an unfinished training was begun with something else (then -> now): {_few(changes)}",
                where=str(folder),
                hint="go on with the same settings and data; or remove that folder, or choose another name, "
                "and begin again",
            )

    def _begun(self, stage: Stage, structure: dict[str, object]) -> dict[Path, list[str]]:
        """Unfinished trainings that have a checkpoint, and how what they were begun with differs from `structure`."""
        comparable = json.loads(json.dumps(structure))
        found = {}
        for path in sorted(self.folder.glob(f"{stage.name}-????????.partial")):
            if (path / BEGUN).is_file() and any(path.glob("checkpoints/step-*")):
                found[path] = list(differences(read_json(path / BEGUN), comparable))
        return found

    def _ingredients(self, stage: Stage, done: dict[str, Manifest]) -> dict[str, object]:
        sections = {name: getattr(self.recipe, name) for name in stage.sections}
        inputs = {name: manifest.digest for name, manifest in _present(stage, done).items()}
        return ingredients(stage.name, stage.version, sections, inputs, self._hashes)

    def _stage_folder(self, stage: Stage, digest: str) -> Path:
        return self.folder / f"{stage.name}-{digest[:8]}"

    def _point_latest(self, name: str, folder: Path) -> None:
        """`latest/STAGE` always leads to the folder that the last run used."""
        link = self.folder / "latest" / name
        temporary = link.with_name(f".{name}.{os.getpid()}.tmp")
        try:
            link.parent.mkdir(exist_ok=True)
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(Path("..") / folder.name)
            temporary.replace(link)
        except OSError as error:
            raise explain_os_error(error, link) from error

    def _older(self, stage: Stage) -> list[Manifest]:
        found = [read_manifest(path) for path in sorted(self.folder.glob(f"{stage.name}-????????"))]
        return sorted((manifest for manifest in found if manifest), key=lambda manifest: manifest.finished)

    def _waiting(self, stage: Stage, waiting: list[str]) -> StageStatus:
        older = self._older(stage)
        why = f"waits for {', '.join(waiting)}"
        return StageStatus(stage.name, "stale" if older else "waiting", None, why)

    def _unfinished(self, stage: Stage, folder: Path, structure: dict[str, object]) -> StageStatus:
        if folder.with_name(folder.name + ".partial").exists():
            how = "will continue" if stage.resumable else "will start afresh"
            return StageStatus(stage.name, "partial", None, f"was interrupted; {how}")
        for changes in self._begun(stage, structure).values():
            return StageStatus(stage.name, "partial", None, f"was begun with something else: {_few(changes)}")
        older = self._older(stage)
        if not older:
            return StageStatus(stage.name, "missing", None, "never run")
        comparable = json.loads(json.dumps(structure))
        changes = list(differences(older[-1].ingredients, comparable))
        return StageStatus(stage.name, "stale", None, _few(changes))
