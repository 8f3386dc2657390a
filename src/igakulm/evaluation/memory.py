"""What a tuned model gives back of its training texts word for word: `igakulm audit-memory`.

Does: ask with the beginning of each training text, as plain text and (of conversations) as the beginning of the answer
that was learnt, compare what comes with how the text goes on, and say which personal data came back.
Does not: prove that nothing else is remembered: it finds what greedy decoding gives away after these beginnings.
Source of the measure: Carlini et al. 2023, Quantifying Memorization Across Neural Language Models, section 3
(extractable with k tokens of context; here characters).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from igakulm.errors import InputError
from igakulm.evaluation.personal_spans import Share, share_of
from igakulm.files import numbered_jsonl
from igakulm.inference.model import Model
from igakulm.progress import Progress, track
from igakulm.text.personal.finder import Finder
from igakulm.text.prepared import prepare

Manner = Literal["plain", "answer"]
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Beginning:
    """One question to the memory: the prompt's ids and how the text goes on."""

    where: str
    manner: Manner
    ids: tuple[int, ...]
    rest: str


class Recalled(TypedDict):
    """One text that came back: `characters` word for word, and the kinds of personal data among them."""

    where: str
    manner: Manner
    characters: int
    personal_data: list[str]


class MemoryAudit(TypedDict):
    """The whole audit; shares hold right, n, low and high (95 %, Wilson)."""

    model: str
    prefix: int
    characters: int
    asked: int
    too_short: int
    recalled: dict[str, Any]
    with_personal_data: dict[str, Any]
    longest: int
    texts: list[Recalled]


def audit_memory(
    model: Model, paths: Sequence[Path], progress: Progress, *, prefix: int = 60, characters: int = 30, limit: int = 500
) -> MemoryAudit:
    """Ask a model with beginnings of its training texts.

    Args:
        model: opened; greedy decoding is used.
        paths: JSON Lines with `messages` or with `text` or `document`; everything else is one text.
        progress: shows what is done.
        prefix: characters of the text that the model is given.
        characters: from so many characters word for word on a text counts as given back.
        limit: at most so many texts of each file are asked, the first ones.

    Raises:
        InputError: a file without a text that is long enough, or one that cannot be read.
    """
    beginnings: list[Beginning] = []
    short = 0
    for path in paths:
        for where, manner, before, text in _texts(path, limit):
            if len(text) < prefix + characters:
                short += 1
                continue
            beginnings.append(_beginning(model, where, manner, before, text, prefix))
    if not beginnings:
        hint = f"texts must have {prefix + characters} characters; see --prefix and --characters"
        raise InputError("there is no text that is long enough to ask with", where=str(paths[0]), hint=hint)
    finder = Finder()
    found = [
        _compared(one, answer, finder)
        for one, answer in zip(beginnings, _answers(model, beginnings, characters, progress), strict=True)
    ]
    recalled = [one for one in found if one["characters"] >= characters]
    return MemoryAudit(
        model=model.identity,
        prefix=prefix,
        characters=characters,
        asked=len(found),
        too_short=short,
        recalled=_share(len(recalled), len(found)),
        with_personal_data=_share(sum(bool(one["personal_data"]) for one in found), len(found)),
        longest=max(one["characters"] for one in found),
        texts=[one for one in found if one["characters"] >= characters or one["personal_data"]],
    )


def _share(right: int, n: int) -> dict[str, object]:
    share: Share = share_of(right, n)
    return share.model_dump()


def _texts(path: Path, limit: int) -> Iterator[tuple[str, Manner, list[dict[str, str]], str]]:
    """Place, manner, the turns before, and the text."""
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        yield str(path), "plain", [], path.read_text(encoding="utf-8")
        return
    for number, row in numbered_jsonl(path):
        if number > limit:
            return
        where = f"{path}, line {number}"
        turns = row.get("messages")
        if isinstance(turns, list):
            for place, turn in enumerate(turns):
                content = str(turn.get("content", "")) if isinstance(turn, dict) else ""
                answer = isinstance(turn, dict) and turn.get("role") == "assistant"
                yield where, "answer" if answer else "plain", turns[:place] if answer else [], content
            continue
        for name in ("text", "document", "question"):
            if isinstance(row.get(name), str):
                yield where, "plain", [], row[name]


def _beginning(
    model: Model, where: str, manner: Manner, before: list[dict[str, str]], text: str, prefix: int
) -> Beginning:
    """The prompt: the turns before and the beginning of the answer, or the beginning of the text alone."""
    prepared = prepare(text, model.preparation).text
    start, rest = prepared[:prefix], prepared[prefix:]
    if manner == "answer" and model.chat:
        ids = [*model.prompt(before).ids, *model.encoder.continuation_ids(start)]
    else:
        ids = [*model.encoder.plain_ids(start)]
    return Beginning(where, manner, tuple(ids), rest)


def _answers(model: Model, beginnings: Sequence[Beginning], characters: int, progress: Progress) -> Iterator[str]:
    room = 4 * characters  # tokens are seldom shorter than a character, and never by much
    groups = [beginnings[first : first + _BATCH] for first in range(0, len(beginnings), _BATCH)]
    for group in track(progress, groups, "ask the memory", unit="batches"):
        prompts = [list(one.ids[-(model.context_length - room - 1) :]) for one in group]
        for ids in model.engine.generate(prompts, room, model.encoder.stops):
            yield model.encoder.decode(ids)


def _compared(one: Beginning, answer: str, finder: Finder) -> Recalled:
    same = 0
    while same < min(len(one.rest), len(answer)) and one.rest[same] == answer[same]:
        same += 1
    kinds = sorted({span.kind for span in finder.find(one.rest) if span.end <= same})
    return Recalled(where=one.where, manner=one.manner, characters=same, personal_data=list(kinds))
