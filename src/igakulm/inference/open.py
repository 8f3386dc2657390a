"""The one door to a model: a folder, a bundle, a GGUF file, or a server that runs one of these.

Does: see what lies at a path, choose engine and tokenizer, read how its text is prepared and what it was tuned on.
Does not: download, convert, merge adapters, read pickled weights, or load torch and transformers unless they run it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, get_args

from igakulm.errors import InputError, did_you_mean
from igakulm.files import explain_os_error, read_json, sha256_file, sha256_json
from igakulm.inference.bundle_folder import BUNDLE, GGUF, MODEL, read_bundle
from igakulm.inference.engine import Engine, Precision
from igakulm.inference.model import Model
from igakulm.tasks.layouts import Task, default_tasks
from igakulm.tasks.of_model import find_tasks, folders_of_tasks
from igakulm.text.preparation import PREPARATION_FILE, read_preparation
from igakulm.text.prepared import Form
from igakulm.tokenizer.encode import TOKENIZER_FILE
from igakulm.tokenizer.encoder import Encoder
from igakulm.tokenizer.open import load_any_encoder

if TYPE_CHECKING:
    from igakulm.inference.llamacpp_text import LlamaCppText

EngineName = Literal["auto", "weights", "llamacpp", "transformers", "endpoint"]
PREFERRED = ("q4_k_m", "q5_k_m", "q6_k", "q8_0", "bf16", "f32", "q4_0")
"""Types of GGUF files, the first that a bundle has is served: decoding is as fast as weights are read from memory."""
_PART = re.compile(r"(.*)-\d{5}-of-(\d{5})\.gguf")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that runs the folder's model, such as vLLM: the address of its API, its key, its name for the model."""

    url: str
    key: str | None = None
    model: str | None = None


class Running(TypedDict, total=False):
    """How a model is run, as far as its engine knows the word.

    precision: transformers; "auto" = bfloat16 on a GPU or CPU that is faster with it; default "fp32".
    batch_tokens: transformers; tokens in one batch, padding included.
    device: transformers; None = the first GPU where there is one.
    threads: llama.cpp; None = one fewer than cores.
    lanes: llama.cpp; answers at once, None = by memory.
    precise: llama.cpp; keys and values in float32, for comparisons.
    """

    precision: Precision
    batch_tokens: int
    device: str | None
    threads: int | None
    lanes: int | None
    precise: bool


def open_model(
    where: Path,
    engine: str = "auto",
    *,
    gguf: str | None = None,
    endpoint: Endpoint | None = None,
    **running: Unpack[Running],
) -> Model:
    """Open a model that takes token ids: all but GGUF files that lie outside of a bundle.

    Args:
        where: a Hugging Face folder with safetensors; a bundle; a GGUF file inside a bundle.
        engine: "llamacpp", "transformers", "endpoint"; "auto": llama.cpp where it is installed and the bundle has a
            GGUF file, else transformers; "weights": what lies there as it was trained, that is transformers but for a
            GGUF file.
        gguf: which type of a bundle's GGUF files, such as "q8_0"; None = the smallest.
        endpoint: for the engine "endpoint"; it gets token ids, made with the tokenizer that lies at `where`.
        running: see `Running`.

    Raises:
        InputError: no model there, files missing or cut short, one that cannot be run here, an engine that is not
            available, a preparation of text that this version does not know; says what to do.
    """
    model = open_any_model(where, engine, gguf=gguf, endpoint=endpoint, **running)
    if isinstance(model, Model):
        return model
    model.close()
    what = "this GGUF file lies outside of a bundle: no tokenizer lies beside it, and it takes text only"
    raise InputError(what, where=str(where), hint="give the bundle; `igakulm evaluate` also asks such files")


def open_any_model(
    where: Path,
    engine: str = "auto",
    *,
    gguf: str | None = None,
    endpoint: Endpoint | None = None,
    **running: Unpack[Running],
) -> Model | LlamaCppText:
    """As `open_model`, or a GGUF file from elsewhere, which llama.cpp tokenises: it takes text, by its own template.

    Raises:
        InputError: as `open_model`.
    """
    _check_engine(engine, endpoint)
    try:
        is_folder, exists = where.is_dir(), where.exists()
    except OSError as error:
        raise explain_os_error(error, where) from error
    if is_folder:
        return _open_folder(where, engine, gguf, endpoint, running)
    if not exists:
        hint = "give a model folder, a bundle or a GGUF file"
        raise InputError("there is no model at this path", where=str(where), hint=hint)
    if where.suffix.lower() != ".gguf":
        safetensors = where.suffix == ".safetensors"
        hint = "give the folder that the file lies in" if safetensors else "give a folder or a .gguf file"
        raise InputError("this file is no GGUF file", where=str(where), hint=hint)
    if engine not in ("auto", "weights", "llamacpp"):
        raise InputError(f"a GGUF file is run by llama.cpp, not by the engine `{engine}`", where=str(where))
    return _open_file(where, running)


def _check_engine(engine: str, endpoint: Endpoint | None) -> None:
    names = get_args(EngineName)
    if engine not in names:
        close = did_you_mean(engine, names)
        hint = f"did you mean {close!r}?" if close else f"choose one of {', '.join(names)}"
        raise InputError(f"there is no engine {engine!r}", hint=hint)
    if (engine == "endpoint") != (endpoint is not None):
        what = "the engine `endpoint` and an address belong together"
        raise InputError(what, hint="--engine endpoint --endpoint URL")


@dataclass(frozen=True, slots=True)
class _Found:
    """What lies at a path, read before an engine is loaded: what is wrong with it shows at once."""

    name: str
    folder: Path
    bundle: Path | None
    description: Mapping[str, Any]
    encoder: Encoder
    preparation: Form
    tasks: list[Task]

    def model(self, engine: Engine, name: str, kind: str, weights: tuple[Path, ...] = (), precision: str = "") -> Model:
        """The model, with its engine."""
        return Model(
            engine,
            self.encoder,
            name,
            kind,
            folder=self.bundle or self.folder,
            description=self.description,
            preparation=self.preparation,
            tasks=tuple(self.tasks or default_tasks()),
            tuned_tasks=bool(self.tasks),
            ours=bool(self.tasks) or not self.encoder.adopted or (self.folder / PREPARATION_FILE).is_file(),
            weights=weights,
            precision=precision,
        )


def _found(folder: Path, bundle: Path | None) -> _Found:
    """Read a model's folder, and the bundle around it.

    A bundle that is just being written has no bundle.json yet; its converted files are compared all the same.
    """
    described = bundle is not None and (bundle / BUNDLE).is_file()
    description = read_bundle(bundle) if bundle and described else {}
    name = str(description.get("name") or (bundle or folder).absolute().name)
    tasks = find_tasks([*folders_of_tasks(folder), *([bundle] if bundle else [])])
    return _Found(name, folder, bundle, description, load_any_encoder(folder), read_preparation(folder), tasks)


def _open_folder(folder: Path, engine: str, gguf: str | None, endpoint: Endpoint | None, running: Running) -> Model:
    bundle = folder if (folder / BUNDLE).is_file() else None
    if bundle is None:
        _refuse_other_folders(folder)
    found = _found(folder / MODEL if bundle else folder, bundle)
    if endpoint is not None:
        return _open_endpoint(found, endpoint)
    file = _best_gguf(found, gguf)
    if file is None and (engine == "llamacpp" or gguf):
        what = f"this bundle has no GGUF file{f' of type {gguf}' if gguf else ''}"
        what = what if bundle else "a model folder has no GGUF file"
        raise InputError(what, where=str(folder), hint="igakulm export --gguf q4_k_m,q8_0 writes them into a bundle")
    if file is not None and engine in ("auto", "llamacpp"):
        from igakulm.inference.llamacpp import available

        if engine == "llamacpp" or available():
            return _open_gguf(found, file, found.name, running)
    return _open_weights(found, running)


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
    hint = "give a bundle, or the folder that holds config.json, the weights and the tokenizer"
    raise InputError("this is no bundle and not a model folder: there is no config.json", where=where, hint=hint)


def _best_gguf(found: _Found, wanted: str | None) -> Path | None:
    files: Mapping[str, Mapping[str, object]] = found.description.get("gguf") or {}
    for kind in (wanted,) if wanted else PREFERRED:
        for name, entry in files.items():
            if found.bundle and entry.get("kind") == kind and Path(name).name == name:
                return found.bundle / GGUF / name
    return None


def _open_weights(found: _Found, running: Running) -> Model:
    from igakulm.inference.transformers import load_engine

    engine = load_engine(
        found.folder,
        precision=running.get("precision", "fp32"),
        batch_tokens=running.get("batch_tokens", 16_384),
        device=running.get("device"),
    )
    weights = (found.folder / "config.json", *sorted(found.folder.glob("*.safetensors")))
    return found.model(engine, found.name, "transformers", weights, engine.precision)


def _open_file(path: Path, running: Running) -> Model | LlamaCppText:
    """A GGUF file: inside a bundle it is tokenised by us, with the bundle's tokenizer; else by llama.cpp."""
    bundle = path.resolve().parent.parent
    if (bundle / MODEL / TOKENIZER_FILE).is_file():
        return _open_gguf(_found(bundle / MODEL, bundle), path, path.stem, running)
    from igakulm.inference.llamacpp_text import LlamaCppText

    return LlamaCppText(path, identity=_identity(path), threads=running.get("threads"))


def _open_gguf(found: _Found, path: Path, name: str, running: Running) -> Model:
    from igakulm.inference.llamacpp import LlamaCppEngine
    from igakulm.tokenizer.gguf_header import GgufHeader

    rows, expected = GgufHeader.read(path).vocabulary, _config(found.folder).get("vocab_size")
    if rows != expected:
        what = f"the file has {rows:,} tokens, the model of its bundle {expected}"
        raise InputError(what, where=str(path), hint="keep only the bundle's own GGUF files in it")
    precise = running.get("precise", False)
    engine = LlamaCppEngine(path, threads=running.get("threads"), lanes=running.get("lanes"), precise=precise)
    return found.model(engine, name, f"llamacpp ({path.name})", _parts(path), "f32 cache" if precise else "")


def _open_endpoint(found: _Found, endpoint: Endpoint) -> Model:
    from igakulm.inference.endpoint_engine import open_endpoint

    length = _config(found.folder).get("max_position_embeddings")
    if not isinstance(length, int):
        raise InputError("the model does not say how many tokens it reads", where=str(found.folder))
    engine = open_endpoint(endpoint.url, endpoint.model or found.name, length, endpoint.key)
    return found.model(engine, found.name, f"endpoint ({endpoint.url})")


def _config(folder: Path) -> dict[str, object]:
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise InputError("this is no JSON object", where=str(folder / "config.json"))
    return config


def _parts(path: Path) -> tuple[Path, ...]:
    """The file, or all files of one that is split as NAME-00001-of-00003.gguf."""
    split = _PART.fullmatch(path.name)
    return tuple(sorted(path.parent.glob(f"{split[1]}-?????-of-{split[2]}.gguf"))) if split else (path,)


def _identity(path: Path) -> str:
    return sha256_json([*(sha256_file(part) for part in _parts(path)), ""])
