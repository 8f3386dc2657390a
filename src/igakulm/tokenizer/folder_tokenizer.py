"""The stock tokenizer of a Hugging Face folder, reduced to what prompts and training rows need.

Does: load it offline and without code of its own, encode with and without control tokens, render its chat template.
Does not: decide what a prompt looks like (folder_text.py does).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from igakulm.errors import InputError
from igakulm.pretrained import load_tokenizer
from igakulm.text.messages import Message

DATE = {"%Y": "2024", "%m": "07", "%d": "26", "%b": "Jul", "%B": "July", "%A": "Friday", "%a": "Fri"}
"""What templates that write today's date are told, so that a prompt does not change from day to day."""
_SAME_DAY = (
    "{%- macro strftime_now(form) -%}{{- form"
    + "".join(f" | replace('{code}', '{text}')" for code, text in DATE.items())
    + " -}}{%- endmacro -%}"
)
VOCABULARIES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
    "vocab.model",
    "*.tiktoken",
)
_NEWLINES = "\n\r"
_WRITTEN_NEWLINES = "\n\rĊč"  # the last two: how byte-level vocabularies write them


class FolderTokenizer:
    """A stock tokenizer.

    Attributes:
        control: spelling of every control token -> its id.
        spelled: matches the spelling of any control token.
        end, unknown: ids of the end of text and of an unknown character, where there are such.
        entries: the largest id plus one.
        kind: name of the stock class.
        template: the folder's chat template ("" where it has none); `has_template`: whether there is one.

    Raises:
        InputError: no tokenizer in the folder, or one that cannot be loaded without code of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stock = _load(folder)
        added = self._stock.added_tokens_decoder
        self.control = {token.content: int(number) for number, token in added.items() if token.special}
        for spelling in self._stock.all_special_tokens:
            self.control.setdefault(str(spelling), int(self._stock.convert_tokens_to_ids(spelling)))
        self._strips = {token.content: (token.lstrip, token.rstrip) for token in added.values()}
        longest_first = sorted(self.control, key=lambda spelling: (-len(spelling), spelling))
        self.spelled = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.end: int | None = self._stock.eos_token_id
        self.unknown: int | None = self._stock.unk_token_id
        self.entries = max(map(int, self._stock.get_vocab().values())) + 1
        self.kind: str = type(self._stock).__name__
        self.template = self._chat_template()
        self.has_template = bool(self.template)

    def as_text(self, text: str) -> list[int]:
        """Ids of plain text; spellings of control tokens stay text."""
        return self._ids(text, add_special_tokens=False, split_special_tokens=True)

    def with_control(self, text: str) -> list[int]:
        """Ids of a rendered template: spellings become control tokens."""
        return self._ids(text, add_special_tokens=False)

    def with_begin(self, text: str) -> list[int]:
        """Ids with what the tokenizer puts around a text by itself."""
        return self._ids(text, add_special_tokens=True)

    def _ids(self, text: str, **how: bool) -> list[int]:
        return [int(number) for number in self._stock(text, verbose=False, **how)["input_ids"]]

    def as_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """`as_text` of many texts in one call."""
        if not texts:
            return []
        rows = self._stock(list(texts), verbose=False, add_special_tokens=False, split_special_tokens=True)
        return [[int(number) for number in ids] for ids in rows["input_ids"]]

    def written(self, ids: Sequence[int]) -> list[str]:
        """How the vocabulary writes the tokens of some ids ("" for an id that it lacks)."""
        return [str(token or "") for token in self._stock.convert_ids_to_tokens(list(ids))]

    def written_out(self) -> str:
        """tokenizer.json as the stock class understands it."""
        return str(self._stock.backend_tokenizer.to_str())

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, control tokens left out."""
        text = self._stock.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)

    def render(self, messages: Sequence[Message], *, reply: bool = True) -> str:
        """The conversation as the folder's template writes it; `reply`: up to where the model's answer begins.

        Raises:
            InputError: the template refuses the conversation.
        """
        from jinja2 import TemplateError

        try:
            text = self._stock.apply_chat_template(
                [dict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=reply,
                enable_thinking=False,
                chat_template=_SAME_DAY + self.template if "strftime_now" in self.template else self.template,
            )
        except (TemplateError, ValueError, TypeError, KeyError) as error:
            hint = "give messages in the order that the model was made for"
            raise InputError(
                f"the model's chat template refuses this: {error}", where=str(self._folder), hint=hint
            ) from error
        return str(text)

    def pieces(self, rendered: str) -> Iterator[tuple[int | None, str]]:
        """A rendered template cut at its control tokens: a control id (None at the start), and the text after it."""
        found = list(self.spelled.finditer(rendered))
        starts = [0, *(match.end() for match in found)]
        ends = [*(match.start() for match in found), len(rendered)]
        names = [None, *(match[0] for match in found), None]
        for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
            text, before, behind = rendered[start:end], names[place], names[place + 1]
            if before is not None and self._strips.get(before, (False, False))[1]:
                text = text.lstrip()
            if behind is not None and self._strips.get(behind, (False, False))[0]:
                text = text.rstrip()
            yield (None if before is None else self.control[before]), text

    def newlines(self) -> list[int]:
        """Ids of tokens that are newlines and nothing else."""
        written = (
            number
            for token, number in self._stock.get_vocab().items()
            if token and (token == "<0x0A>" or not token.strip(_WRITTEN_NEWLINES))
        )
        return sorted(int(n) for n in written if "\n" in (text := self.decode([n])) and not text.strip(_NEWLINES))

    def _chat_template(self) -> str:
        try:
            return str(self._stock.get_chat_template() or "")
        except ValueError:  # none, or several and none of them the default
            return ""


def _load(folder: Path) -> Any:
    if not any(any(folder.glob(pattern)) for pattern in VOCABULARIES):
        hint = "copy the model's whole folder; a base model and its tokenizer belong together"
        raise InputError("there is no tokenizer in this folder", where=str(folder), hint=hint)
    if not (folder / "tokenizer.json").is_file() and any(folder.glob("*.model")) and not _has_protobuf():
        hint = "pip install protobuf, or add the tokenizer.json that the model's publisher gives beside it"
        raise InputError(
            "a tokenizer that is only a sentencepiece file cannot be read without protobuf",
            where=str(folder),
            hint=hint,
        )
    return load_tokenizer(folder)


def _has_protobuf() -> bool:
    try:
        return importlib.util.find_spec("google.protobuf") is not None
    except ModuleNotFoundError:  # no package named google at all
        return False
