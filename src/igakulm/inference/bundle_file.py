"""bundle.json as a typed model: what a bundle says of its model and of its converted files.

Does: define it for those who show it. Does not: check a bundle (bundle_folder.py), or write it (bundle/build.py). It
stands here, below the room that writes it, because the report and the card are made before a bundle is whole.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from igakulm.stored import Figure, Part, Stored


class BundleModel(Part):
    """The model: sizes in units, `context_length` in tokens."""

    architecture: str | None = None
    activation: str | None = None
    layers: int | None = None
    hidden_size: int | None = None
    vocabulary: int | None = None
    context_length: int | None = None


class Divergence(Part):
    """How far the predictions of llama.cpp are from the original's: KL in nats, share of equal first choices."""

    kl_mean: Figure = None
    kl_max: Figure = None
    same_first_choice: Figure = None


class ScoreChange(Part):
    """Share of right answers of the original and of the converted file, to `n` items."""

    n: int | None = None
    original: Figure = None
    quantised: Figure = None


def _measured(value: object) -> object:
    """Bundles say in words why something was not compared ("not compared: …")."""
    return value if isinstance(value, dict) else {}


class GgufFile(Part):
    """One GGUF file: `tensors` by type, how many were compared with the original, their largest error (a share of the
    tensor's largest weight).
    """

    architecture: str | None = None
    encoding: str | None = None
    kind: str | None = None
    tensors: dict[str, int] = Field(default_factory=dict)
    compared: int | None = None
    largest_error: Figure = None
    llamacpp: Annotated[Divergence, BeforeValidator(_measured)] = Divergence()
    score: Annotated[ScoreChange, BeforeValidator(_measured)] = ScoreChange()


class BundleFile(Stored):
    """The parts of bundle.json that are shown."""

    NEWEST: ClassVar[int] = 2
    name: str = ""
    model: BundleModel = BundleModel()
    gguf: dict[str, GgufFile] = Field(default_factory=dict)
