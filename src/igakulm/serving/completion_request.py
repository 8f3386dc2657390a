"""The body of a completion request, checked field by field.

Does: read the prompt, a text or token ids, and the fields that completions have of their own. Does not: read HTTP.
Source: OpenAI API reference, completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from igakulm.serving.dispatcher import BadRequest
from igakulm.serving.request_fields import FIXED, SHARED, Generation, check_fields, read_generation, whole

DEFAULT_TOKENS = 16
MOST_TOP = 5
_READ = SHARED | {"prompt", "logprobs"}
_FIXED = FIXED | {"echo": (False,), "best_of": (1,), "suffix": ("",)}


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A checked request: text or token ids, and how to continue them."""

    prompt: str | list[int]
    generation: Generation


def parse_completion_request(value: Mapping[str, object], model: str, cap: int, vocabulary: int) -> CompletionRequest:
    """Check a request body.

    Args:
        value: the JSON object.
        model: the name that is served here.
        cap: most tokens of an answer; a request for more gets this many.
        vocabulary: token ids are below this number.

    Raises:
        BadRequest: anything that is not understood or not done here.
    """
    check_fields(value, model, _READ, _FIXED)
    top = whole(value, "logprobs", -1, 0, MOST_TOP)
    prompt = _prompt(value.get("prompt"), vocabulary)
    return CompletionRequest(prompt, read_generation(value, cap, DEFAULT_TOKENS, None if top < 0 else top))


def _prompt(value: object, vocabulary: int) -> str | list[int]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        value = value[0]  # a batch of one
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(token) is int for token in value):
        if all(0 <= token < vocabulary for token in value):
            return value
        raise BadRequest(f"token ids are from 0 to {vocabulary - 1}", "prompt")
    raise BadRequest("prompt is one text, or one list of token ids; batches are not supported", "prompt")
