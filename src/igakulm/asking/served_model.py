"""What a server says about the model that it serves under a name.

Does: ask the route `/models` once, and keep what describes the weights. Does not: ask the model anything, or fail where
a server has no such route.
Protocol: the OpenAI API reference (models); llama.cpp adds `meta` (sizes), vLLM `root` and `max_model_len`, others a
`digest`.
"""

from __future__ import annotations

from igakulm.asking.client import read_api_key
from igakulm.asking.transport import JSON_TYPE, BadAnswer, check_head, json_object, open_client, read_body

KEPT = ("id", "root", "parent", "owned_by", "max_model_len", "meta", "digest")
"""Fields that stay the same while the weights do; `created` is the time of the request in llama.cpp's answers."""
PATIENCE = 20.0
"""Seconds."""


def served_model(url: str, name: str) -> dict[str, object] | None:
    """The entry of a model, or of the only one that is served; None where the server does not say.

    Args:
        url: address up to and including `/v1`.
        name: the model, as requests call it.

    Raises:
        InputError: the key in the environment is none.
    """
    import httpx

    try:
        with (
            open_client(read_api_key(), 1, PATIENCE) as client,
            client.stream("GET", f"{url}/models") as reply,
        ):
            if not reply.is_success:
                return None
            check_head(reply, JSON_TYPE)
            listed = json_object(read_body(reply)).get("data")
    except (httpx.HTTPError, BadAnswer):
        return None
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    named = [entry for entry in entries if entry.get("id") == name] or (entries if len(entries) == 1 else [])
    return {key: named[0][key] for key in KEPT if named[0].get(key) is not None} if named else None
