"""A bundle opened for talking: the engine, the tokenizer and the model's name.

Does: choose llama.cpp, transformers or an endpoint; check file sizes first. Does not: hash (`igakulm verify` does),
serve, or load torch and transformers unless they run the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igakulm.bundle.contents import BUNDLE
from igakulm.bundle.verify import read_bundle
from igakulm.errors import InputError, did_you_mean
from igakulm.files import read_json
from igakulm.inference.engine import Engine
from igakulm.tokenizer.open import Encoder, load_encoder

ENGINES = ("auto", "llamacpp", "transformers", "endpoint")
_PREFERRED = ("q4_k_m", "q5_k_m", "q6_k", "q8_0", "bf16", "f32", "q4_0")
"""Types of GGUF files, the first that a bundle has is served: decoding is as fast as weights are read from memory."""


@dataclass(frozen=True)
class Endpoint:
    """A server that runs the bundle's model, such as vLLM: the address of its API, its key, its name for the model."""

    url: str
    key: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Opened:
    """A model ready to answer.

    Attributes:
        kind: "llamacpp (FILE)", "transformers" or "endpoint (URL)".
        folder: the bundle, or the plain model folder.
        description: bundle.json; empty for a plain model folder.
    """

    engine: Engine
    encoder: Encoder
    name: str
    kind: str
    folder: Path | None = None
    description: Mapping[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Release the engine; a llama.cpp child ends."""
        close = getattr(self.engine, "close", None)
        if close:
            close()


def open_model(
    folder: Path, engine: str = "auto", *, gguf: str | None = None, endpoint: Endpoint | None = None
) -> Opened:
    """Open a bundle, or a plain model folder (without llama.cpp).

    Args:
        folder: a bundle, or a Hugging Face folder with IgakuLM's or an adopted tokenizer.
        engine: "llamacpp", "transformers", "endpoint", or "auto" = llama.cpp where it is installed and the bundle has
            a GGUF file, else transformers.
        gguf: which type of a bundle's GGUF files, such as "q8_0"; None = the smallest.
        endpoint: for the engine "endpoint"; it gets token ids, made with the tokenizer of `folder`.

    Raises:
        InputError: no model there, files missing or cut short, an engine that is not available.
    """
    if engine not in ENGINES:
        close = did_you_mean(engine, ENGINES)
        hint = f"did you mean {close!r}?" if close else f"choose one of {', '.join(ENGINES)}"
        raise InputError(f"there is no engine {engine!r}", hint=hint)
    if (engine == "endpoint") != (endpoint is not None):
        raise InputError(
            "the engine `endpoint` and an address belong together", hint="--engine endpoint --endpoint URL"
        )
    if not (folder / BUNDLE).is_file() and (folder / "config.json").is_file():
        return _plain_folder(folder, engine, endpoint)
    description = read_bundle(folder)
    name, model = str(description["name"]), folder / "huggingface"
    if endpoint is not None:
        served, encoder = _endpoint(endpoint, name, description["model"].get("context_length")), load_encoder(model)
        return Opened(served, encoder, name, f"endpoint ({endpoint.url})", folder, description)
    file = _best_gguf(folder, description.get("gguf") or {}, gguf)
    from igakulm.inference.llamacpp import LlamaCppEngine, available

    if file is None and (engine == "llamacpp" or gguf):
        hint = "igakulm export --gguf q4_k_m,q8_0 writes them"
        raise InputError(
            f"this bundle has no GGUF file{f' of type {gguf}' if gguf else ''}", where=str(folder), hint=hint
        )
    if file is not None and (engine == "llamacpp" or (engine == "auto" and available())):
        encoder = load_encoder(model)
        return Opened(LlamaCppEngine(file), encoder, name, f"llamacpp ({file.name})", folder, description)
    return Opened(_transformers(model), load_encoder(model), name, "transformers", folder, description)


def _plain_folder(folder: Path, engine: str, endpoint: Endpoint | None) -> Opened:
    name = folder.resolve().name
    if engine == "llamacpp":
        raise InputError("a model folder has no GGUF file", where=str(folder), hint="give a bundle of the export stage")
    if endpoint is not None:
        config = read_json(folder / "config.json")
        length = config.get("max_position_embeddings") if isinstance(config, dict) else None
        served = _endpoint(endpoint, name, length)
        return Opened(served, load_encoder(folder), name, f"endpoint ({endpoint.url})", folder)
    return Opened(_transformers(folder), load_encoder(folder), name, "transformers", folder)


def _transformers(folder: Path) -> Engine:
    from igakulm.inference.transformers import load_engine

    return load_engine(folder)


def _endpoint(endpoint: Endpoint, name: str, context_length: object) -> Engine:
    from igakulm.inference.endpoint_engine import open_endpoint

    if not isinstance(context_length, int):
        raise InputError("the model does not say how many tokens it reads", where=name)
    return open_endpoint(endpoint.url, endpoint.model or name, context_length, endpoint.key)


def _best_gguf(folder: Path, files: Mapping[str, Mapping[str, object]], wanted: str | None) -> Path | None:
    for kind in (wanted,) if wanted else _PREFERRED:
        for name, entry in files.items():
            if entry.get("kind") == kind and Path(name).name == name:
                return folder / "gguf" / name
    return None
