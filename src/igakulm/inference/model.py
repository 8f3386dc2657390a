"""A model as every room sees it: engine, tokenizer, how its text is prepared, the tasks that it was tuned on.

Does: turn messages of a user into the ids that the model reads, name the weights. Does not: look at paths (open.py),
lay out tasks as messages (`tasks/`), or answer (`answering/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.files import sha256_file, sha256_json
from igakulm.inference.engine import Engine
from igakulm.tasks.layouts import Task
from igakulm.text.messages import Message
from igakulm.text.prepared import Form, Prepared, prepare
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encoder import Encoder

NOTHING_LEFT = "nothing is left of this text once it is prepared for the model"
NOT_TUNED = "the model does not say what it was tuned on: tasks are asked in general words, and it may answer badly"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads.

    Attributes:
        ids: token ids, up to where its answer begins.
        messages: each message (or the one plain text) as the model reads it, with the way back to what was given.
    """

    ids: list[int]
    messages: tuple[Prepared, ...]

    @property
    def prepared(self) -> Prepared:
        """The last message: what is asked."""
        return self.messages[-1]

    @property
    def text(self) -> str:
        """All messages as the model reads them, a blank line between."""
        return "\n\n".join(message.text for message in self.messages)


@dataclass(frozen=True)
class Model:
    """A model that takes token ids, ready to answer.

    Attributes:
        engine: computes.
        encoder: its tokenizer, whoever made it.
        name: of the bundle, folder or file.
        kind: "llamacpp (FILE)", "transformers" or "endpoint (URL)".
        folder: the bundle, or the model's folder; None for one that lies nowhere.
        description: bundle.json; empty outside of a bundle.
        preparation: the form of text that it was trained on.
        tasks: what it was tuned on; tasks in general words where its folder does not say (`tuned_tasks` is False then).
        ours: whether its folder says that it was made here, so that it is asked in our layouts and not in published
            ones.
        weights: files of its weights and configuration.
        precision: of its weights in the engine, where the files do not say it.
    """

    engine: Engine
    encoder: Encoder
    name: str
    kind: str
    folder: Path | None = None
    description: Mapping[str, Any] = field(default_factory=dict)
    preparation: Form = "raw"
    tasks: tuple[Task, ...] = ()
    tuned_tasks: bool = False
    ours: bool = True
    weights: tuple[Path, ...] = ()
    precision: str = ""

    @cached_property
    def identity(self) -> str:
        """Hex SHA-256 over weights, configuration and precision, whatever the folder's name; hashes the files once.

        Raises:
            InputError: a file is gone.
        """
        hashes = [sha256_file(path) for path in sorted(self.weights)]
        return sha256_json([*hashes, self.precision] if hashes else [self.name, self.kind, self.precision])

    @property
    def chat(self) -> bool:
        """Whether it takes conversations; without, it continues plain text."""
        return self.encoder.chat

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return self.engine.context_length

    def prompt(self, messages: Sequence[Message], form: Form | None = None) -> Prompt:
        """A conversation as the model reads it, up to where its answer begins.

        Args:
            messages: what a user gave, not prepared; a whole message each.
            form: another preparation than the model's own: "raw" for published layouts.

        Raises:
            InputError: an unknown role, content that is not text or of which preparing leaves nothing, a conversation
                that the model's template refuses.
        """
        made = tuple(self._prepared(message.get("content"), form) for message in messages)
        turns = [{**message, "content": one.text} for message, one in zip(messages, made, strict=True)]
        return Prompt(render_chat(self.encoder, turns, add_generation_prompt=True)[0], made)

    def plain_prompt(self, text: str, form: Form | None = None) -> Prompt:
        """A text as a model without conversations reads it; `form` as in `prompt`.

        Raises:
            InputError: preparing leaves nothing of it.
        """
        made = self._prepared(text, form)
        return Prompt(self.encoder.plain_ids(made.text), (made,))

    def reads(self, text: str) -> bool:
        """Whether anything of a text is left once it is prepared for the model."""
        return bool(prepare(text, self.preparation).text.strip())

    def _prepared(self, text: object, form: Form | None) -> Prepared:
        if not isinstance(text, str):
            raise InputError("a message without text in `content`", hint="give content as a string")
        made = prepare(text, form or self.preparation)
        if text.strip() and not made.text.strip():
            raise InputError(NOTHING_LEFT, hint="it holds only characters that no model reads")
        return made

    def close(self) -> None:
        """Release the engine; a llama.cpp child ends."""
        close = getattr(self.engine, "close", None)
        if close:
            close()
