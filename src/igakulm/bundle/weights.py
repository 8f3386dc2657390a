"""The weights and the configuration of a stock Hugging Face folder, one tensor in memory at a time.

Does: read config.json, find every tensor in one or several safetensors files, hand tensors out by name.
Does not: build a model, run one, or read any format that can hold code (pickle).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open

from igakulm.errors import InputError
from igakulm.files import read_json


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model folder.

    Raises:
        InputError: no folder, no config.json, or a model that wants code of its own (`auto_map`).
    """
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(
            "this is not a model folder: there is no config.json",
            where=str(folder),
            hint="give the folder `model/` that pretraining or tuning wrote",
        )
    config = read_json(path)
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise InputError("config.json names no model_type", where=str(path))
    if config.get("auto_map"):
        raise InputError(
            "this model brings program code of its own, which is never run here",
            where=f"{path}, key auto_map",
            hint="use a model whose architecture is part of transformers (llama, arcee, ...)",
        )
    return config


class Weights:
    """All tensors of a folder by name; opened read-only, loaded one by one.

    Args:
        folder: holds model.safetensors, or model.safetensors.index.json with its shards.

    Raises:
        InputError: no safetensors, a missing shard, a damaged or truncated file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._place: dict[str, Path] = {}
        for path in self._files():
            try:
                with safe_open(path, framework="pt") as file:
                    for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                        self._place[name] = path
            except (SafetensorError, OSError) as error:
                raise InputError(
                    f"the weights are damaged or cut short: {error}", where=str(path), hint="copy the file again"
                ) from error

    def _files(self) -> list[Path]:
        index = self.folder / "model.safetensors.index.json"
        if index.is_file():
            shards = sorted({str(name) for name in read_json(index).get("weight_map", {}).values()})
            paths = [self.folder / name for name in shards]
        else:
            paths = [self.folder / "model.safetensors"]
        for path in paths:
            if path.parent != self.folder or not path.is_file():
                raise InputError(
                    "a file with weights is missing",
                    where=str(path),
                    hint="IgakuLM reads safetensors only; other formats can carry code",
                )
        return paths

    def __contains__(self, name: object) -> bool:
        return name in self._place

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._place))

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor in its stored type.

        Raises:
            InputError: the folder has no such tensor.
        """
        path = self._place.get(name)
        if path is None:
            raise InputError(f"the weights lack {name!r}", where=str(self.folder), hint="export a complete model")
        with safe_open(path, framework="pt") as file:
            value: torch.Tensor = file.get_tensor(name)
        return value

    def array(self, name: str) -> npt.NDArray[np.float32]:
        """One tensor as float32."""
        array: npt.NDArray[np.float32] = self.tensor(name).float().numpy()
        return array

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor without reading it."""
        path = self._place.get(name)
        if path is None:
            raise InputError(f"the weights lack {name!r}", where=str(self.folder), hint="export a complete model")
        with safe_open(path, framework="pt") as file:
            return tuple(file.get_slice(name).get_shape())


def not_finite(weights: Weights) -> list[str]:
    """Names of the tensors that hold NaN or infinity."""
    return [name for name in weights if not bool(torch.isfinite(weights.tensor(name)).all())]


def read_template(folder: Path) -> str | None:
    """The chat template of a folder, from chat_template.jinja or tokenizer_config.json; None when there is none."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        value = json.loads(settings.read_text(encoding="utf-8")).get("chat_template")
        return value if isinstance(value, str) else None
    return None
