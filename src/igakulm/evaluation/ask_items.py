"""Asking a model the items of one task, whatever kind of model it is, and reading what it answers.

Does: send items to a local model (ask_tokens.py) or to one that takes text (ask_text.py), read the answers twice: our
way and the published scorer's. Does not: open models, score, or write results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from igakulm.answering.options import choose
from igakulm.answering.reading import Prediction, parse_answer, upstream_letter, upstream_list
from igakulm.errors import InputError
from igakulm.evaluation.ask_text import choose_by_text, write_by_text
from igakulm.evaluation.ask_tokens import choose_by_tokens, write_by_tokens
from igakulm.evaluation.kept import KeptAnswers, KeptEngine, KeptText
from igakulm.evaluation.manner import GENERATE, OPTIONS, OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED, Manner, Raw
from igakulm.evaluation.recorded import Recorded
from igakulm.inference.engine import TextModel
from igakulm.inference.model import Model
from igakulm.tasks.items import LETTERS, Item
from igakulm.tasks.prompts import chat_answer

Asked = Model | TextModel | Recorded
"""Whatever answers: a model that takes ids, one that takes text, or answers that are there already."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One item's prompt as sent, the answer's text, how it was read, and the published scorer's reading.

    `failure`: why the model gave no answer to this one item (an endpoint refused it); it counts as unreadable.
    `shares`: the probability of each option, where the options were weighed.
    `asked`, `cut`: see `manner.Raw`.
    """

    prompt: str
    truncated: bool
    text: str
    mode: str
    parsed: Prediction
    upstream: Prediction
    failure: str = ""
    shares: tuple[float, ...] = ()
    asked: bool = True
    cut: bool = False


def ask(
    model: Asked, items: Sequence[Item], manner: Manner, kept: KeptAnswers, done: Callable[[int], None]
) -> dict[str, list[Reply]]:
    """Answer mode -> replies in the order of the items; `done(n)` is called as items finish.

    The mode "options-text" gives two: as they are, and per byte. Items that have no options, or do not say how many are
    right, are generated in any mode; when all are, the only mode is "generate".

    Raises:
        InputError: the model cannot be asked in this way, or cannot be reached.
    """
    if isinstance(model, Model):
        model = replace(model, engine=KeptEngine(model.engine, kept, model.identity))
    elif not isinstance(model, Recorded) and (identity := getattr(model, "identity", "")):
        model = KeptText(model, kept, identity)
    by_options = manner.answer != "generate" and not isinstance(model, Recorded)
    chosen = [place for place, item in enumerate(items) if item.kind == "choice" and item.wanted and by_options]
    written = sorted(set(range(len(items))) - set(chosen))
    raw: dict[int, Raw] = {}
    if chosen:
        raw.update(zip(chosen, _choose(model, [items[place] for place in chosen], manner, done), strict=True))
    if written:
        raw.update(zip(written, _write(model, [items[place] for place in written], manner, done), strict=True))
    modes = [GENERATE]
    if chosen:
        modes = [OPTIONS] if manner.answer == "options" else [OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED]
    return {mode: [read_reply(item, raw[place], mode) for place, item in enumerate(items)] for mode in modes}


def prompt_style(model: Asked, manner: Manner, item: Item) -> str:
    """The name of the prompt's layout that stands beside a score; empty for recorded answers."""
    return "" if isinstance(model, Recorded) else manner.prompt_style(item, chat=is_chat(model, manner))


def identity_of(model: Asked) -> str:
    """What was asked, as far as it can be known: weights and precision of a local model, else who answered."""
    if isinstance(model, Recorded):
        return "recorded answers"
    return str(getattr(model, "identity", "") or "endpoint")


def precision_of(model: Asked) -> str:
    """The precision of a local model's weights; empty where only a server or a file knows it."""
    return model.precision if isinstance(model, Model) else ""


def is_chat(model: Model | TextModel, manner: Manner) -> bool:
    """Whether the model is asked with chat messages."""
    if manner.plain:
        return False
    return model.chat


def _choose(model: Asked, items: Sequence[Item], manner: Manner, done: Callable[[int], None]) -> list[Raw]:
    assert not isinstance(model, Recorded)
    if isinstance(model, Model):
        return choose_by_tokens(model, items, manner, done)
    if manner.answer == "options-text":
        raise InputError(
            "choosing by the options' text needs a model in this process",
            where=model.name,
            hint="use --answer options or --answer generate",
        )
    return choose_by_text(model, items, manner, is_chat(model, manner), done)


def _write(model: Asked, items: Sequence[Item], manner: Manner, done: Callable[[int], None]) -> list[Raw]:
    if isinstance(model, Recorded):
        done(len(items))
        return [Raw(item.question, False, model.texts[item.id]) for item in items]
    if isinstance(model, Model):
        return write_by_tokens(model, items, manner, done)
    return write_by_text(model, items, manner, is_chat(model, manner), done)


def read_reply(item: Item, raw: Raw, mode: str) -> Reply:
    """Parse what came back in one mode."""
    if not raw.asked:
        return Reply(raw.prompt, raw.truncated, "", mode, None, None, raw.failure, asked=False)
    if raw.held:
        # What the published scorer would read in the list as the document writes it.
        named = (raw.named, raw.named)
        return Reply(raw.prompt, raw.truncated, raw.text, GENERATE, *named, raw.failure, cut=raw.cut)
    if raw.options is None:
        parsed = None if raw.failure else parse_answer(item, raw.text)
        upstream = upstream_list(raw.text) if item.kind == "entities" else upstream_letter(raw.text)
        return Reply(raw.prompt, raw.truncated, raw.text, GENERATE, parsed, upstream, raw.failure, cut=raw.cut)
    chosen = choose(raw.options[mode], len(item.choices), item.wanted)
    letters = tuple(LETTERS[number] for number in chosen.chosen) if chosen else None
    text = chat_answer(replace(item, answer=letters)) if letters else ""
    shares = tuple(chosen.shares) if chosen else ()
    return Reply(raw.prompt, raw.truncated, text, mode, letters, letters, raw.failure, shares)
