"""The body of a chat request, checked field by field.

Does: read messages and the fields that chats have of their own. Does not: read HTTP or run models.
Source: OpenAI API reference, chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from igakulm.serving.dispatcher import BadRequest
from igakulm.serving.request_fields import FIXED, SHARED, Generation, check_fields, flag, read_generation, whole

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
MOST_MESSAGES = 64
MOST_TOP = 20
_READ = SHARED | {"messages", "max_completion_tokens", "logprobs", "top_logprobs"}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request: the conversation, and how to answer it."""

    messages: list[dict[str, str]]
    generation: Generation


def parse_chat_request(value: Mapping[str, object], model: str, cap: int) -> ChatRequest:
    """Check a request body.

    Args:
        value: the JSON object.
        model: the name that is served here.
        cap: most tokens of an answer; a request for more, or that names none, gets this many.

    Raises:
        BadRequest: anything that is not understood or not done here.
    """
    check_fields(value, model, _READ, FIXED)
    top = whole(value, "top_logprobs", 0, 0, MOST_TOP)
    wanted = flag(value, "logprobs")
    if value.get("top_logprobs") is not None and not wanted:
        raise BadRequest("top_logprobs needs logprobs = true", "top_logprobs")
    messages = _messages(value.get("messages"))
    return ChatRequest(messages, read_generation(value, cap, cap, top if wanted else None))


def _messages(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_MESSAGES:
        raise BadRequest(f"messages is a list of 1 to {MOST_MESSAGES} messages", "messages")
    messages = []
    for number, message in enumerate(value):
        where = f"messages[{number}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in ROLES:
            raise BadRequest(f"{where} needs a role: system, user or assistant", f"{where}.role")
        messages.append({"role": ROLES[role], "content": _content(message.get("content"), f"{where}.content")})
    return messages


def _content(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        texts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(value) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    raise BadRequest("content is text; images, sound and tools are not supported", where)
