"""bundle.json as a typed model: what a bundle says of its model and of its converted files.

Does: define it for those who show it. Does not: check a bundle (bundle_folder.py), or write it (bundle/export.py). It
stands here, below the room that writes it, because the report and the card are made before a bundle is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
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


class KindChange(Part):
    """One kind of answers: how many, how many of them are others after conversion, and the mean scores of both.

    `original`, `quantised`: share of right answers of options, overlap F1 of lists; None of free text, of which
    `tokens` are compared.
    """

    n: int
    changed: int
    original: Figure = None
    quantised: Figure = None
    tokens: int | None = None

    @property
    def share(self) -> float:
        """The share of answers that differ."""
        return self.changed / self.n if self.n else 0.0


class TaskChange(Part):
    """A task's score on both sides, by the metric of its kind."""

    metric: str
    n: int
    changed: int
    original: float
    quantised: float


class AnswerChange(Part):
    """How the answers of a converted file differ from the original's, to questions of the model's own evaluation; a
    kind that was not asked is None.
    """

    options: KindChange | None = None
    lists: KindChange | None = None
    text: KindChange | None = None
    tasks: dict[str, TaskChange] = Field(default_factory=dict)

    def kinds(self) -> Iterator[tuple[str, dict[str, float]]]:
        """The kinds that were asked, by name, with the figures of a sentence about each."""
        for name, kind in (("options", self.options), ("lists", self.lists), ("text", self.text)):
            if kind is not None and kind.n:
                yield name, {**kind.model_dump(exclude_none=True), "share": kind.share}


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
    answers: AnswerChange = AnswerChange()


class BundleFile(Stored):
    """The parts of bundle.json that are shown."""

    NEWEST: ClassVar[int] = 2
    name: str = ""
    model: BundleModel = BundleModel()
    gguf: dict[str, GgufFile] = Field(default_factory=dict)
