"""The next token drawn from a model's logits.

Does: greedy choice, temperature, top_p, log-probabilities of the likeliest tokens. Does not: run models or know text.
"""

from __future__ import annotations

import torch

from igakulm.inference.engine import Sampling, Step, check_sampling


class Draw:
    """Draws the tokens of one answer, with a random generator of its own.

    Raises:
        ValueError: temperature or top_p out of range.
    """

    def __init__(self, sampling: Sampling) -> None:
        check_sampling(sampling)
        self._sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def step(self, logits: torch.Tensor, allowed: torch.Tensor | None = None) -> Step:
        """The next token by its logits, (vocabulary,) float32 on the CPU; only `allowed` ones (bool) are drawn.

        Log-probabilities are those of the model, as if all were allowed.
        """
        held = logits if allowed is None else logits.masked_fill(~allowed, -torch.inf)
        token, top = self._token(held), self._sampling.top
        if top is None:
            return Step(token)
        known = torch.log_softmax(logits.double(), -1)
        values, ids = known.topk(min(top, len(known)))
        return Step(token, float(known[token]), tuple(zip(ids.tolist(), values.tolist(), strict=True)))

    def _token(self, logits: torch.Tensor) -> int:
        if self._sampling.temperature == 0:
            return int(logits.argmax())
        shares = torch.softmax(logits.double() / self._sampling.temperature, -1)
        if self._sampling.top_p < 1:
            values, ids = shares.sort(descending=True, stable=True)
            # The token that crosses the limit is in.
            shares = shares.index_fill(0, ids[values.cumsum(0) - values >= self._sampling.top_p], 0.0)
        return int(torch.multinomial(shares, 1, generator=self._generator))
