"""The `Engine` over transformers: exact scores, batched greedy answers and streaming, on a CPU or a GPU.

Does: run a local Hugging Face folder (safetensors). Does not: tokenize, reach a network, or run code that a model
folder brings along.

Batches are padded on the right and scored without a mask: in a causal model, padding after a text cannot change it.
A beginning that most prompts share (worked examples, a system text) is read once (prefix.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from igakulm.errors import InputError
from igakulm.inference.batches import Row, batches, lay_out, pad_left, questions
from igakulm.inference.cache import Read, joined, roomy_cache
from igakulm.inference.constraint import Constraint
from igakulm.inference.draw import Draw
from igakulm.inference.engine import GREEDY, Continuation, Precision, Sampling, Step, check_prompt, lengths_of, nothing
from igakulm.inference.growing import Asked, Growing, choose, mask_of
from igakulm.inference.load import load_model
from igakulm.inference.masks import Guide, Matcher
from igakulm.inference.memory import Reporter, within_memory
from igakulm.inference.prefix import PrefixCache, shared_prefix
from igakulm.machine import fast_in_bfloat16
from igakulm.tokenizer.open import load_any_encoder

if TYPE_CHECKING:
    from transformers import Cache

PLAIN_TYPES = ("arcee", "llama", "mistral", "qwen2", "qwen3")
"""Model types whose layers all see the whole text and take a mask as it is given."""
FIXED_ROTATIONS = ("default", "linear", "llama3", "yarn")
"""Rotary encodings in which a position's angle does not depend on the text's length."""
KEPT_COST = 4
"""A token whose keys and values are at hand takes about a quarter of the memory of one that is computed."""
CPU_TOKENS = 4096
"""Tokens that a CPU reads at once; more fall out of its caches (bf16: 17,000 tokens a second with 6,400, 15,700 with
16,000; fp32: 8,500 with 1,600, 6,200 with 16,000; a model of 10 million parameters on two cores)."""
LOGIT_ROWS = 512
"""Positions whose logits are held at once: 512 x 32,771 float32 are 67 MB."""


def load_engine(
    folder: Path, *, precision: Precision = "fp32", batch_tokens: int = 16_384, device: str | None = None
) -> TransformersEngine:
    """Load a model folder; `device` None = the first GPU where there is one.

    Raises:
        InputError: not a model folder, code of its own, missing or damaged weights.
    """
    return TransformersEngine(folder, precision=precision, batch_tokens=batch_tokens, device=device)


class TransformersEngine:
    """A loaded model. Prompts are token ids; results come in the order of the prompts.

    Args:
        folder: Hugging Face folder with config.json and safetensors.
        precision: of weights and activations ("auto" = bf16 where the device is faster with it); log-probabilities are
            always computed in float32.
        batch_tokens: tokens in one batch, padding included.
        device: "cpu", "cuda", ...; None = the first GPU where there is one.
    """

    lanes = 1

    def __init__(
        self,
        folder: Path,
        *,
        precision: Precision = "fp32",
        batch_tokens: int = 16_384,
        device: str | None = None,
    ) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.precision = _resolved(precision, self.device)
        dtype = torch.float32 if self.precision == "fp32" else torch.bfloat16
        self.model = load_model(folder, dtype).to(self.device)
        self.name, self.folder = folder.name, folder
        self.batch_tokens = batch_tokens
        config = self.model.config.get_text_config()
        self.context_length = int(getattr(config, "max_position_embeddings", 2048))
        self.vocabulary = int(config.vocab_size)
        # Rows with several options need a mask of their own, which models with windows build differently.
        self._branches = config.model_type in PLAIN_TYPES and not getattr(config, "sliding_window", None)
        self._prefixes = self._branches and _rotation(config) in FIXED_ROTATIONS
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
        done: Callable[[int], None] = nothing,
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
        for batch, sums in self._score_rows(rows, self._prefix(prompts)):
            for row, values in zip(batch, sums, strict=True):
                for (number, ids), value in zip(row.options, values, strict=True):
                    results[row.item][number] = Continuation(value, len(ids))
                left[row.item] -= 1
                if not left[row.item]:
                    done(1)
        return results

    def _score_rows(self, rows: list[Row], prefix: PrefixCache | None) -> Iterator[tuple[list[Row], list[list[float]]]]:
        """Batches of rows with their sums: first those that begin with the prefix, then the others."""
        reporter = Reporter(nothing)
        members = prefix.shared.prompts if prefix else frozenset()
        inside, others = [row for row in rows if row.item in members], [row for row in rows if row.item not in members]
        for cache, group in ((prefix, inside), (None, others)):
            skip = cache.length if cache else 0
            # A prefix is not computed again, but its keys and values are laid out for every row.
            lengths = [row.length() - skip + skip // KEPT_COST for row in group]
            for batch in batches(group, lengths, self._reading_tokens()):
                yield batch, within_memory(batch, partial(self._score_batch, prefix=cache), reporter)

    def _rows(self, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]]) -> list[Row]:
        rows = []
        for item, (prompt, choices) in enumerate(zip(prompts, options, strict=True)):
            numbered = [(number, ids) for number, ids in enumerate(choices) if len(ids)]
            self._check(prompt, max((len(ids) for _, ids in numbered), default=1) - 1)
            self._check_ids([token for _, ids in numbered for token in ids])
            if self._branches or all(len(ids) == 1 for _, ids in numbered):
                groups = [numbered] if numbered else []
            else:
                groups = [[option] for option in numbered]
            rows += [Row(item, prompt, group) for group in groups]
        return rows

    @torch.inference_mode()
    def _score_batch(self, batch: list[Row], prefix: PrefixCache | None = None) -> list[list[float]]:
        """Sums of log-probabilities for every option of every row."""
        skip = prefix.length if prefix else 0
        inputs, positions, mask = lay_out(batch, skip)
        hidden = self._hidden(inputs.to(self.device), positions.to(self.device), mask, prefix)
        rows, places, targets, owners = questions(batch, skip)
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

    def _hidden(
        self, inputs: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None, prefix: PrefixCache | None
    ) -> torch.Tensor:
        arguments: dict[str, Any] = {"input_ids": inputs, "use_cache": False}
        if prefix is not None:
            arguments |= {"past_key_values": prefix.for_one_pass(), "use_cache": True, "position_ids": positions}
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
        max_new_tokens: int | Sequence[int],
        stop: Sequence[int],
        *,
        constraints: Sequence[Constraint] = (),
        done: Callable[[int], None] = nothing,
    ) -> list[list[int]]:
        """Greedy continuations without the stop token; cut where the model's context ends. See `Engine.generate`.

        Raises:
            InputError: a prompt is longer than the model's context, or a constraint cannot be promised.
            ValueError: an empty prompt.
        """
        for prompt in prompts:
            self._check(prompt, 0)
        longest = lengths_of(max_new_tokens, prompts)
        answers: list[list[int]] = [[] for _ in prompts]
        prefix, reporter = self._prefix(prompts), Reporter(done)
        members = prefix.shared.prompts if prefix else frozenset()
        for cache, numbers in (
            (prefix, sorted(members)),
            (None, [number for number in range(len(prompts)) if number not in members]),
        ):
            run = partial(self._generate_batch, stop=stop, done=reporter, prefix=cache)
            lengths = [-(-(len(prompts[number]) + longest[number]) // KEPT_COST) for number in numbers]
            for batch in batches(numbers, lengths, self.batch_tokens):
                asked = [Asked(prompts[n], longest[n], constraints[n] if constraints else None) for n in batch]
                for number, answer in zip(batch, within_memory(asked, run, reporter), strict=True):
                    answers[number] = answer
        return answers

    def _prefix(self, prompts: Sequence[Sequence[int]]) -> PrefixCache | None:
        """What most prompts begin with, read once, where that is worth while."""
        shared = shared_prefix(prompts) if self._prefixes else None
        return PrefixCache(shared, self._read(shared.ids)) if shared else None

    @torch.inference_mode()
    def _read(self, ids: Sequence[int]) -> Any:
        """Keys and values of one text."""
        cache = roomy_cache()
        (self._body or self.model)(
            input_ids=torch.tensor([list(ids)], device=self.device), past_key_values=cache, use_cache=True
        )
        return cache

    @torch.inference_mode()
    def _generate_batch(
        self,
        asked: list[Asked],
        stop: Sequence[int],
        done: Callable[[int], None],
        prefix: PrefixCache | None = None,
    ) -> list[list[int]]:
        rows = [
            Growing(one.prompt, min(one.longest, self.context_length - len(one.prompt)), self._matcher(one, stop))
            for one in asked
        ]
        alive = sorted((row for row in rows if row.room > 0), key=lambda row: -len(row.prompt))
        done(len(rows) - len(alive))
        read = self._read_prompts([row.prompt for row in alive], prefix) if alive else None
        while read is not None:
            tokens = choose(read.logits, alive)
            kept = [place for place, row in enumerate(alive) if row.grows(tokens[place], stop)]
            done(len(alive) - len(kept))
            if not kept:
                break
            if len(kept) < len(alive):
                alive = [alive[place] for place in kept]
                read = read.only(torch.tensor(kept, device=self.device))
            inputs = torch.tensor([[tokens[place]] for place in kept], device=self.device)
            mask = functional.pad(read.mask, (0, 1), value=1)
            read = self._decode(inputs, mask, read.positions + 1, read.cache)
        return [row.made for row in rows]

    def _matcher(self, asked: Asked | Sampling, stop: Sequence[int]) -> Matcher | None:
        return None if asked.constraint is None else self._guide.matcher(asked.constraint, stop)

    @cached_property
    def _guide(self) -> Guide:
        """The tokens of the model's own tokenizer, read when an answer is first held to something."""
        encoder = load_any_encoder(self.folder)
        known = min(encoder.size, self.vocabulary)
        return Guide([*map(encoder.token_bytes, range(known)), *[b""] * (self.vocabulary - known)])

    def _decode(self, inputs: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Cache | None) -> Read:
        """Read some tokens of every row; what stands before them is in the cache."""
        out = self.model(
            input_ids=inputs,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return Read(out.past_key_values, mask, positions[:, -1:], out.logits[:, -1])

    def _read_prompts(self, prompts: list[Sequence[int]], prefix: PrefixCache | None) -> Read:
        """Read prompts, the longest first, in batches of the size at which a model reads fastest, and join them."""
        skip = prefix.length if prefix else 0
        parts = []
        groups: Iterator[list[Sequence[int]]] = iter([prompts])
        if self._branches:
            groups = batches(prompts, [len(prompt) - skip for prompt in prompts], self._reading_tokens())
        for group in groups:
            inputs, mask, positions = self._lay_out(group, prefix)
            cache = prefix.for_decoding(len(group)) if prefix else self._cache()
            parts.append(self._decode(inputs, mask, positions, cache))
        return parts[0] if len(parts) == 1 else joined(parts)

    def _reading_tokens(self) -> int:
        """Tokens that are read at once: a CPU is fastest while they stay in its caches."""
        return self.batch_tokens if self.device.type == "cuda" else min(self.batch_tokens, CPU_TOKENS)

    def _lay_out(
        self, prompts: list[Sequence[int]], prefix: PrefixCache | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids and positions (rows x width) of what follows the prefix, and a mask (rows x (prefix + width))."""
        skip = prefix.length if prefix else 0
        inputs, mask = pad_left([prompt[skip:] for prompt in prompts])
        inputs, mask = inputs.to(self.device), mask.to(self.device)
        positions = (mask.cumsum(1) - 1).clamp(min=0) + skip
        return inputs, functional.pad(mask, (skip, 0), value=1), positions

    def stream(
        self, prompt: Sequence[int], max_new_tokens: int, stop: Sequence[int], sampling: Sampling = GREEDY
    ) -> Iterator[Step]:
        """Tokens one by one; see `Engine.stream`. A step needs no work before it is asked for.

        Raises:
            InputError: the prompt is longer than the model's context, or the constraint cannot be promised.
            ValueError: an empty prompt, a temperature or top_p out of range.
        """
        self._check(prompt, 0)
        draw, matcher = Draw(sampling), self._matcher(sampling, stop)
        ends, inputs, cache = set(stop), list(prompt), self._cache()
        for _ in range(min(max_new_tokens, self.context_length - len(prompt))):
            logits, cache = self._step(inputs, cache)
            allowed = None if matcher is None else mask_of(matcher)
            if allowed is not None and not allowed.any():
                return
            step = draw.step(logits, allowed)
            if step.token in ends:
                return
            if matcher is not None:
                matcher.take(step.token)
            yield step
            if matcher is not None and matcher.ended:
                return
            inputs = [step.token]

    def _cache(self) -> Cache | None:
        return roomy_cache() if self._branches else None

    @torch.inference_mode()
    def _step(self, inputs: Sequence[int], cache: Cache | None) -> tuple[torch.Tensor, Cache]:
        ids = torch.tensor([inputs], device=self.device)
        out = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1].float().cpu(), out.past_key_values

    def next_log_probabilities(self, prompt: Sequence[int]) -> dict[int, float]:
        """Log-probabilities of every token of the vocabulary after `prompt`, by id."""
        self._check(prompt, 0)
        logits, _ = self._step(prompt, None)
        return dict(enumerate(torch.log_softmax(logits, -1).tolist()))

    def _check(self, prompt: Sequence[int], following: int) -> None:
        check_prompt(prompt, following, self.context_length)
        self._check_ids(prompt)

    def _check_ids(self, ids: Sequence[int]) -> None:
        # On a GPU such an id would end the whole process.
        if len(ids) and not 0 <= min(ids) <= max(ids) < self.vocabulary:
            raise InputError(f"token ids outside the model's vocabulary of {self.vocabulary:,}", where=self.name)


def _resolved(precision: Precision, device: torch.device) -> Precision:
    if precision == "auto":
        return "bf16" if fast_in_bfloat16(device) else "fp32"
    return precision


def _rotation(config: Any) -> str:
    """The type of rotary encoding; transformers 4 and 5 keep it at different places."""
    rotation = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return str(rotation.get("rope_type", rotation.get("type", "default")))
