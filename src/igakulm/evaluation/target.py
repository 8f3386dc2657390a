"""What is asked and how, as a user says it: a model, an endpoint or finished answers, and the ways of asking.

Does: check what was said, open what is meant, choose what suits it where nothing was said. Does not: ask or score.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from igakulm.answering.extraction import ANSWER_TOKENS
from igakulm.asking.client import ResponseStore
from igakulm.errors import InputError
from igakulm.evaluation.ask_items import Asked
from igakulm.evaluation.baselines import BASELINES
from igakulm.evaluation.manner import Answer, Manner, Style
from igakulm.evaluation.recorded import Recorded
from igakulm.inference.model import Model
from igakulm.inference.open import open_any_model
from igakulm.tasks.wording import Wording, read_shots, read_wording


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: a local folder or GGUF file (`model`), or an OpenAI-compatible server (`endpoint` and `name`); or
    nobody, when the answers are there already (`recorded`).
    """

    model: Path | None = None
    endpoint: str | None = None
    name: str | None = None
    route: Literal["chat", "completions"] = "chat"
    system_role: bool = True
    tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    concurrency: int = 8
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    batch_tokens: int = 16_384
    threads: int | None = None
    engine: str = "weights"
    gguf: str | None = None
    recorded: Recorded | None = None

    def label(self) -> str:
        """The name in the scoreboard.

        Raises:
            InputError: neither or both of model and endpoint, an endpoint without a model's name, or a name that no
                scoreboard can show.
        """
        label = self._label()
        if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in label):
            raise InputError("the model's name holds control characters", where=ascii(label), hint="give a --name")
        if label in BASELINES:
            raise InputError("this is the name of a baseline", where=label, hint="give another --name")
        return label

    def _label(self) -> str:
        if self.recorded is not None:
            return self.name or self.recorded.name
        if (self.model is None) == (self.endpoint is None):
            raise InputError(
                "give either a model or an endpoint", hint="--model FOLDER_OR_GGUF, or --endpoint URL --name NAME"
            )
        if self.endpoint is not None:
            if not self.name:
                raise InputError("the endpoint's model is not named", hint="add --name NAME, as the server calls it")
            return self.name
        assert self.model is not None
        return self.name or self.model.resolve().name.removesuffix(".gguf")


@dataclass(frozen=True, slots=True)
class Options:
    """How it is asked; None = what fits the model (our own: our chat format; others: the published layout)."""

    answers: tuple[Answer, ...] = ()
    prompts: Style | None = None
    wording: Path | None = None
    shots: Path | None = None
    max_new_tokens: int | None = None
    split: str = "published"
    baselines: bool = True
    strict: bool = False
    folds: int = 0
    max_items: int | None = None
    samples: int = 2000
    seed: int = 0


def open_target(target: Target, name: str, store: ResponseStore | None) -> Asked:
    """The model behind a target.

    Raises:
        InputError: it cannot be opened, or the address is wrong.
    """
    if target.recorded is not None:
        return target.recorded
    if target.endpoint is None:
        assert target.model is not None
        return open_any_model(
            target.model,
            target.engine,
            gguf=target.gguf,
            precision=target.precision,
            batch_tokens=target.batch_tokens,
            threads=target.threads,
            lanes=1,
        )
    from igakulm.evaluation.same_model import SameModel
    from igakulm.inference.endpoint import Endpoint

    opened = partial(
        Endpoint,
        target.endpoint,
        name,
        concurrency=target.concurrency,
        route=target.route,
        system_role=target.system_role,
        tokens_parameter=target.tokens_parameter,
    )
    return SameModel(opened(store), opened(None), store)


def manners_for(model: Asked, options: Options) -> tuple[Manner, ...]:
    """How a model is asked: as the options say, else models that were made here (their folder says so, whatever
    tokenizer they have) in our layouts by their options' letters, other local models in the published layout by the
    letters, and models that take text by free answers.

    Raises:
        InputError: a file of the options is wrong, or examples are wanted in another layout than the published one.
    """
    local = isinstance(model, Model)
    style = options.prompts or ("chat" if isinstance(model, Model) and model.ours else "published")
    if options.shots and style != "published":
        raise InputError("worked examples belong to the published layout", hint="add --prompts published")
    manner = Manner(
        style=style,
        max_new_tokens=options.max_new_tokens or ANSWER_TOKENS,
        wording=read_wording(options.wording) if options.wording else Wording(),
        shots=read_shots(options.shots) if options.shots else (),
    )
    answers: tuple[Answer, ...] = options.answers or (("options",) if local else ("generate",))
    return tuple(
        Manner(manner.style, answer, manner.max_new_tokens, manner.plain, manner.wording, manner.shots)
        for answer in dict.fromkeys(answers)
    )
