"""Any local model opened by its path: IgakuLM's or a foreign one, a folder, a bundle or a GGUF file.

Does: see what lies there, choose the engine and the tokenizer, name the weights by their hashes. Does not: download,
convert, merge adapters, or read pickled weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import explain_os_error, read_json, sha256_file, sha256_json
from igakulm.inference.engine import Codec, Engine, Precision, TextModel
from igakulm.tokenizer.encode import ENCODER_FILE, TextEncoder

BUNDLE_FILE, BUNDLE_MODEL = "bundle.json", "huggingface"
PADDING = 256
"""A GGUF file may have a few more entries than its tokenizer, to make the number a round one."""
_PART = re.compile(r"(.*)-\d{5}-of-(\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model that takes token ids, with its tokenizer.

    Attributes:
        name: of the folder or file.
        identity: hex SHA-256 over the weights and the model's configuration, and the precision that it runs in.
    """

    engine: Engine
    codec: Codec
    name: str
    identity: str

    def close(self) -> None:
        """Release the engine; a llama.cpp child ends."""
        close = getattr(self.engine, "close", None)
        if close:
            close()


def open_model(
    path: Path,
    *,
    precision: Precision = "auto",
    batch_tokens: int = 16_384,
    threads: int | None = None,
) -> OpenedModel | TextModel:
    """Open a model.

    Args:
        path: a Hugging Face folder with safetensors; a bundle (its Hugging Face folder is used); a GGUF file inside a
            bundle (tokenised by us); any other GGUF file (tokenised by llama.cpp, with its own chat template).
        precision: for folders; "auto" = bfloat16 on a GPU or CPU that is faster with it, else float32.
        batch_tokens: for folders: tokens in one batch, padding included.
        threads: for GGUF files; None = one fewer than cores.

    Raises:
        InputError: no model there, or one that cannot be run here; says what to do.
    """
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise explain_os_error(error, path) from error
    if is_folder:
        return _open_folder(path, precision, batch_tokens)
    if not exists:
        hint = "give a model folder, a bundle or a GGUF file"
        raise InputError("there is no model at this path", where=str(path), hint=hint)
    if path.suffix.lower() != ".gguf":
        hint = (
            "give the folder that the file lies in"
            if path.suffix == ".safetensors"
            else "give a folder or a .gguf file"
        )
        raise InputError("this file is no GGUF file", where=str(path), hint=hint)
    return _open_gguf(path, threads)


def _open_folder(folder: Path, precision: Precision, batch_tokens: int) -> OpenedModel:
    name = folder.absolute().name
    if (folder / BUNDLE_FILE).is_file() and (folder / BUNDLE_MODEL).is_dir():
        description = read_json(folder / BUNDLE_FILE)
        name = str(description.get("name") or name) if isinstance(description, dict) else name
        folder = folder / BUNDLE_MODEL
    _refuse_other_folders(folder)
    from igakulm.inference.codec import load_codec
    from igakulm.inference.transformers import load_engine

    # The tokenizer first: it loads fast, and what is wrong with it would else show after minutes.
    codec = load_codec(folder)
    engine = load_engine(folder, precision=precision, batch_tokens=batch_tokens)
    weights = weights_identity([folder / "config.json", *folder.glob("*.safetensors")])
    return OpenedModel(engine, codec, name, f"{weights} {engine.precision}")


def _refuse_other_folders(folder: Path) -> None:
    if (folder / "config.json").is_file():
        return
    where = str(folder)
    if (folder / "adapter_config.json").is_file():
        hint = "merge it into its base model first and give the merged folder"
        raise InputError("this is an adapter, not a whole model", where=where, hint=hint)
    files = sorted(path.name for path in folder.glob("*.gguf"))
    if files:
        hint = f"give the file itself, such as {folder / files[0]}"
        raise InputError("this folder holds GGUF files only", where=where, hint=hint)
    hint = "give the folder that holds config.json, the weights and the tokenizer"
    raise InputError("this is not a model folder: there is no config.json", where=where, hint=hint)


def _open_gguf(path: Path, threads: int | None) -> OpenedModel | TextModel:
    from igakulm.inference.llamacpp import LlamaCppEngine
    from igakulm.inference.llamacpp_text import LlamaCppText

    identity = weights_identity(_parts(path))
    folder = path.resolve().parent.parent / BUNDLE_MODEL
    if not (folder / ENCODER_FILE).is_file():
        return LlamaCppText(path, identity=identity, threads=threads)
    from igakulm.inference.codec import OwnCodec

    codec = OwnCodec(TextEncoder.load(folder))
    engine = LlamaCppEngine(path, threads=threads, lanes=1)
    if not codec.encoder.size <= engine.vocabulary < codec.encoder.size + PADDING:
        engine.close()
        raise InputError(
            f"the file has {engine.vocabulary:,} tokens, the tokenizer of its bundle {codec.encoder.size:,}",
            where=str(path),
            hint="keep only the bundle's own GGUF files in it",
        )
    return OpenedModel(engine, codec, path.stem, identity)


def _parts(path: Path) -> list[Path]:
    """The file, or all files of one that is split as NAME-00001-of-00003.gguf."""
    split = _PART.fullmatch(path.name)
    return sorted(path.parent.glob(f"{split[1]}-?????-of-{split[2]}.gguf")) if split else [path]


def weights_identity(files: list[Path]) -> str:
    """Hex SHA-256 over the contents of the files that make a model; the folder's name does not matter.

    Raises:
        InputError: a file is missing.
    """
    return sha256_json([sha256_file(path) for path in sorted(files)])
