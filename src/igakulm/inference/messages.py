"""Conversations for models that take plain text only.

Does: rewrite a list of messages. Does not: know templates, tokens or HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence

from igakulm.text.messages import Message


def render_plain(messages: Sequence[Message]) -> str:
    """A conversation as blocks of plain text, each ended by a blank line, so that the next block is the answer.

    >>> render_plain([{"role": "system", "content": "短く。"}, {"role": "user", "content": "血圧とは"}])
    '短く。\\n\\n血圧とは\\n\\n'
    """
    return "".join(f"{message['content']}\n\n" for message in messages)
