"""The export stage: a bundle that stock tools load, proved to be the trained model, with hashes of every file.

Does: write huggingface/, llama/ where wished, gguf/, evaluation/, MODEL_CARD.md, LICENCES.md, LICENSES/ and
bundle.json. Does not: train, score or serve; convert.py proves the files, verify.py checks a bundle later.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

from igakulm.bundle.card import CardFacts, model_card
from igakulm.bundle.convert import add_llama, convert
from igakulm.bundle.huggingface import copy_folder, same_logits, same_tokenizer
from igakulm.bundle.licences import write_licences
from igakulm.bundle.new_folder import new_folder
from igakulm.bundle.records import (
    Records,
    find_records,
    licences_of,
    lists_of,
    model_folder,
    personal_of,
    scoreboard_of,
    sources_of,
    started_from_open_model,
    training_of,
    tuning_of,
)
from igakulm.bundle.tasks import tasks_of
from igakulm.errors import InputError
from igakulm.evaluation.scoreboard import SCOREBOARD, Scoreboard
from igakulm.files import atomic_path, write_json, write_text
from igakulm.inference.bundle_folder import BUNDLE, DIGEST, FORMAT, GGUF, describe, description_digest
from igakulm.inference.bundle_folder import MODEL as HUGGINGFACE
from igakulm.progress import Progress
from igakulm.recipe.schema import ExportSection
from igakulm.report.evaluation import build_evaluation_report
from igakulm.tasks.layouts import TASKS_FILE, write_tasks
from igakulm.text.preparation import read_preparation
from igakulm.text.prepared import prepare
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import Encoder, load_encoder
from igakulm.version import __version__

CHECK_TEXTS = (
    "糖尿病の治療に用いる薬を一つ挙げてください。",
    "胸痛を訴える患者にまず行う検査は何ですか。",
    "The white blood cell count was 12,300/μL.\n38.5℃の発熱があった。",
    "今日の天気を教えてください。",
)
"""Texts whose next tokens are compared between the original and every converted file."""
LLAMA, EVALUATION = "llama", "evaluation"


def export_folder(
    config: ExportSection,
    model: Path,
    corpus_dir: Path | None,
    evaluation_dir: Path | None,
    out: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write a bundle into a folder that does not exist or is empty; it appears whole or not at all.

    Args:
        config: which files, and the name.
        model: a training stage's folder, its `model/`, or any stock Hugging Face folder with a tokenizer of ours.
        corpus_dir: folder with sources.json; None takes that of the run folder, if the model lies in one.
        evaluation_dir: folder with scoreboard.json; None likewise.
        out: the bundle.
        progress: where to show it.

    Returns:
        As `export`.

    Raises:
        InputError: as `export`; no model there; `out` holds something, or lies in the folder of the model.
    """
    source = model_folder(model)
    _refuse_name(config.name)
    if out.resolve().is_relative_to(model.resolve()):
        what = "the bundle would lie inside the folder of the model, and change it"
        raise InputError(what, where=str(out), hint="choose a folder outside " + str(model))
    with new_folder(out) as partial:
        return export(config, source, corpus_dir, evaluation_dir, partial, progress)


def export(
    config: ExportSection,
    model_dir: Path,
    corpus_dir: Path | None,
    evaluation_dir: Path | None,
    out_dir: Path,
    progress: Progress,
) -> dict[str, object]:
    """Write a bundle.

    Args:
        config: which files, and the name.
        model_dir: stock Hugging Face folder of the tuned model.
        corpus_dir: for sources.json; None looks for the stages that led to the model in its run folder.
        evaluation_dir: for scoreboard.json; None likewise.
        out_dir: where to.
        progress: where to show it.

    Returns:
        name, parameters, files, bytes, digest, gguf (file name -> check results).

    Raises:
        InputError: a model that would be served wrongly: NaN, another tokenizer, a GGUF that differs from its source.
    """
    _refuse_name(config.name)
    records = find_records(model_dir, corpus_dir, evaluation_dir)
    folder = out_dir / HUGGINGFACE
    model = copy_folder(model_dir, folder, progress)
    encoder = load_encoder(folder)
    form = read_preparation(folder)
    turns = ([{"role": "user", "content": prepare(text, form).text}] for text in CHECK_TEXTS)
    prompts = [render_chat(encoder, messages, add_generation_prompt=True)[0] for messages in turns]
    prompts = [prompt[: int(model["context_length"]) - 1] for prompt in prompts]
    same_logits(model_dir, folder, prompts)
    same_tokenizer(folder, encoder, CHECK_TEXTS)
    llama = add_llama(folder, out_dir / LLAMA, prompts, progress) if config.as_llama else None
    gguf = convert(config.name, config.gguf, folder, out_dir / GGUF, prompts, records.evaluation_dir, progress)
    if tasks := tasks_of(records.finetune_dir or model_dir, records.evaluation_dir):
        write_tasks(folder / TASKS_FILE, tasks)
    board = _write_evaluation(records, out_dir / EVALUATION, config.name)
    facts = _write_papers(config.name, model, gguf, board, records, out_dir, llama is not None)
    description = _describe(facts, encoder, llama, licences_of(records), out_dir)
    files = description["files"]
    size = sum(int(entry["bytes"]) for entry in files.values())
    return {
        "name": config.name,
        "parameters": model["parameters"],
        "files": len(files),
        "bytes": size,
        "digest": description[DIGEST],
        "gguf": gguf,
    }


def _refuse_name(name: str) -> None:
    if not name or Path(name).name != name or name.startswith(".") or not name.isprintable() or set(name) & set('\\:"'):
        what = "the name of a bundle is part of file names"
        raise InputError(what, where=f"export.name = {name!r}", hint="letters, digits, - and _, e.g. igakulm-ward")


def _write_evaluation(records: Records, target: Path, name: str) -> Scoreboard | None:
    """Scoreboard and report. The answers stay behind: they hold the test items' texts, maybe those of patients."""
    board = scoreboard_of(records)
    if board and records.evaluation_dir is not None:
        target.mkdir(parents=True, exist_ok=True)
        with atomic_path(target / SCOREBOARD) as temporary:
            shutil.copyfile(records.evaluation_dir / SCOREBOARD, temporary)
        build_evaluation_report(target, name)
    return board


def _write_papers(
    name: str,
    model: dict[str, object],
    gguf: dict[str, dict[str, object]],
    board: Scoreboard | None,
    records: Records,
    out_dir: Path,
    llama: bool,
) -> CardFacts:
    """Write the card and the licences; return what the card tells."""
    facts = CardFacts(
        name,
        model,
        sources_of(records),
        board.rows if board else (),
        gguf,
        tuning_of(records),
        lists_of(records),
        training_of(records),
        llama,
        personal_of(records),
        started_from_open_model(records),
    )
    write_text(out_dir / "MODEL_CARD.md", model_card(facts))
    write_licences(out_dir, licences_of(records))
    return facts


def _describe(
    facts: CardFacts,
    encoder: Encoder,
    llama: dict[str, object] | None,
    licences: dict[str, list[str]],
    out_dir: Path,
) -> dict[str, Any]:
    """Write bundle.json, the last file of a bundle; return it."""
    description: dict[str, Any] = {
        "format": FORMAT,
        "name": facts.name,
        "model": facts.model,
        "tokenizer_sha256": encoder.sha256,
        "gguf": facts.gguf,
        "llama": llama,
        "licences": licences,
        "training": facts.training,
        "versions": _versions(),
        "files": describe(out_dir),
    }
    description[DIGEST] = description_digest(description)
    write_json(out_dir / BUNDLE, description)
    return description


def _versions() -> dict[str, str]:
    versions = {"igakulm": __version__}
    for package in ("transformers", "torch", "safetensors", "tokenizers", "gguf", "xllamacpp"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions
