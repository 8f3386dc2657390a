"""What `corpus.quality` must name before any document is read.

Does: find missing keys, files and folders. Does not: ask a server, or load a model.
"""

from __future__ import annotations

from pathlib import Path

from igakulm.errors import InputError
from igakulm.recipe.schema import Quality


def check_keys(section: Quality) -> None:
    """Find what is missing before anything is asked.

    Raises:
        InputError: a model that the recipe needs is not named, or its file or folder is not there.
    """
    _check_labeller(section)
    given = named_embedder(section)
    if section.classifier == "ngram" and given is None:
        return
    if given is None:
        key = {"transformers": "embedding_folder", "endpoint": "embedding_endpoint", "gguf": "gguf"}[section.embeddings]
        hint = "give the labelling model here, or set corpus.quality.classifier: ngram, which needs no embeddings"
        raise InputError("the model that embeds is not named", where=f"corpus.quality.{key}", hint=hint)
    if section.embeddings == "transformers" and not Path(given).is_dir():
        hint = "give a folder with config.json, a tokenizer and *.safetensors"
        raise InputError("there is no such model folder", where=given, hint=hint)


def named_embedder(section: Quality) -> str | None:
    """The folder, address or file of the model that embeds; None if the recipe names none."""
    return {
        "transformers": section.embedding_folder,
        "endpoint": section.embedding_endpoint,
        "gguf": section.gguf,
    }[section.embeddings]


def _check_labeller(section: Quality) -> None:
    if section.endpoint is None and section.gguf is None:
        hint = "give the address of an instruct model's server and its name, or a GGUF file as corpus.quality.gguf"
        raise InputError("the model that labels is not named", where="corpus.quality.endpoint", hint=hint)
    if section.endpoint is not None and not section.model.strip():
        hint = "give the model's name at the server"
        raise InputError("the model that labels is not named", where="corpus.quality.model", hint=hint)
    if section.gguf is not None and not Path(section.gguf).is_file():
        raise InputError("there is no such file", where=section.gguf, hint="check corpus.quality.gguf")
