"""The models that write: who they are, whether their terms allow training, and which of them a term falls to.

Does: fill in the defaults of the recipe's writers, refuse those that may not write, choose a writer for each term.
Does not: contact anybody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from igakulm.errors import InputError
from igakulm.files import sha256_file
from igakulm.recipe.schema import SynthSection, Writer
from igakulm.synth.prompts import draw

ONLY_WRITER = "writer"
"""Name of the one writer of a recipe that has `synth.endpoint` instead of `synth.writers`."""

OWN_PARAMETERS = ("model", "messages", "temperature", "max_tokens", "seed", "stream", "n", "response_format")
"""Keys of a request that `writers.parameters` may not set: the plan sets them, or the client relies on them."""

Kind = Literal["textbook", "exam", "verify"]


@dataclass(frozen=True, slots=True)
class Author:
    """A writer with every default filled in; exactly one of `endpoint` and `gguf` is given."""

    name: str
    endpoint: str | None
    gguf: Path | None
    model: str
    revision: str
    licence: str
    terms: str
    weight: float
    kinds: tuple[str, ...]
    max_tokens: dict[str, int]
    temperature: float
    parameters: dict[str, Any]
    structured: bool
    concurrency: int
    context_length: int
    key_variable: str

    @property
    def provenance(self) -> dict[str, str]:
        """What every document says about its writer."""
        return {"writer": self.name, "model": self.model, "revision": self.revision, "terms": self.terms}


def named_writers(config: SynthSection) -> tuple[Writer, ...]:
    """The recipe's writers; a recipe with the single keys has one.

    Raises:
        InputError: both forms at once, no writer at all, or a name that occurs twice.
    """
    single = Writer(name=ONLY_WRITER, endpoint=config.endpoint, model=config.model, licence=config.licence)
    if not config.writers:
        return (single,)
    if config.endpoint or config.model or config.licence:
        hint = "keep synth.writers and remove synth.endpoint, synth.model and synth.licence"
        raise InputError("writers are given in two ways", where="synth.writers", hint=hint)
    names = [writer.name for writer in config.writers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two writers are called {twice[0]!r}", where="synth.writers", hint="give each its own name")
    return config.writers


def checked_authors(config: SynthSection) -> dict[str, Author]:
    """The writers by name, checked before anything is asked.

    Raises:
        InputError: endpoint, model or licence is missing; a licence matches none of `synth.allow_licences`; a GGUF file
            is missing; nobody writes what the recipe wants; the verifier is not among the writers.
    """
    authors = {writer.name: _author(writer, config) for writer in named_writers(config)}
    for author in authors.values():
        _check_licence(author, config)
    for kind, wanted in (("textbook", config.terms), ("exam", config.exams)):
        if wanted and not any(author.weight > 0 and kind in author.kinds for author in authors.values()):
            raise InputError(f"no writer writes texts of the kind {kind!r}", where="synth.writers")
    if config.verifier is not None and config.verifier not in authors:
        known = ", ".join(authors)
        raise InputError(f"there is no writer {config.verifier!r}", where="synth.verifier", hint=f"known: {known}")
    return authors


def _author(writer: Writer, config: SynthSection) -> Author:
    place = f"synth.writers.{writer.name}" if config.writers else "synth"
    hint = "give the key in the recipe, or set synth.terms and synth.exams to 0 for no synthetic text"
    if not writer.endpoint and not writer.gguf:
        raise InputError("synthetic text needs a server that writes it", where=f"{place}.endpoint", hint=hint)
    if writer.endpoint and writer.gguf:
        raise InputError("a writer is a server or a file, not both", where=f"{place}.gguf")
    if writer.gguf and not Path(writer.gguf).is_file():
        raise InputError("there is no such file", where=writer.gguf, hint=f"check {place}.gguf")
    if not writer.gguf and not writer.model.strip():
        raise InputError("the model that writes is not named", where=f"{place}.model", hint=hint)
    if taken := [name for name in OWN_PARAMETERS if name in writer.parameters]:
        what = f"{taken[0]} has a key of its own or cannot be set"
        raise InputError(what, where=f"{place}.parameters.{taken[0]}", hint="remove it there")
    if not writer.licence.strip():
        what = "the terms of use of the writer's texts are not stated, and they travel with every text"
        raise InputError(what, where=f"{place}.licence", hint=hint)
    return Author(
        name=writer.name,
        endpoint=writer.endpoint,
        gguf=Path(writer.gguf) if writer.gguf else None,
        model=writer.model.strip() or Path(writer.gguf or "").name,
        revision=_revision(writer),
        licence=writer.licence.strip(),
        terms=writer.terms.strip(),
        weight=writer.weight,
        kinds=writer.kinds,
        max_tokens={
            "textbook": writer.max_tokens or config.max_tokens,
            "exam": writer.max_tokens or config.exam_max_tokens,
            "verify": writer.max_tokens or config.exam_max_tokens,
        },
        temperature=config.temperature if writer.temperature is None else writer.temperature,
        parameters=dict(writer.parameters),
        structured=writer.structured,
        concurrency=writer.concurrency or config.concurrency,
        context_length=writer.context_length,
        key_variable=writer.key_variable,
    )


def _revision(writer: Writer) -> str:
    """The revision as given; for a file also its content, since another file of that name gives other answers."""
    parts = [writer.revision.strip()] if writer.revision.strip() else []
    if writer.gguf:
        parts.append(f"sha256:{sha256_file(Path(writer.gguf))}")
    return " ".join(parts)


def _check_licence(author: Author, config: SynthSection) -> None:
    allowed = config.allow_licences
    if not allowed or any(fnmatchcase(author.licence.casefold(), pattern.casefold()) for pattern in allowed):
        return
    raise InputError(
        f"the licence {author.licence!r} of the writer {author.name!r} is not among those allowed for training",
        where="synth.allow_licences",
        hint=f"allowed are {', '.join(allowed)}; take another model, or add the licence after reading its terms",
    )


def choose_author(authors: Sequence[Author], seed: int, *parts: str) -> Author:
    """The author whom the parts (kind, term, …) fall to, with a probability in proportion to the weights.

    Weighted rendezvous hashing: every author draws a number for the parts, and the smallest -ln(u) / weight wins. An
    author that is added takes its share evenly from the others, and one that is removed leaves its own terms only; no
    other term changes its author.
    """
    return min(authors, key=lambda author: (_cost(author, seed, parts), author.name))


def _cost(author: Author, seed: int, parts: Sequence[str]) -> float:
    share = (draw(seed, "writer", author.name, *parts) + 1) / 2**64
    return -math.log(share) / author.weight
