"""The tokenizer of a folder, whoever made it: what every other room opens.

Does: see what lies there, check that stock tools read it alike beside a model. Does not: encode.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.tokenizer.adopted import ADOPTED_FILE, AdoptedEncoder
from igakulm.tokenizer.encode import ENCODER_FILE, TextEncoder
from igakulm.tokenizer.encoder import Encoder as Encoder
from igakulm.tokenizer.folder_encoder import FolderEncoder
from igakulm.tokenizer.folder_text import FolderText
from igakulm.tokenizer.sample_texts import SENTENCES


def load_encoder(folder: Path, runtime: str | None = None) -> Encoder:
    """Load a tokenizer that this project made or adopted, or a model's folder that holds a copy of it.

    Args:
        folder: of the tokenizer or model.
        runtime: see `TextEncoder.load`; an adopted tokenizer has the plain one only.

    Raises:
        InputError: neither lies there; a file is missing or changed; a runtime that the tokenizer does not have.
    """
    if not (Path(folder) / ADOPTED_FILE).is_file():
        return TextEncoder.load(folder, runtime)
    _refuse_runtime(folder, runtime)
    return AdoptedEncoder.load(folder)


def load_any_encoder(folder: Path, runtime: str | None = None) -> Encoder:
    """As `load_encoder`, or else the tokenizer of a model from elsewhere, as its folder brings it.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """
    if any((Path(folder) / name).is_file() for name in (ADOPTED_FILE, ENCODER_FILE)):
        return load_encoder(folder, runtime)
    _refuse_runtime(folder, runtime)
    return FolderEncoder(Path(folder))


def _refuse_runtime(folder: Path, runtime: str | None) -> None:
    if runtime not in (None, "plain"):
        raise InputError(f"this tokenizer has no runtime {runtime!r}", where=str(folder), hint="use plain")


def refuse_other_reading(encoder: Encoder, model_type: str) -> None:
    """Check that stock tools read a tokenizer beside a model of some type as we do.

    The model's type in config.json can win over the class that the tokenizer names: transformers 5 puts Qwen 2's rules
    for splitting text into any tokenizer that lies beside a Qwen 2 model.

    Raises:
        InputError: they would give other ids.
    """
    if encoder.runtime != "plain":
        return  # stock tools lack MeCab
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in encoder.files:
            if (encoder.folder / file).is_file():
                shutil.copyfile(encoder.folder / file, folder / file)
        write_json(folder / "config.json", {"model_type": model_type})
        if FolderText(folder).texts(SENTENCES) == encoder.encode_batch(SENTENCES):
            return
    what = f"stock tools would read this tokenizer otherwise beside a model of type {model_type!r}"
    hint = "set tokenizer.from_folder to the model's own folder"
    raise InputError(what, where=str(encoder.folder), hint=hint)
