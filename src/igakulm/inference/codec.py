"""Text to token ids and back for a model folder: IgakuLM's own tokenizer, or the one that a foreign model brings.

Does: render chats with the model's own template, keep control tokens that a text merely spells as text, say which ids
end an answer. Does not: run models, run code of a tokenizer folder, or reach a network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from igakulm.errors import InputError
from igakulm.files import read_json, sha256_file, sha256_json
from igakulm.inference.engine import Codec, Message
from igakulm.inference.folder_tokenizer import FolderTokenizer
from igakulm.inference.messages import merge_system
from igakulm.tokenizer.chat import render_chat
from igakulm.tokenizer.encode import ENCODER_FILE, TextEncoder

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
_TOKENIZER_FILES = re.compile(
    r"(token|vocab|merges|special_tokens|added_tokens|chat_template|spiece|sentencepiece|encoder\.).*|.*\.tiktoken"
)
_PROBE = "7b1c"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def load_codec(folder: Path) -> Codec:
    """The codec of a model folder.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """
    return OwnCodec(TextEncoder.load(folder)) if (folder / ENCODER_FILE).is_file() else FolderCodec(folder)


def tokenizer_identity(folder: Path) -> str:
    """Hex SHA-256 over the names and hashes of a folder's tokenizer and chat template files."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return sha256_json({path.name: sha256_file(path) for path in files if _TOKENIZER_FILES.fullmatch(path.name)})


def _without_template(folder: Path) -> InputError:
    return InputError("this model has no chat template", where=str(folder), mend="ask it with a plain prompt")


class OwnCodec:
    """IgakuLM's tokenizer; see `Codec`. A base model's folder has no chat template: it never saw the chat tokens."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.chat = (encoder.folder / "chat_template.jinja").is_file()
        self.identity = tokenizer_identity(encoder.folder)
        self.stop: tuple[int, ...] = (encoder.eos,)
        self.line_end: tuple[int, ...] = (encoder.eos, encoder.newline)

    def chat_ids(self, messages: Sequence[Message]) -> list[int]:
        """See `Codec.chat_ids`.

        Raises:
            InputError: a base model.
        """
        if not self.chat:
            raise _without_template(self.encoder.folder)
        return render_chat(self.encoder, messages, add_generation_prompt=True)[0]

    def plain_ids(self, text: str) -> list[int]:
        """See `Codec.plain_ids`."""
        return [self.encoder.bos, *self.encoder.encode(text)]

    def continuation_ids(self, text: str) -> list[int]:
        """See `Codec.continuation_ids`; this tokenizer never puts a space before a text."""
        return self.encoder.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """See `Codec.decode`."""
        return self.encoder.decode(ids)


class FolderCodec:
    """The tokenizer of any Hugging Face folder; see `Codec`.

    A template that refuses or drops the system role gets the system text in front of the first user message. Thinking
    aloud is switched off where a template knows `enable_thinking`, and dates in a template are always the same day.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokenizer = FolderTokenizer(folder)
        self.identity = tokenizer_identity(folder)
        self.chat = self._tokenizer.has_template
        self._begin = self._begin_of_text()
        self._spaced = self._spaced_after_control()
        self._system_role = self.chat and self._takes_system()
        ends = {*_named_ends(folder), *self._turn_ends()}
        self.stop = tuple(sorted(ends))
        self.line_end = tuple(sorted(ends | set(self._tokenizer.newlines())))

    def chat_ids(self, messages: Sequence[Message]) -> list[int]:
        """See `Codec.chat_ids`: what the template gives, but for control tokens that a message spells.

        Raises:
            InputError: a model without chat template, or messages that its template refuses.
        """
        if not self.chat:
            raise _without_template(self._folder)
        turns = messages if self._system_role else merge_system(messages)
        turns = [{**turn, "content": _mended(turn["content"])} for turn in turns]
        if not any(self._tokenizer.spelled.search(turn["content"]) for turn in turns):
            return self._tokenizer.with_control(self._tokenizer.render(turns))
        return self._guarded(turns)

    def plain_ids(self, text: str) -> list[int]:
        """See `Codec.plain_ids`."""
        return [*self._begin, *self._encode(text)]

    def continuation_ids(self, text: str) -> list[int]:
        """See `Codec.continuation_ids`: what the ids of an anchor with the text have more than those of the anchor."""
        for anchor in ANCHORS:
            before, both = self._encode(anchor), self._encode(anchor + text)
            if before and both[: len(before)] == before:
                return both[len(before) :]
        return self._encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """See `Codec.decode`."""
        return self._tokenizer.decode(ids)

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.as_text(_mended(text))

    def _guarded(self, turns: Sequence[Message]) -> list[int]:
        """Ids of a chat whose messages spell control tokens: only those that the template wrote become control tokens.

        Spellings in messages are hidden behind private characters while the template runs.
        """
        everything = "".join(turn["content"] for turn in turns)
        mark = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in everything)
        hidden: list[str] = []

        def hide(match: re.Match[str]) -> str:
            hidden.append(match[0])
            return f"{mark}{len(hidden) - 1}{mark}"

        veiled = [{**turn, "content": self._tokenizer.spelled.sub(hide, turn["content"])} for turn in turns]
        ids: list[int] = []
        for control, text in self._tokenizer.pieces(self._tokenizer.render(veiled)):
            if control is not None:
                ids.append(control)
            if text:
                plain = re.sub(f"{mark}(\\d+){mark}", lambda match: hidden[int(match[1])], text)
                ids += self._encode(plain) if self._spaced or not ids else self.continuation_ids(plain)
        return ids

    def _begin_of_text(self) -> list[int]:
        bare, whole = self._encode("x"), self._tokenizer.with_begin("x")
        places = (k for k in range(len(whole) - len(bare) + 1) if whole[k : k + len(bare)] == bare)
        return whole[: next(places, 0)]

    def _spaced_after_control(self) -> bool:
        """Whether text after a control token is encoded as at the start of a text (some put a space before both)."""
        control = next(iter(self._tokenizer.control), None)
        return control is None or self._tokenizer.with_control(control + "x")[1:] == self._encode("x")

    def _takes_system(self) -> bool:
        turns = ({"role": "system", "content": _PROBE}, {"role": "user", "content": "?"})
        try:
            return _PROBE in self._tokenizer.render(turns)
        except InputError:
            return False

    def _turn_ends(self) -> set[int]:
        """The tokenizer's end of text, well-known ends of turns, and what the template puts after an answer."""
        ends = {self._tokenizer.control[name] for name in END_OF_TURN if name in self._tokenizer.control}
        if self._tokenizer.end is not None:
            ends.add(self._tokenizer.end)
        turns = ({"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE})
        try:
            text = self._tokenizer.render(turns, reply=False) if self.chat else ""
        except InputError:  # a template may have more to say about a finished conversation
            return ends
        behind = text.rpartition(_PROBE)[2].lstrip()
        found = self._tokenizer.spelled.match(behind) if behind else None
        return ends | ({self._tokenizer.control[found[0]]} if found else set())


def _named_ends(folder: Path) -> set[int]:
    """End tokens that config.json and generation_config.json name: a number or a list of numbers."""
    ends: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        value = read_json(folder / name) if (folder / name).is_file() else {}
        named = value.get("eos_token_id") if isinstance(value, dict) else None
        ends |= {number for number in (named if isinstance(named, list) else [named]) if type(number) is int}
    return ends


def _mended(text: str) -> str:
    """Lone surrogates are no characters and become U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text)
