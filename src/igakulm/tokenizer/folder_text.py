"""Text and conversations in the ids of any Hugging Face folder's tokenizer, as its model expects them.

Does: render chats with the folder's own template, mark what a tuned model learns of them, keep control tokens that a
text merely spells as text, say which ids end an answer. Does not: run models, train, run code of a folder, or reach a
network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.text.broken import whole_characters
from igakulm.text.messages import Message
from igakulm.tokenizer.encoder import without_template
from igakulm.tokenizer.folder_tokenizer import FolderTokenizer

END_OF_TURN = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<turn|>",
    "<|end|>",
    "<|return|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_role|>",
    "<|endoftext|>",
)
"""Control tokens that end a turn in widespread chat formats; some folders name none of them as an end token."""
ANCHORS = ("：", "。", "x", "0", "\n")
"""Texts that stand before a continuation while it is encoded; the first that does not merge with it is used."""
_PROBE = "7b1c"
_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


class FolderText:
    """The tokenizer of any Hugging Face folder.

    A template that refuses or drops the system role gets the system text in front of the first user message. Thinking
    aloud is switched off where a template knows `enable_thinking`, and dates in a template are always the same day.

    Attributes:
        stock: the folder's stock tokenizer.
        chat: whether the folder has a chat template.
        begin: ids that the tokenizer puts before every text by itself.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.stock = FolderTokenizer(folder)
        self.chat = self.stock.has_template
        self.begin = self._begin_of_text()
        self._spaced = self._spaced_after_control()
        self._system_role = self.chat and self._takes_system()

    def chat_ids(self, messages: Sequence[Message]) -> list[int]:
        """What the template gives up to where the model's answer begins, but for control tokens that a message spells.

        Raises:
            InputError: a model without chat template, or messages that its template refuses.
        """
        return self._ids(messages, reply=True)

    def conversation(self, messages: Sequence[Message], *, reply: bool) -> tuple[list[int], list[bool]]:
        """Ids of a conversation and what of them is learnt: answers, each with the control token that ends it.

        The last answer stands behind exactly the ids of `chat_ids`, with which the model will be asked; after it comes
        the token that the template, or else the tokenizer, ends an answer with. Earlier answers stand as the template
        writes them.

        Raises:
            InputError: as `chat_ids`; a template that rewrites earlier answers.
        """
        if reply or not messages or messages[-1]["role"] != "assistant":
            return self._history(messages, reply)
        ids, mask = self._history(messages[:-1], True)
        end = self.answer_end()
        answer = [*self.continuation_ids(messages[-1]["content"]), *([] if end is None else [end])]
        return ids + answer, mask + [True] * len(answer)

    def plain_ids(self, text: str) -> list[int]:
        """Begin-of-text where the tokenizer puts one, then the text."""
        return [*self.begin, *self._encode(text)]

    def texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of plain texts, nothing added; spellings of control tokens stay text."""
        return self.stock.as_texts([whole_characters(text) for text in texts])

    def continuation_ids(self, text: str) -> list[int]:
        """Ids of a text that follows a prompt: what those of an anchor with it have more than those of the anchor."""
        for anchor in ANCHORS:
            before, both = self._encode(anchor), self._encode(anchor + text)
            if before and both[: len(before)] == before:
                return both[len(before) :]
        return self._encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, control tokens left out."""
        return self.stock.decode(ids)

    def answer_end(self) -> int | None:
        """The control token that the template puts right after an answer, else the tokenizer's end of text."""
        turns = ({"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE})
        try:
            text = self.stock.render(turns, reply=False) if self.chat else ""
        except InputError:  # a template may have more to say about a finished conversation
            text = ""
        behind = text.rpartition(_PROBE)[2].lstrip()
        found = self.stock.spelled.match(behind) if behind else None
        return self.stock.control[found[0]] if found else self.stock.end

    def ends(self) -> set[int]:
        """Ids that end an answer: the tokenizer's end of text, well-known ends of turns, and the template's own."""
        ends = {self.stock.control[name] for name in END_OF_TURN if name in self.stock.control}
        return ends | {end for end in (self.stock.end, self.answer_end()) if end is not None}

    def _encode(self, text: str) -> list[int]:
        return self.stock.as_text(whole_characters(text))

    def _ids(self, messages: Sequence[Message], *, reply: bool) -> list[int]:
        turns = self._turns(messages)
        if not any(self.stock.spelled.search(turn["content"]) for turn in turns):
            return self.stock.with_control(self.stock.render(turns, reply=reply))
        return self._guarded(turns, reply=reply)

    def _turns(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the template takes them."""
        if not self.chat:
            raise without_template(self._folder)
        turns = messages if self._system_role else merge_system(messages)
        return [{**turn, "content": whole_characters(turn["content"])} for turn in turns]

    def _guarded(self, turns: Sequence[Message], *, reply: bool = True) -> list[int]:
        """Ids of a chat whose messages spell control tokens: only those that the template wrote become control tokens.

        Spellings in messages are hidden behind private characters while the template runs.
        """
        ids: list[int] = []
        for control, text in self._pieces(turns, reply):
            if control is not None:
                ids.append(control)
            if text:
                ids += self._following(text, bool(ids))
        return ids

    def _following(self, text: str, behind: bool) -> list[int]:
        """Ids of the template's text, `behind` a control token or at the very beginning."""
        return self.continuation_ids(text) if behind and not self._spaced else self._encode(text)

    def _pieces(self, turns: Sequence[Message], reply: bool) -> Iterator[tuple[int | None, str]]:
        (mark,) = _private(turns, 1)
        hidden: list[str] = []

        def hide(match: re.Match[str]) -> str:
            hidden.append(match[0])
            return f"{mark}{len(hidden) - 1}{mark}"

        veiled = [{**turn, "content": self.stock.spelled.sub(hide, turn["content"])} for turn in turns]
        for control, text in self.stock.pieces(self.stock.render(veiled, reply=reply)):
            yield control, re.sub(f"{mark}(\\d+){mark}", lambda match: hidden[int(match[1])], text)

    def _history(self, messages: Sequence[Message], reply: bool) -> tuple[list[int], list[bool]]:
        """Ids as `_ids`, and which of them are answers with their ends."""
        ids = self._ids(messages, reply=reply)
        if not any(message["role"] == "assistant" for message in messages):
            return ids, [False] * len(ids)
        begin, end = _private(messages, 2)
        marked = [
            {**turn, "content": _EDGES.fullmatch(turn["content"]).expand(rf"\1{begin}\2{end}\3")}  # type: ignore[union-attr]
            if turn["role"] == "assistant"
            else turn
            for turn in self._turns(messages)
        ]
        found: list[int] = []
        mask: list[bool] = []
        ending = False
        for control, text in self._pieces(marked, reply):
            if control is not None:
                found.append(control)
                mask.append(ending)
                ending = False
            if text:
                part, learnt, ending = self._learnt(text, begin, end, bool(found))
                found += part
                mask += learnt
        if found != ids:
            hint = "give one row for each answer, without earlier answers"
            raise InputError("the model's chat template rewrites earlier answers", where=str(self._folder), hint=hint)
        return ids, mask

    def _learnt(self, text: str, begin: str, end: str, behind: bool) -> tuple[list[int], list[bool], bool]:
        """Ids of a piece of a rendered chat, which are answers, and whether an answer ends with the piece."""
        plain, spans, place = "", [], 0
        for part in re.split(f"([{begin}{end}])", text):
            if part == begin:
                place = len(plain)
            elif part == end:
                spans.append((place, len(plain)))
            else:
                plain += part
        ids = self._following(plain, behind) if plain else []
        mask = [False] * len(ids)
        for first, last in spans:
            a, b = (_shared(self._following(plain[:place], behind), ids) if place else 0 for place in (first, last))
            mask[a:b] = [True] * (b - a)
        ended = bool(spans) and not plain[spans[-1][1] :].strip()
        return ids, mask, ended

    def _begin_of_text(self) -> list[int]:
        bare, whole = self._encode("x"), self.stock.with_begin("x")
        places = (k for k in range(len(whole) - len(bare) + 1) if whole[k : k + len(bare)] == bare)
        return whole[: next(places, 0)]

    def _spaced_after_control(self) -> bool:
        """Whether text after a control token is encoded as at the start of a text (some put a space before both)."""
        control = next(iter(self.stock.control), None)
        return control is None or self.stock.with_control(control + "x")[1:] == self._encode("x")

    def _takes_system(self) -> bool:
        turns = ({"role": "system", "content": _PROBE}, {"role": "user", "content": "?"})
        try:
            return _PROBE in self.stock.render(turns)
        except InputError:
            return False


def merge_system(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The conversation with each system text put before the next user message, a blank line between.

    >>> merge_system([{"role": "system", "content": "短く。"}, {"role": "user", "content": "血圧とは"}])
    [{'role': 'user', 'content': '短く。\\n\\n血圧とは'}]
    """
    merged: list[dict[str, str]] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "system":
            waiting.append(message["content"])
        elif message["role"] == "user":
            merged.append({**message, "content": "\n\n".join([*waiting, message["content"]])})
            waiting = []
        else:
            merged.append(dict(message))
    return [*merged, {"role": "user", "content": "\n\n".join(waiting)}] if waiting else merged


def named_ends(folder: Path) -> set[int]:
    """End tokens that config.json and generation_config.json name: a number or a list of numbers."""
    ends: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        value = read_json(folder / name) if (folder / name).is_file() else {}
        named = value.get("eos_token_id") if isinstance(value, dict) else None
        ends |= {number for number in (named if isinstance(named, list) else [named]) if type(number) is int}
    return ends


def _private(messages: Sequence[Message], number: int) -> list[str]:
    """Private characters that stand in no message."""
    everything = "".join(message["content"] for message in messages)
    free = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in everything)
    return [next(free) for _ in range(number)]


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids two lists share at their beginning.

    >>> _shared([1, 2, 3], [1, 2, 4, 5])
    2
    """
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
