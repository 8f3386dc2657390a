"""A base model from wherever it lies: a Hugging Face folder, a model of ours, a bundle, or a GGUF file.

Does: load it in fp32 (a GGUF file is dequantised by transformers), read its sizes without loading, say what it was and
what precision it lost. Does not: decide where it lies (tokenizer/base_source.py), or change its vocabulary.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file
from igakulm.model.folder_sizes import read_config
from igakulm.model.presets import load_folder
from igakulm.pretrained import load_gguf_weights
from igakulm.tokenizer.base_source import find_base
from igakulm.tokenizer.encode import TEMPLATE_FILE
from igakulm.tokenizer.gguf_header import GgufTensor, read_tensors, read_values

if TYPE_CHECKING:
    from transformers import PreTrainedModel

UNQUANTISED = frozenset({"F32", "F16", "BF16"})
BUNDLE_FILE = "bundle.json"
_HINT = "start from the model's Hugging Face folder instead"


@dataclass(frozen=True, slots=True)
class BaseRecord:
    """What a base was, for provenance.

    Attributes:
        kind: "folder" (Hugging Face), "bundle" or "gguf".
        name: of the folder or file, without its path.
        sha256: of the file of weights; "" where there are several.
        precision: the weights as they were stored, e.g. "Q4_K_M" or "float32".
        bits_per_weight: of the file's tensors; 16 and more lose nothing that matters.
        architecture: its type in config.json, or in the GGUF header.
        licence: as the file says it; "" where it says nothing.
    """

    kind: str
    name: str
    sha256: str
    precision: str
    bits_per_weight: float
    architecture: str
    licence: str

    @property
    def lost_precision(self) -> bool:
        """Whether the weights were quantised, so that what is tuned is not the model as it was published."""
        return self.bits_per_weight < 16

    def sentence(self) -> str:
        """What a person should know before tuning it."""
        said = f"the base is {self.name} ({self.architecture}, {self.precision}"
        if not self.lost_precision:
            return f"{said})"
        return (
            f"{said}, {self.bits_per_weight:.1f} bits a weight): it was quantised, and the precision that was lost "
            "then does not come back; where the unquantised folder is at hand, start from that"
        )

    def json(self) -> dict[str, Any]:
        """For base.json and the manifest."""
        return {**asdict(self), "lost_precision": self.lost_precision}


def describe_base(path: Path) -> BaseRecord:
    """What a recipe's `model.from_folder` names.

    Raises:
        InputError: nothing of that kind is there, or a damaged file.
    """
    base = find_base(path)
    if base.is_file():
        return _describe_gguf(base)
    config, weights = read_config(base), sorted(base.glob("*.safetensors"))
    bundle = base.parent / BUNDLE_FILE
    held = read_json(bundle) if bundle.is_file() else None
    name, licences = base.name, set[str]()
    if isinstance(held, dict):
        name = str(held.get("name") or base.parent.name)
        licences = {str(one) for several in (held.get("licences") or {}).values() for one in several}
    elif base.name == "model":
        name = base.parent.name
    precision = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return BaseRecord(
        kind="bundle" if isinstance(held, dict) else "folder",
        name=name,
        sha256=sha256_file(weights[0]) if len(weights) == 1 else "",
        precision=precision,
        bits_per_weight=32.0 if precision == "float32" else 16.0,
        architecture=str(config.get("model_type")),
        licence=", ".join(sorted(licences)),
    )


def _describe_gguf(path: Path) -> BaseRecord:
    values, tensors = read_values(path), read_tensors(path)
    return BaseRecord(
        kind="gguf",
        name=path.name,
        sha256=sha256_file(path),
        precision=_precision(values, tensors, path),
        bits_per_weight=round(sum(_bits(tensor, path) for tensor in tensors) / sum(t.elements for t in tensors), 2),
        architecture=str(values.get("general.architecture")),
        licence=str(values.get("general.license", "")),
    )


def _precision(values: dict[str, object], tensors: list[GgufTensor], path: Path) -> str:
    """As llama.cpp names the file's mixture, else the commonest type of its matrices."""
    from gguf import LlamaFileType

    known = {member.value: member.name for member in LlamaFileType}
    number = values.get("general.file_type")
    if number in known:
        return known[number].removeprefix("MOSTLY_").removeprefix("ALL_")
    weights: dict[str, int] = {}
    for tensor in tensors:
        kind = _kind(tensor, path)
        weights[kind] = weights.get(kind, 0) + tensor.elements
    return max(weights, key=lambda kind: weights[kind])


def _kind(tensor: GgufTensor, path: Path) -> str:
    from gguf import GGMLQuantizationType

    try:
        return GGMLQuantizationType(tensor.kind).name
    except ValueError as error:
        what = f"tensor {tensor.name} has type {tensor.kind}, which is not known here"
        raise InputError(what, where=str(path), hint=_HINT) from error


def _bits(tensor: GgufTensor, path: Path) -> float:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[_kind(tensor, path)]]
    return 8.0 * size / block * tensor.elements


def load_base(path: Path) -> PreTrainedModel:
    """The base model in fp32, from a folder or a GGUF file.

    Raises:
        InputError: as `find_base` and `load_folder`; a GGUF file of an architecture or type that cannot be read.
    """
    base = find_base(path)
    return _load_gguf(base) if base.is_file() else load_folder(base)


def _load_gguf(path: Path) -> PreTrainedModel:
    import torch

    read_tensors(path)  # a file that was cut short is refused before anything takes memory
    model: PreTrainedModel = load_gguf_weights(path, torch.float32, _HINT)
    if not hasattr(model, "model") or not hasattr(model.model, "layers"):
        raise InputError(f"{type(model).__name__} is not built like Llama", where=str(path), hint=_HINT)
    return model


def knows_chat(path: Path) -> bool:
    """Whether a base has a chat template, so that its chat tokens are no strangers to it."""
    base = find_base(path)
    if base.is_file():
        return bool(read_values(base).get("tokenizer.chat_template"))
    if (base / TEMPLATE_FILE).is_file():
        return True
    settings = base / "tokenizer_config.json"
    return settings.is_file() and bool(read_json(settings).get("chat_template"))
