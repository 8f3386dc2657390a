"""Conversations for models that take less than a chat: no system role, or plain text only.

Does: rewrite a list of messages. Does not: know templates, tokens or HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence

from igakulm.inference.engine import Message


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


def render_plain(messages: Sequence[Message]) -> str:
    """A conversation as blocks of plain text, each ended by a blank line, so that the next block is the answer.

    >>> render_plain([{"role": "system", "content": "短く。"}, {"role": "user", "content": "血圧とは"}])
    '短く。\\n\\n血圧とは\\n\\n'
    """
    return "".join(f"{message['content']}\n\n" for message in messages)
