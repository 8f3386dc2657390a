"""A bundle opened for talking: the engine, the tokenizer and the model's name.

Does: choose llama.cpp or transformers, check file sizes first. Does not: hash (`igakulm verify` does), or serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from igakulm.bundle.build import BUNDLE, read_bundle
from igakulm.errors import InputError, did_you_mean
from igakulm.inference.engine import Engine
from igakulm.tokenizer.open import Encoder, load_encoder

ENGINES = ("auto", "llamacpp", "transformers")
_PREFERRED = ("q8_0", "bf16", "f32")


@dataclass(frozen=True)
class Opened:
    """A model ready to answer."""

    engine: Engine
    encoder: Encoder
    name: str
    kind: str  # "llamacpp (FILE)" or "transformers"

    def close(self) -> None:
        """Release the engine; a llama.cpp child ends."""
        close = getattr(self.engine, "close", None)
        if close:
            close()


def open_model(folder: Path, engine: str = "auto") -> Opened:
    """Open a bundle, or a plain model folder (transformers only).

    Args:
        folder: a bundle, or a Hugging Face folder with IgakuLM's or an adopted tokenizer.
        engine: "llamacpp", "transformers", or "auto" = llama.cpp where it is installed and the bundle has a GGUF file.

    Raises:
        InputError: no model there, files missing or cut short, an engine that is not available.
    """
    if engine not in ENGINES:
        close = did_you_mean(engine, ENGINES)
        mend = f"did you mean {close!r}?" if close else f"choose one of {', '.join(ENGINES)}"
        raise InputError(f"there is no engine {engine!r}", mend=mend)
    if not (folder / BUNDLE).is_file() and (folder / "config.json").is_file():
        return _transformers(folder, folder.resolve().name, engine)
    description = read_bundle(folder)
    name = str(description["name"])
    gguf = _best_gguf(folder, description.get("gguf") or {})
    from igakulm.inference.llamacpp import LlamaCppEngine, available

    if engine == "llamacpp" and gguf is None:
        raise InputError("this bundle has no GGUF file", where=str(folder), mend="set export.gguf and export again")
    if gguf is not None and (engine == "llamacpp" or (engine == "auto" and available())):
        encoder = load_encoder(folder / "huggingface")
        return Opened(LlamaCppEngine(gguf), encoder, name, f"llamacpp ({gguf.name})")
    return _transformers(folder / "huggingface", name, engine)


def _transformers(folder: Path, name: str, engine: str) -> Opened:
    if engine == "llamacpp":
        raise InputError("a model folder has no GGUF file", where=str(folder), mend="give a bundle of the export stage")
    from igakulm.inference.transformers import load_engine

    return Opened(load_engine(folder), load_encoder(folder), name, "transformers")


def _best_gguf(folder: Path, files: dict[str, dict[str, object]]) -> Path | None:
    for kind in _PREFERRED:
        for name, entry in files.items():
            if entry.get("kind") == kind and Path(name).name == name:
                return folder / "gguf" / name
    return None
