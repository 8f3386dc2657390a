"""The chat format in token ids, and the same format as a template for stock tools.

Does: have messages checked and rendered to ids with a loss mask (section 2.4.2); hold the Jinja template of the tuned
model. Does not: encode text itself, or know tasks and prompts.
Format: begin token, then for each message its role token and content, and the end token after an assistant's content.
Content is encoded as plain text, so no message can forge a role or end a turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from igakulm.errors import InputError
from igakulm.text.messages import Message
from igakulm.tokenizer.encode import CHAT_TOKENS
from igakulm.tokenizer.encoder import Encoder

ROLES = ("system", "user", "assistant")
BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"


def render_chat(
    encoder: Encoder, messages: Sequence[Message], add_generation_prompt: bool
) -> tuple[list[int], list[bool]]:
    """Ids of a conversation and their loss mask, both of one length.

    The mask is True on assistant content and the end token that closes it: the loss runs from just after
    `<|assistant|>` to `<|end_of_text|>` (section 2.4.2). The generation prompt is a last `<|assistant|>`.
    An adopted tokenizer's conversation is what its template makes of it, with the same rule for the mask.

    Raises:
        InputError: an unknown role, content that is not text, messages that an adopted model's template refuses, or a
            model without chat template.
    """
    for number, message in enumerate(messages, 1):
        _check(message, f"message {number}")
    return encoder.render(messages, add_generation_prompt)


def _check(message: Message, where: str) -> None:
    if message.get("role") not in ROLES:
        hint = f"use one of {', '.join(ROLES)}"
        raise InputError(f"unknown role {message.get('role')!r} in a conversation", where=where, hint=hint)
    if not isinstance(message.get("content"), str):
        raise InputError("a message without text in `content`", where=where, hint="give content as a string")


def chat_template(begin: str = BEGIN, end: str = END, control: Sequence[str] = (BEGIN, END, *CHAT_TOKENS)) -> str:
    """The Jinja template for stock tools, which read control tokens out of text.

    There a spelling such as `<|user|>` inside a message would become the token, so the template puts a space after its
    `<`. `render_chat` needs no such change and is the exact form. `{% generation %}` marks what the loss is taken on.

    Promised in stock tools: through `apply_chat_template` no content forges a role, a begin or an end; content without
    such spellings gives the ids of `render_chat`; content that is not a string is refused. Not promised, as the
    template is not asked there: prompts that a program writes by hand, or text given to the stock tokenizer itself
    without `split_special_tokens=True`.

    Args:
        begin: spelling of the begin token, "" for none.
        end: spelling of the token that ends an answer.
        control: spellings that content must not have.
    """
    content = "message['content']"
    for token in control:
        content += f" | replace({_quoted(token)}, {_quoted(token[:1] + ' ' + token[1:])})"
    return (
        "{{- " + _quoted(begin) + " -}}\n"
        "{%- for message in messages -%}\n"
        "{%- if message['role'] not in ['system', 'user', 'assistant'] -%}\n"
        "{{- raise_exception('unknown role in a conversation: ' ~ message['role']) -}}\n"
        "{%- endif -%}\n"
        "{%- if message['content'] is not string -%}\n"
        "{{- raise_exception('the content of a message must be text') -}}\n"
        "{%- endif -%}\n"
        "{%- set content = " + content + " -%}\n"
        "{{- '<|' ~ message['role'] ~ '|>' -}}\n"
        "{%- if message['role'] == 'assistant' -%}\n"
        "{%- generation -%}{{- content ~ " + _quoted(end) + " -}}{%- endgeneration -%}\n"
        "{%- else -%}\n"
        "{{- content -}}\n"
        "{%- endif -%}\n"
        "{%- endfor -%}\n"
        "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}\n"
    )


def _quoted(text: str) -> str:
    """A Jinja string.

    >>> print(_quoted("it's"))
    'it\\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
