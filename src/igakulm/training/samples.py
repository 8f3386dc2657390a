"""What a model says while it is being trained: greedy continuations, in the middle of a training.

Does: continue prompts with the model as it is trained (its own attention, its scaled embedding, its shards).
Does not: use a cache; a few dozen tokens of a few prompts are quick without one.

Why training has two greedy decoders and neither is an engine of inference/: a model in training is no folder that an
engine could open, it is the objective's own layers, with scaled embedding and perhaps a share of the weights; and a
finished folder is sampled by stock code (`model.folder.continue_greedily`), because that it answers there is the proof
that it was written well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from igakulm.model.attention import document_arguments
from igakulm.model.batch import NO_TARGET, Row, collate
from igakulm.model.init import head_of
from igakulm.model.objective import Objective


@torch.no_grad()
def continue_in_training(
    objective: Objective, prompts: Sequence[Sequence[int]], new_tokens: int, *, vocabulary: int
) -> list[list[int]]:
    """The likeliest next tokens, one at a time, for all prompts at once (each a document of one batch).

    Args:
        objective: in evaluation mode.
        prompts: token ids, none empty.
        new_tokens: of each continuation.
        vocabulary: ids from here on are padding of the head and never chosen.
    """
    device = next(objective.parameters()).device
    texts = [list(prompt) for prompt in prompts]
    for _ in range(new_tokens):
        rows = [
            Row(np.asarray(text, np.int64), np.full(len(text), NO_TARGET, np.int64), (len(text),)) for text in texts
        ]
        batch = collate(rows).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=objective.bf16):
            states = objective.model.model(
                inputs_embeds=objective.embed(batch)[None],
                position_ids=batch.positions[None],
                use_cache=False,
                **document_arguments(batch.lengths, device),
            ).last_hidden_state[0]
        ends = (batch.lengths.cumsum(0) - 1).to(device)
        scores = states[ends].float() @ head_of(objective.model).weight[:vocabulary].float().T
        for text, token in zip(texts, scores.argmax(-1).tolist(), strict=True):
            text.append(int(token))
    return [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]
