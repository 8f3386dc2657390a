"""The export stage: a bundle that stock tools load, proved to be the trained model, with hashes of every file.

Does: write huggingface/, gguf/, MODEL_CARD.md and bundle.json; check each GGUF file against the weights and, where
llama.cpp is installed, against the original's predictions; verify a bundle later. Does not: train, score or serve.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from igakulm import __version__
from igakulm.bundle.card import CardFacts, model_card
from igakulm.bundle.gguf import GgufKind, write_gguf
from igakulm.bundle.gguf_check import check_gguf, compare_predictions, refuse_divergence
from igakulm.bundle.huggingface import copy_folder, same_logits, same_tokenizer
from igakulm.errors import InputError
from igakulm.files import BESIDE_THE_RESULT, MANIFEST, files_below, read_json, sha256_file, write_json, write_text
from igakulm.inference.llamacpp import LlamaCppEngine, available
from igakulm.inference.transformers import load_engine
from igakulm.progress import Progress
from igakulm.recipe.schema import ExportSection
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.open import Encoder, load_encoder

BUNDLE = "bundle.json"
FORMAT = 1
CHECK_TEXTS = (
    "糖尿病の治療に用いる薬を一つ挙げてください。",
    "胸痛を訴える患者にまず行う検査は何ですか。",
    "The white blood cell count was 12,300/μL.\n38.5℃の発熱があった。",
    "今日の天気を教えてください。",
)
"""Texts whose next tokens are compared between the original and every converted file."""


def export(
    config: ExportSection,
    model_dir: Path,
    corpus_dir: Path | None,
    evaluation_dir: Path | None,
    out_dir: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write a bundle.

    Args:
        config: which GGUF types, and the name.
        model_dir: stock Hugging Face folder of the tuned model.
        corpus_dir: for sources.json; None leaves the data table empty.
        evaluation_dir: for scoreboard.json; None leaves the scores empty.
        out_dir: where to.
        progress: where to show it.

    Returns:
        name, parameters, files, bytes, gguf (file name -> check results).

    Raises:
        InputError: a model that would be served wrongly: NaN, another tokenizer, a GGUF that differs from its source.
    """
    if not config.name or Path(config.name).name != config.name or config.name.startswith("."):
        raise InputError("the name of a bundle is part of file names", where=f"export.name = {config.name!r}")
    folder = out_dir / "huggingface"
    model = copy_folder(model_dir, folder, progress)
    encoder = load_encoder(folder)
    prompts = [render_chat(encoder, [{"role": "user", "content": text}], True)[0] for text in CHECK_TEXTS]
    prompts = [prompt[: int(model["context_length"]) - 1] for prompt in prompts]
    same_logits(model_dir, folder, prompts)
    same_tokenizer(folder, encoder, CHECK_TEXTS)
    gguf = _convert(config, folder, out_dir / "gguf", prompts, progress)
    sources = _record(corpus_dir, "sources.json")
    rows = _record(evaluation_dir, "scoreboard.json").get("rows", [])
    write_text(out_dir / "MODEL_CARD.md", model_card(CardFacts(config.name, model, sources, rows, gguf)))
    files = _describe(config.name, model, encoder, gguf, sources, out_dir)
    size = sum(int(entry["bytes"]) for entry in files.values())
    return {"name": config.name, "parameters": model["parameters"], "files": len(files), "bytes": size, "gguf": gguf}


def _describe(
    name: str,
    model: dict[str, Any],
    encoder: Encoder,
    gguf: dict[str, dict[str, Any]],
    sources: dict[str, Any],
    out_dir: Path,
) -> dict[str, dict[str, Any]]:
    """Write bundle.json, the last file of a bundle; return its list of files."""
    files = _listed(out_dir)
    description = {
        "format": FORMAT,
        "name": name,
        "model": model,
        "tokenizer_sha256": encoder.sha256,
        "gguf": gguf,
        "licences": {source: list(entry.get("licences", ())) for source, entry in sources.items()},
        "versions": _versions(),
        "files": files,
    }
    write_json(out_dir / BUNDLE, description)
    return files


def _convert(
    config: ExportSection, folder: Path, target: Path, prompts: Sequence[Sequence[int]], progress: Progress
) -> dict[str, dict[str, Any]]:
    kinds: list[GgufKind] = list(dict.fromkeys(config.gguf))
    original: list[dict[int, float]] = []
    if kinds and available():
        engine = load_engine(folder, device="cpu")
        original = [engine.next_log_probabilities(prompt) for prompt in prompts]
        del engine
    files = {}
    for kind in kinds:
        path = target / f"{config.name}-{kind}.gguf"
        entry = write_gguf(folder, path, kind, config.name, progress)
        entry |= check_gguf(path, folder, kind)
        if original:
            with LlamaCppEngine(path, precise=True) as converted:
                entry["llamacpp"] = compare_predictions(original, converted, prompts)
            refuse_divergence(entry["llamacpp"], kind, path)
            progress.say(f"  {path.name}: same tensors; mean KL to the original {entry['llamacpp']['kl_mean']} nats")
        else:
            entry["llamacpp"] = "not compared: xllamacpp is not installed"
        files[path.name] = entry
    return files


def _record(folder: Path | None, name: str) -> dict[str, Any]:
    path = folder / name if folder else None
    value = read_json(path) if path and path.is_file() else {}
    return value if isinstance(value, dict) else {}


def _versions() -> dict[str, str]:
    versions = {"igakulm": __version__}
    for package in ("transformers", "torch", "safetensors", "tokenizers", "gguf", "xllamacpp"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions


def _content(folder: Path) -> dict[str, Path]:
    """Every file of a bundle by relative name; its own description and the stage's records are none of it."""
    found = {path.relative_to(folder).as_posix(): path for path in files_below(folder)}
    return {name: path for name, path in found.items() if name != BUNDLE and not name.startswith(BESIDE_THE_RESULT)}


def _listed(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for name, path in _content(folder).items()
    }


def _well_formed(value: dict[str, Any]) -> bool:
    files = value.get("files")
    if not isinstance(value.get("name"), str) or not isinstance(files, dict):
        return False
    return all(isinstance(entry, dict) and {"bytes", "sha256"} <= entry.keys() for entry in files.values())


def read_bundle(folder: Path) -> dict[str, Any]:
    """bundle.json, with the size of every file compared (quick: nothing is hashed).

    Raises:
        InputError: no bundle, an unknown format, a file that is missing, cut short or not part of it.
    """
    path = folder / BUNDLE
    if not path.is_file():
        raise InputError("this is not a bundle: there is no bundle.json", where=str(folder), mend="igakulm export")
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT or not _well_formed(value):
        raise InputError(f"this bundle.json is not of format {FORMAT}", where=str(path))
    present = _content(folder)
    for name, entry in value["files"].items():
        size = present[name].stat().st_size if name in present else None
        if size != entry["bytes"]:
            what = "is missing" if size is None else f"has {size} bytes instead of {entry['bytes']}"
            raise InputError(f"a file of the bundle {what}", where=str(folder / name), mend="copy the bundle again")
    foreign = sorted(present.keys() - value["files"].keys())
    if foreign:
        raise InputError(
            "the folder holds a file that is no part of the bundle",
            where=str(folder / foreign[0]),
            mend="remove it, or copy the bundle again",
        )
    return value


def verify_bundle(folder: Path) -> dict[str, Any]:
    """Hash every file of a bundle again.

    Returns:
        name, files (how many), bytes.

    Raises:
        InputError: a file is changed, cut short, missing, or no part of the bundle.
    """
    value = read_bundle(folder)
    for name, entry in value["files"].items():
        if sha256_file(folder / name) != entry["sha256"]:
            raise InputError("a file of the bundle has changed", where=str(folder / name), mend="copy the bundle again")
    manifest = folder / MANIFEST
    if manifest.is_file():
        # The stage's manifest is the only record of bundle.json itself.
        wanted = json.loads(manifest.read_text(encoding="utf-8")).get("files", {}).get(BUNDLE, {}).get("sha256")
        if wanted and wanted != sha256_file(folder / BUNDLE):
            raise InputError("bundle.json has changed", where=str(folder / BUNDLE), mend="copy the bundle again")
    size = sum(entry["bytes"] for entry in value["files"].values())
    return {"name": value["name"], "files": len(value["files"]), "bytes": size}
