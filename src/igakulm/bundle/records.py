"""Where a model comes from: the finished stages that led to it, found by the digests in their manifests.

Does: follow a tuned model back to its corpus and on to its evaluation; gather data, licences and training facts. Does
not: write (card.py, licences.py and export.py do), or guess: a stage that is not found leaves its part empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igakulm.bundle.personal_data import PersonalDone, personal_data_of
from igakulm.corpus.records import SOURCES, SourceEntry, read_sources
from igakulm.errors import InputError
from igakulm.evaluation.scoreboard import SCOREBOARD, Scoreboard, read_scoreboard
from igakulm.manifest import Manifest, read_manifest
from igakulm.tasks.benchmarks.registry import benchmark_of, licence_of

MODEL = "model"
UNKNOWN = "unknown"
"""The licence of what names none."""


@dataclass(frozen=True)
class Records:
    """What is known about a model's making.

    `stages` maps names to (folder, manifest) of the stages that led to the model, the last first; the folders are
    those of sources.json, scoreboard.json and the tuning stage, None where not found.
    """

    stages: Mapping[str, tuple[Path, Manifest]] = field(default_factory=dict)
    corpus_dir: Path | None = None
    evaluation_dir: Path | None = None
    finetune_dir: Path | None = None

    def manifest(self, stage: str) -> Manifest | None:
        """The manifest of a stage that led to the model."""
        return self.stages[stage][1] if stage in self.stages else None


def model_folder(folder: Path) -> Path:
    """The Hugging Face folder that is meant: the folder itself, or `model/` of a training stage's folder.

    Raises:
        InputError: neither holds a config.json.
    """
    for candidate in (folder, folder / MODEL):
        if (candidate / "config.json").is_file():
            return candidate
    what = "there is no model: no config.json in this folder"
    raise InputError(what, where=str(folder), hint="give a Hugging Face folder, or the folder of a training stage")


def find_records(model_dir: Path, corpus_dir: Path | None = None, evaluation_dir: Path | None = None) -> Records:
    """Follow a model back through the run folder that it lies in.

    Args:
        model_dir: the Hugging Face folder, e.g. `runs/NAME/finetune-…/model`.
        corpus_dir: a folder with sources.json that wins over what is found.
        evaluation_dir: a folder with scoreboard.json that wins over what is found.

    Raises:
        InputError: a given folder lacks its file.
    """
    for given, name in ((corpus_dir, SOURCES), (evaluation_dir, SCOREBOARD)):
        if given is not None and not (given / name).is_file():
            raise InputError(
                f"there is no {name} in this folder", where=str(given), hint="give a finished stage's folder"
            )
    stages: dict[str, tuple[Path, Manifest]] = {}
    stage_dir = model_dir.resolve().parent
    manifest = _manifest(stage_dir)
    if model_dir.resolve().name == MODEL and manifest is not None:
        stages[manifest.stage] = (stage_dir, manifest)
        _follow(manifest, stage_dir.parent, stages)
        evaluation_dir = evaluation_dir or _evaluation(manifest, stage_dir.parent)
    found = {name: folder for name, (folder, _) in stages.items()}
    corpus_dir = corpus_dir or found.get("corpus")
    return Records(stages, corpus_dir, evaluation_dir, found.get("finetune"))


def _manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except InputError:
        return None  # a damaged neighbour must not keep a model from being exported


def _neighbours(run_folder: Path, stage: str) -> Iterator[tuple[Path, Manifest]]:
    for folder in sorted(run_folder.glob(f"{stage}-????????")):
        manifest = _manifest(folder)
        if manifest is not None:
            yield folder, manifest


def _follow(manifest: Manifest, run_folder: Path, stages: dict[str, tuple[Path, Manifest]]) -> None:
    for name, digest in manifest.ingredients.get("inputs", {}).items():
        for folder, neighbour in _neighbours(run_folder, name):
            if neighbour.digest == digest and name not in stages:
                stages[name] = (folder, neighbour)
                _follow(neighbour, run_folder, stages)


def _evaluation(manifest: Manifest, run_folder: Path) -> Path | None:
    """The latest evaluation of this very model."""
    found = [
        (neighbour.finished, folder)
        for folder, neighbour in _neighbours(run_folder, "evaluate")
        if neighbour.ingredients.get("inputs", {}).get(manifest.stage) == manifest.digest
    ]
    return max(found)[1] if found else None


def sources_of(records: Records) -> dict[str, SourceEntry]:
    """What the corpus holds of each source; empty when there is no record."""
    folder = records.corpus_dir
    return read_sources(folder) if folder and (folder / SOURCES).is_file() else {}


def scoreboard_of(records: Records) -> Scoreboard | None:
    """The scoreboard of the evaluation; None when there is none."""
    folder = records.evaluation_dir
    return read_scoreboard(folder) if folder and (folder / SCOREBOARD).is_file() else None


def tuning_of(records: Records) -> dict[str, dict[str, Any]]:
    """Task -> rows and licence of what the model was tuned on; the recipe's own rows name no licence."""
    manifest = records.manifest("finetune")
    if manifest is None:
        return {}
    benchmarks = manifest.ingredients.get("recipe", {}).get("benchmarks") or {}
    own = {row["name"] for row in benchmarks.get("rows") or ()}
    rows = manifest.summary.get("rows_by_task", {})
    return {
        task: {
            "rows": count,
            "licence": licence_of(task) if benchmark_of(task) and task not in own else UNKNOWN,
        }
        for task, count in rows.items()
    }


def personal_of(records: Records) -> dict[str, PersonalDone]:
    """Source or task -> what was done about personal data."""
    manifest = records.manifest("finetune")
    tuning = manifest.summary.get("personal_data", {}) if manifest else {}
    sources: dict[str, object] = {name: entry.personal_data for name, entry in sources_of(records).items()}
    written = records.manifest("synth")
    sources |= (written.summary.get("personal_data") or {}) if written else {}
    return personal_data_of(sources, tuning, list(tuning_of(records)))


def lists_of(records: Records) -> dict[str, str]:
    """Term list -> licence, of the lists whose terms the tokenizer holds."""
    manifest = records.manifest("lexicon")
    entries = manifest.summary.get("lists", ()) if manifest else ()
    return {str(entry["source"]): str(entry["licence"] or UNKNOWN) for entry in entries}


def licences_of(records: Records) -> dict[str, list[str]]:
    """Everything that the model was made from -> its licences, sources of the corpus first."""
    found = {name: list(entry.licences) or [UNKNOWN] for name, entry in sources_of(records).items()}
    found |= {f"tuning: {task}": [entry["licence"]] for task, entry in tuning_of(records).items()}
    found |= {f"terms: {name}": [licence] for name, licence in lists_of(records).items()}
    if started_from_open_model(records):
        found["base model"] = [UNKNOWN]
    return found


def started_from_open_model(records: Records) -> bool:
    """Whether the weights that training began with were another's."""
    for stage in ("pretrain", "finetune"):
        manifest = records.manifest(stage)
        if manifest and (manifest.ingredients.get("recipe", {}).get("model") or {}).get("from_folder"):
            return True
    return False


def training_of(records: Records) -> dict[str, dict[str, object]]:
    """Stage -> steps, tokens, loss_last, machine; of pretraining and tuning. Of tuning also `conversations`, whether
    there were any among the rows, and `open_model`, whether the weights began as another's, which may converse.

    Times are left to the manifests and the report: the same recipe and seed give the same bundle, killed or not.
    """
    found = {}
    for stage in ("pretrain", "finetune"):
        if stage in records.stages:
            manifest = records.stages[stage][1]
            keys = ("steps", "tokens", "epochs", "rows", "loss_last")
            facts = {key: manifest.summary[key] for key in keys if key in manifest.summary}
            found[stage] = {**facts, "machine": _machine(manifest)}
            if stage == "finetune":
                chats = (manifest.ingredients.get("recipe", {}).get("finetune") or {}).get("chats")
                found[stage] |= {"conversations": bool(chats), "open_model": started_from_open_model(records)}
    return found


def _machine(manifest: Manifest) -> str:
    provenance = manifest.provenance
    gpus = provenance.get("gpus") or []
    kinds = [f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)]
    cores, system = provenance.get("cores"), str(provenance.get("platform", "")).partition("-")[0]
    computed = provenance.get("arithmetic") or {}
    threads = f"{computed['threads']} threads ({computed['instructions']})" if computed.get("threads") else ""
    parts = [*kinds, f"{cores} CPU cores" if cores else "", threads, system]
    return ", ".join(part for part in parts if part)
