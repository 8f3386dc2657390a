"""How probable the letters of options are as a model's first token, read from an OpenAI-style answer.

Does: find the first token's candidates, sum those that spell one letter. Does not: ask, or choose an option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_SPACES = str.maketrans("▁Ġ", "  ")  # how raw pieces of SentencePiece and of byte-level BPE spell a space


def first_token_logprobs(body: Mapping[str, Any]) -> list[tuple[str, float]] | None:
    """The first token's candidates (text, natural log-probability), or None where the server gave none.

    Reads the chat form (`content`, which llama.cpp also uses for completions) and the completions form (`tokens`).

    Raises:
        ValueError, TypeError, LookupError, AttributeError: neither form.

    >>> entry = {"token": "A", "logprob": -0.5, "top_logprobs": [{"token": "A", "logprob": -0.5}]}
    >>> first_token_logprobs({"choices": [{"logprobs": {"content": [entry]}}]})
    [('A', -0.5)]
    >>> old = {"tokens": ["B"], "token_logprobs": [-0.5], "top_logprobs": [{"A": -1.5, "B": -0.5}]}
    >>> first_token_logprobs({"choices": [{"logprobs": old}]})
    [('A', -1.5), ('B', -0.5)]
    """
    given = body["choices"][0].get("logprobs") or {}
    if given.get("content"):
        chosen = given["content"][0]
        listed = [(entry["token"], entry["logprob"]) for entry in chosen.get("top_logprobs") or ()]
        own = chosen["token"], chosen["logprob"]
    elif given.get("tokens"):
        listed = list(((given.get("top_logprobs") or [None])[0] or {}).items())
        own = given["tokens"][0], given["token_logprobs"][0]
    else:
        return None
    # Some servers list the chosen token only beside the candidates.
    if own[0] not in [token for token, _ in listed]:
        listed.append(own)
    found = [(str(token), float(value)) for token, value in listed if value is not None]
    if any(math.isnan(value) for _, value in found):
        raise ValueError("a log-probability is not a number")
    return found


def letter_logprobs(candidates: Sequence[tuple[str, float]], letters: Sequence[str]) -> dict[str, float]:
    """Natural log-probability of each letter, summed over the tokens that spell it with or without spaces around.

    >>> {letter: round(value, 2) for letter, value in letter_logprobs([("A", -1.0), (" A", -1.0)], "AB").items()}
    {'A': -0.31}
    """
    found: dict[str, float] = {}
    for token, value in candidates:
        letter = token.translate(_SPACES).strip()
        if letter in letters and value > -math.inf:
            known = found.get(letter, -math.inf)
            high = max(known, value)
            found[letter] = high + math.log(math.exp(known - high) + math.exp(value - high))
    return {letter: found[letter] for letter in letters if letter in found}
