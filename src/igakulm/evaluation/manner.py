"""How items are asked, and what comes back: the prompt's layout, the way of answering, an item's text in that layout.

Does: hold the choice, render an item as messages or plain text. Does not: know models, tokens or scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from igakulm.answering.extraction import ANSWER_TOKENS
from igakulm.tasks.items import Item
from igakulm.tasks.prompts import base_prompt, chat_prompt, short_choices
from igakulm.tasks.wording import Wording, conversation, is_exam, option_letters, plain_text
from igakulm.text.messages import Message

OPTIONS, OPTIONS_TEXT, OPTIONS_TEXT_NORMALISED = "options-letter", "options-text", "options-text-normalised"
GENERATE = "generate"

Style = Literal["chat", "published"]
Answer = Literal["options", "options-text", "generate"]


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back for one item: the prompt as sent, and a text, or a value for each option.

    `options`: answer mode -> a value for each set of options (see `answering.options.sets_of`), the higher the better
    (None: the model gave none).
    `named`: what a list that was held to its document names, as the document writes it; `held`: whether it was.
    `failure`: why there is no answer to this one item; `asked`: False = it does not fit, and nobody was asked.
    `cut`: the answer reached the limit of length; it is no whole answer.
    """

    prompt: str
    truncated: bool
    text: str = ""
    options: dict[str, list[float | None]] | None = None
    failure: str = ""
    named: tuple[str, ...] | None = None
    held: bool = False
    asked: bool = True
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is asked.

    Args:
        style: "chat" = our short format, "published" = the leaderboards' layout.
        answer: for choices: "options" = the letter of the highest log-probability; "options-text" = the option whose
            text is the likeliest answer to the question alone, once as it is and once per UTF-8 byte; "generate" = free
            text that is parsed. Entities and numbers are always generated.
        max_new_tokens: the longest answer that is written.
        plain: ask as a model without chat tokens, even if it has some.
        wording: sentences of the published layout.
        shots: worked examples before every examination question of the published layout.
    """

    style: Style = "chat"
    answer: Answer = "options"
    max_new_tokens: int = ANSWER_TOKENS
    plain: bool = False
    wording: Wording = field(default_factory=Wording)
    shots: tuple[Item, ...] = ()

    def prompt_style(self, item: Item, *, chat: bool) -> str:
        """The name of the layout that stands beside a score; `chat`: the model has chat tokens."""
        if self.style == "published":
            return f"published-{len(self.shots)}-shot" if self.shots and is_exam(item) else "published"
        return "chat" if chat else "base"

    def messages(self, item: Item) -> list[Message]:
        """The conversation that asks an item."""
        if self.style == "published":
            return conversation(self._asked(item), self.wording, self.shots)
        return [{"role": "user", "content": chat_prompt(self._asked(item))}]

    def text(self, item: Item) -> str:
        """The text that a model without chat tokens continues with the answer."""
        asked = self._asked(item)
        return plain_text(asked, self.wording, self.shots) if self.style == "published" else base_prompt(asked)

    def letters(self, item: Item) -> str:
        """The letters that the options carry in the prompt."""
        return option_letters(item, published=self.style == "published")

    def option_texts(self, item: Item) -> tuple[str, ...]:
        """The options' texts as answers."""
        return item.choices if self.style == "published" else short_choices(item.choices)

    def without_shots(self) -> Manner:
        """The same without worked examples, for prompts that do not fit with them."""
        return replace(self, shots=())

    def _asked(self, item: Item) -> Item:
        """Without its options when the options' texts compete as answers: a list of them would favour all alike."""
        return replace(item, choices=()) if self.answer == "options-text" and item.kind == "choice" else item
