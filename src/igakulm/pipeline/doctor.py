"""`igakulm doctor`: what this machine has, and what to do about what it lacks.

Does: look at Python, cores, memory, disk, GPU, packages, the recipe's data. Does not: change or download anything.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from igakulm.errors import InputError
from igakulm.machine import cores, total_memory
from igakulm.recipe.schema import Source
from igakulm.shipped import shipped_files

OPTIONAL_PARTS = {
    "llamacpp": ("xllamacpp", "runs the GGUF file on a CPU, as a hospital PC would"),
    "serve": ("starlette", "igakulm serve"),
    "excel": ("openpyxl", "reads workbooks and documents: rows of your own (igakulm task), Manbyo, drug prices"),
    "tensorboard": ("tensorboard", "curves of a training in TensorBoard"),
    "wiki": ("mwparserfromhell", "raw Wikipedia dumps"),
    "html": ("trafilatura", "saved pages and WARC files as sources"),
    "pdf": ("pdfminer", "PDF files as sources"),
    "crawl": ("protego", "igakulm corpus crawl"),
    "synth": ("httpx", "writes synthetic textbooks through an OpenAI-compatible server"),
}
REQUIRED = ("pyarrow", "fugashi", "ipadic", "sentencepiece", "tokenizers", "torch", "transformers", "gguf", "rensa")


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    state: Literal["ok", "note", "bad"]
    subject: str
    found: str
    advice: str = ""


def examine(recipe: Path | None = None) -> list[Finding]:
    """All findings, in a fixed order."""
    findings = [*_python(), *_machine(), *_packages(), *_shipped(), *_gpu(), *_offline()]
    if recipe is not None:
        findings.extend(_recipe_data(recipe))
    return findings


def _python() -> Iterator[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("ok", "Python", found)


def _machine() -> Iterator[Finding]:
    count = cores()
    advice = "" if count >= 2 else "the quickstart wants 2 cores for its five minutes; it works on one, twice as long"
    yield Finding("ok" if count >= 2 else "note", "cores", str(count), advice)
    memory = total_memory()
    if memory is None:
        yield Finding("note", "memory", "unknown", "4 GiB are enough for the quickstart")
    else:
        gib = memory / 2**30
        advice = "" if gib >= 4 else "the quickstart wants 4 GiB; close other programs"
        yield Finding("ok" if gib >= 4 else "note", "memory", f"{gib:.1f} GiB", advice)
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    if free < 1:
        yield Finding("bad", "disk", f"{free:.1f} GiB free here", "free at least 1 GiB, or work in another folder")
    else:
        yield Finding("ok", "disk", f"{free:.0f} GiB free here")


def _packages() -> Iterator[Finding]:
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding("bad", "packages", f"missing: {', '.join(missing)}", "install igakulm again")
    else:
        yield Finding("ok", "packages", "all required packages are here")
    for extra, (module, use) in OPTIONAL_PARTS.items():
        if importlib.util.find_spec(module) is None:
            yield Finding("note", f"extra {extra}", f"not installed ({use})", f"pip install 'igakulm[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}", use)


def _shipped() -> Iterator[Finding]:
    try:
        found = shipped_files()
    except InputError as error:
        yield Finding("bad", "recipes and samples", error.what, error.hint or "")
        return
    yield Finding(
        "ok", "recipes and samples", f"{len(found)} files came with the program; `igakulm init DIR` writes them"
    )


def _gpu() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        return
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            yield Finding("ok", f"GPU {index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    else:
        yield Finding(
            "note", "GPU", "none", "fine for the quickstart and small models; `igakulm plan` tells what is not"
        )


def _offline() -> Iterator[Finding]:
    proxies = [name for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy") if os.environ.get(name)]
    found = "nothing is fetched at run time: dictionary, samples and code are installed"
    if proxies:
        found += f" ({', '.join(proxies)} set; only a server that you name is ever contacted)"
    yield Finding("ok", "offline", found)


def _recipe_data(recipe: Path) -> Iterator[Finding]:
    from igakulm.recipe import load_recipe
    from igakulm.recipe.loading import absent_data, data_paths

    if not recipe.is_file():
        advice = "`igakulm init DIR` writes recipes; or go to your project's folder, or name one: --recipe FILE"
        found = f"{recipe} is not here: run, status, chat without --bundle and every stage need a recipe"
        yield Finding("bad", "recipe", found, advice)
        return
    try:
        paths = list(data_paths(load_recipe(recipe)))
    except InputError as error:
        yield Finding("bad", "recipe", f"{recipe}: {error.what}", f"{error.where or ''} {error.hint or ''}".strip())
        return
    if missing := absent_data(load_recipe(recipe)):
        advice = "get the data, or change these keys in the recipe"
        yield Finding("bad", "data", f"{recipe}: nothing at {', '.join(missing)}", advice)
    else:
        yield Finding("ok", "data", f"{recipe}: all {len(paths)} files and folders are here")
        yield from _sources(load_recipe(recipe).corpus.sources)


def _sources(sources: Sequence[Source]) -> Iterator[Finding]:
    """Whether the sources of the corpus can be read: the first documents of each are tried."""
    from igakulm.corpus.look import look_at

    for source in sources:
        try:
            look = look_at(source)
        except InputError as error:
            advice = f"{error.where or ''} {error.hint or ''}".strip()
            yield Finding("bad", f"source {source.name}", error.what, advice)
            continue
        found = f"{look.files:,} files; of the first {look.tried:,} documents {look.readable:,} can be read"
        if look.left_out:
            found += f"; other files there: {look.left_out}"
        state: Literal["ok", "note", "bad"] = "ok" if look.readable == look.tried else "note"
        if not look.readable:
            state = "bad"
        yield Finding(state, f"source {source.name}", found, look.example)
