"""Whether a foreign model class is trained here as its own code computes it; refused where it is not.

Does: name what the training form does not compute (capped logits, experts, rotations that depend on the whole batch),
and compare its loss with the stock model's on a probe. Does not: train.
Known to agree: llama, mistral, qwen2, qwen3, olmo2, gemma3_text, arcee (tests/model/test_exact.py).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from igakulm.errors import InputError
from igakulm.model.batch import Batch, Row, collate, next_token_targets
from igakulm.model.objective import Objective

ROTATIONS = frozenset({"default", "linear", "llama3", "yarn"})
"""Rotary encodings in which a position's angle does not depend on the text's length."""
PROBES = (9, 16, 2)
"""Tokens of the probe's documents."""
LONGEST_WINDOW = 1024
"""A sliding window up to here is probed too."""
TOLERANCE = 1e-4
_MEND = "start from a model built like Llama (llama, mistral, qwen2, qwen3, olmo2, gemma3_text, arcee)"


def refuse_inexact(model: PreTrainedModel, where: str) -> None:
    """Check a loaded stock model, in fp32, before anything else is done to it.

    Raises:
        InputError: training here would compute something other than the model's own code.
    """
    reason = unsupported(model.config)
    if reason:
        raise InputError(f"{type(model).__name__} cannot be trained here: {reason}", where=where, hint=_MEND)
    model.train(False)
    documents = _probe(int(model.config.vocab_size), attention_window(model))
    expected = stock_loss(model, documents)
    with torch.no_grad():
        found = float(Objective(model)(_laid_out(documents)))
    if not abs(found - expected) <= TOLERANCE * abs(expected):
        what = f"{type(model).__name__} computes another loss than its training form here"
        raise InputError(f"{what} ({expected:.6g} and {found:.6g} on a probe)", where=where, hint=_MEND)


def unsupported(config: object) -> str:
    """What of a configuration the training form does not compute; "" where it computes everything."""
    for key in ("final_logit_softcapping", "attn_logit_softcapping", "logits_scaling", "logit_scale"):
        value = getattr(config, key, None)
        if value not in (None, 1, 1.0):
            return f"{key} changes its logits"
    if any((getattr(config, key, None) or 0) > 1 for key in ("num_experts", "num_local_experts", "n_routed_experts")):
        return "it is a mixture of experts, whose balancing loss is missing here"
    if "chunked_attention" in (getattr(config, "layer_types", None) or ()):
        return "its layers attend in chunks"
    others = sorted(_rotations(getattr(config, "rope_parameters", None)) - ROTATIONS)
    return f"its rotary positions are of type {others[0]!r}" if others else ""


def attention_window(model: PreTrainedModel) -> int | None:
    """Tokens that the layers with the shortest sight see, themselves included; None where all see everything."""
    window = getattr(model.config, "sliding_window", None)
    kinds = getattr(model.config, "layer_types", None)
    return int(window) if window and (kinds is None or "sliding_attention" in kinds) else None


@torch.no_grad()
def stock_loss(model: PreTrainedModel, documents: list[torch.Tensor]) -> float:
    """Sum of next-token losses as the stock class computes them, document by document."""
    total = 0.0
    for ids in documents:
        logits: torch.Tensor = model(input_ids=ids[None], use_cache=False).logits
        total += float(F.cross_entropy(logits[0, :-1].float(), ids[1:], reduction="sum"))
    return total


def _probe(vocabulary: int, window: int | None) -> list[torch.Tensor]:
    """Short documents, and one beyond the sliding window where that is quick to compute."""
    generator = torch.Generator().manual_seed(0)
    longer = (window + PROBES[0],) if window and window <= LONGEST_WINDOW else ()
    return [torch.randint(vocabulary, (length,), generator=generator) for length in (*PROBES, *longer)]


def _laid_out(documents: list[torch.Tensor]) -> Batch:
    tokens, lengths = torch.cat(documents).numpy(), tuple(map(len, documents))
    return collate([Row(tokens, next_token_targets(tokens, lengths), lengths)])


def _rotations(parameters: object) -> set[str]:
    """Types of rotary encoding; some models keep one for each kind of layer."""
    if not isinstance(parameters, dict):
        return set()
    found = {str(parameters["rope_type"])} if "rope_type" in parameters else set()
    return found.union(*(_rotations(value) for value in parameters.values()))
