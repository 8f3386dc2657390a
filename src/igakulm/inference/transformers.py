"""The `Engine` over transformers: exact scores, batched greedy answers and streaming, on a CPU or a GPU.

Does: run a local Hugging Face folder (safetensors). Does not: tokenize, reach a network, or run code that a model
folder brings along.

Batches are padded on the right and scored without a mask: in a causal model, padding after a text cannot change it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors import SafetensorError
from torch.nn import functional

from igakulm.errors import InputError
from igakulm.files import read_json
from igakulm.inference.batches import Row, batches, lay_out, pad_left, questions
from igakulm.inference.engine import Continuation

Precision = Literal["fp32", "bf16"]
LOGIT_ROWS = 512
"""Positions whose logits are held at once: 512 x 32,771 float32 are 67 MB."""


def _nothing(_: int) -> None:
    """Report nowhere."""


def load_engine(
    folder: Path, *, precision: Precision = "fp32", batch_tokens: int = 16_384, device: str | None = None
) -> TransformersEngine:
    """Load a model folder; `device` None = the first GPU where there is one.

    Raises:
        InputError: not a model folder, code of its own, missing or damaged weights.
    """
    return TransformersEngine(folder, precision=precision, batch_tokens=batch_tokens, device=device)


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """The causal language model of a local folder, in evaluation mode.

    Raises:
        InputError: not a model folder, code of its own, missing or damaged weights.
    """
    _check_folder(folder)
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    loader: Any = AutoModelForCausalLM
    try:
        model, report = loader.from_pretrained(
            str(folder),
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"the model cannot be loaded: {reason}", where=str(folder), mend="copy it again") from error
    missing = sorted(report.get("missing_keys") or ())
    if missing:
        raise InputError(
            f"{len(missing)} weights are missing and would be random: {', '.join(missing[:3])}", where=str(folder)
        )
    return model.eval()


def _check_folder(folder: Path) -> None:
    config_path = folder / "config.json"
    if not config_path.is_file():
        raise InputError("this is not a model folder: there is no config.json", where=str(folder))
    config = read_json(config_path)
    if not isinstance(config, dict) or config.get("auto_map"):
        raise InputError("this model brings program code of its own, which is never run here", where=str(config_path))
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            "there are no safetensors weights",
            where=str(folder),
            mend="other formats can carry code and are not read; convert the model first",
        )


class TransformersEngine:
    """A loaded model. Prompts are token ids; results come in the order of the prompts.

    Args:
        folder: Hugging Face folder with config.json and safetensors.
        precision: type of the weights and activations; log-probabilities are always computed in float32.
        batch_tokens: tokens in one batch, padding included.
        device: "cpu", "cuda", ...; None = the first GPU where there is one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: Precision = "fp32",
        batch_tokens: int = 16_384,
        device: str | None = None,
    ) -> None:
        self.model = load_model(folder, torch.float32 if precision == "fp32" else torch.bfloat16)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model.to(self.device)
        self.name = folder.name
        self.batch_tokens = batch_tokens
        config = self.model.config
        self.context_length = int(getattr(config, "max_position_embeddings", 2048))
        self.vocabulary = int(config.vocab_size)
        # Rows with several options need a mask of their own, which models with windows build differently.
        self._branches = config.model_type in ("arcee", "llama", "mistral", "qwen2", "qwen3") and not getattr(
            config, "sliding_window", None
        )
        self._body, self._head = self._split()

    @torch.inference_mode()
    def _split(self) -> tuple[Any, Any]:
        """Body and head, when head(body(x)) is all that the model does; else (None, None)."""
        body, head = self.model.get_decoder(), self.model.get_output_embeddings()
        if body is None or head is None:
            return None, None
        probe = torch.arange(min(4, self.vocabulary), device=self.device)[None]
        mine, whole = head(body(input_ids=probe).last_hidden_state), self.model(input_ids=probe).logits
        return (body, head) if torch.equal(mine, whole) else (None, None)

    def score(
        self,
        prompts: Sequence[Sequence[int]],
        options: Sequence[Sequence[Sequence[int]]],
        *,
        done: Callable[[int], None] = _nothing,
    ) -> list[list[Continuation]]:
        """Log-probabilities of every option; a prompt runs once, however many options follow it.

        Raises:
            InputError: a prompt with its option is longer than the model's context.
            ValueError: an empty prompt.
        """
        results = [[Continuation(0.0, len(ids)) for ids in choices] for choices in options]
        rows, left = self._rows(prompts, options), [0] * len(prompts)
        for row in rows:
            left[row.item] += 1
        done(left.count(0))
        for batch in batches(rows, [row.length() for row in rows], self.batch_tokens):
            sums = self._score_batch(batch)
            for row, values in zip(batch, sums, strict=True):
                for (number, ids), value in zip(row.options, values, strict=True):
                    results[row.item][number] = Continuation(value, len(ids))
                left[row.item] -= 1
                if not left[row.item]:
                    done(1)
        return results

    def _rows(self, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]]) -> list[Row]:
        rows = []
        for item, (prompt, choices) in enumerate(zip(prompts, options, strict=True)):
            numbered = [(number, ids) for number, ids in enumerate(choices) if len(ids)]
            self._check(prompt, max((len(ids) for _, ids in numbered), default=1) - 1)
            if self._branches or all(len(ids) == 1 for _, ids in numbered):
                groups = [numbered] if numbered else []
            else:
                groups = [[option] for option in numbered]
            rows += [Row(item, prompt, group) for group in groups]
        return rows

    @torch.inference_mode()
    def _score_batch(self, batch: list[Row]) -> list[list[float]]:
        """Sums of log-probabilities for every option of every row."""
        inputs, positions, mask = lay_out(batch)
        hidden = self._hidden(inputs.to(self.device), positions.to(self.device), mask)
        rows, places, targets, owners = questions(batch)
        values: list[float] = []
        for start in range(0, len(rows), LOGIT_ROWS):
            part = slice(start, start + LOGIT_ROWS)
            logits = self._logits(hidden, rows[part], places[part])
            chosen = torch.log_softmax(logits.float(), -1).gather(
                1, torch.tensor(targets[part])[:, None].to(self.device)
            )
            values += chosen[:, 0].double().tolist()
        sums = [[0.0] * len(row.options) for row in batch]
        for (row, option), value in zip(owners, values, strict=True):
            sums[row][option] += value
        return sums

    def _hidden(self, inputs: torch.Tensor, positions: torch.Tensor | None, mask: torch.Tensor | None) -> torch.Tensor:
        arguments: dict[str, Any] = {"input_ids": inputs, "use_cache": False}
        if mask is not None:
            arguments |= {"attention_mask": mask.to(self.device), "position_ids": positions}
        if self._body is None:
            logits: torch.Tensor = self.model(**arguments).logits
            return logits
        hidden: torch.Tensor = self._body(**arguments).last_hidden_state
        return hidden

    def _logits(self, hidden: torch.Tensor, rows: list[int], places: list[int]) -> torch.Tensor:
        picked = hidden[torch.tensor(rows, device=self.device), torch.tensor(places, device=self.device)]
        logits: torch.Tensor = picked if self._head is None else self._head(picked)
        return logits

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        done: Callable[[int], None] = _nothing,
    ) -> list[list[int]]:
        """Greedy continuations without the stop token; cut where the model's context ends.

        Raises:
            InputError: a prompt is longer than the model's context.
            ValueError: an empty prompt.
        """
        for prompt in prompts:
            self._check(prompt, 0)
        answers: list[list[int]] = [[] for _ in prompts]
        lengths = [len(prompt) + max_new_tokens for prompt in prompts]
        for batch in batches(range(len(prompts)), lengths, self.batch_tokens):
            made = self._generate_batch([prompts[number] for number in batch], max_new_tokens, set(stop), done)
            for number, answer in zip(batch, made, strict=True):
                answers[number] = answer
        return answers

    @torch.inference_mode()
    def _generate_batch(
        self, prompts: list[Sequence[int]], most: int, stop: set[int], done: Callable[[int], None]
    ) -> list[list[int]]:
        made: list[list[int]] = [[] for _ in prompts]
        room = [min(most, self.context_length - len(prompt)) for prompt in prompts]
        alive = [number for number in range(len(prompts)) if room[number] > 0]
        done(len(prompts) - len(alive))
        if not alive:
            return made
        inputs, mask = pad_left([prompts[number] for number in alive])
        inputs, mask = inputs.to(self.device), mask.to(self.device)
        positions, cache = (mask.cumsum(1) - 1).clamp(min=0), self._cache()
        while True:
            out = self.model(
                input_ids=inputs,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache, following = out.past_key_values, out.logits[:, -1].argmax(-1)
            kept = []
            for place, token in enumerate(following.tolist()):
                number = alive[place]
                if token not in stop:
                    made[number].append(token)
                    if len(made[number]) < room[number]:
                        kept.append(place)
            done(len(alive) - len(kept))
            if not kept:
                return made
            if len(kept) < len(alive):
                alive = [alive[place] for place in kept]
                chosen = torch.tensor(kept, device=self.device)
                cache.batch_select_indices(chosen)
                following, mask, positions = following[chosen], mask[chosen], positions[chosen]
            inputs, positions = following[:, None], positions[:, -1:] + 1
            mask = functional.pad(mask, (0, 1), value=1)

    def stream(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        stop: Sequence[int],
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[int]:
        """Tokens one by one; temperature 0 is greedy, else the softmax at that temperature with its own seed.

        Raises:
            InputError: the prompt is longer than the model's context.
            ValueError: an empty prompt, a negative temperature.
        """
        self._check(prompt, 0)
        if temperature < 0:
            raise ValueError("temperature cannot be negative")
        generator = torch.Generator().manual_seed(seed)
        ends, inputs, cache = set(stop), list(prompt), self._cache()
        for _ in range(min(max_new_tokens, self.context_length - len(prompt))):
            logits, cache = self._step(inputs, cache)
            if temperature == 0:
                token = int(logits.argmax())
            else:
                shares = torch.softmax(logits.double() / temperature, -1)
                token = int(torch.multinomial(shares, 1, generator=generator))
            if token in ends:
                return
            yield token
            inputs = [token]

    def _cache(self) -> Any:
        from igakulm.inference.cache import roomy_cache

        return roomy_cache() if self._branches else None

    @torch.inference_mode()
    def _step(self, inputs: Sequence[int], cache: Any) -> tuple[torch.Tensor, Any]:
        ids = torch.tensor([inputs], device=self.device)
        out = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1].float().cpu(), out.past_key_values

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of every token of the vocabulary after `prompt`, by id."""
        self._check(prompt, 0)
        logits, _ = self._step(prompt, None)
        return dict(enumerate(torch.log_softmax(logits, -1).tolist()))

    def _check(self, prompt: Sequence[int], following: int) -> None:
        if not len(prompt):
            raise ValueError("an empty prompt has no next token")
        if len(prompt) + following > self.context_length:
            raise InputError(
                f"prompt and answer have {len(prompt) + following:,} tokens, the model reads {self.context_length:,}",
                mend="shorten the text",
            )
