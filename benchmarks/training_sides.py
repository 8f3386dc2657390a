"""What the training benchmarks compare: one model, the same rows and initial weights, in our code and in its peers'.

`SIDES` names every way to train; `run(setting)` trains one of them in this process and says how fast it was. It is used
by train_cpu.py and train_gpu.py, which start a fresh process for every run (training_rounds.py). Only `torch` and
`numpy` are needed everywhere; each side imports what it compares, so a missing package costs that side alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

WARM_RATE_STEPS, RATE, BETAS, EPS = 10, 1e-3, (0.9, 0.95), 1e-8
"""Learning rate: linear to RATE over the first steps, then constant."""
NO_TARGET = -100


@dataclass(frozen=True)
class Shape:
    """Sizes of an Arcee model: pre-normalised, no biases, up-act-down, heads of 64."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    shared: int
    sequence: int

    @property
    def parameters(self) -> int:
        keys = self.hidden // self.heads * self.shared
        layer = self.hidden * (2 * self.hidden + 2 * keys + 8 * self.hidden) + 2 * self.hidden
        return self.layers * layer + self.hidden + 2 * self.vocabulary * self.hidden

    @property
    def flops_per_token(self) -> float:
        """Forward and backward, 6 a weight that multiplies plus attention over a whole row (PaLM's convention)."""
        weights = self.parameters - self.vocabulary * self.hidden
        return 6 * weights + 12 * self.layers * self.sequence * self.hidden


SHAPES = {
    "paper-1b": Shape(32_768, 2048, 24, 32, 8, 2048),
    "20m": Shape(8192, 384, 9, 6, 2, 512),
    "toy": Shape(512, 128, 2, 2, 1, 64),
}


@dataclass(frozen=True)
class Setting:
    """One run: which side, on what."""

    side: str = "ours"
    shape: str = "toy"
    precision: str = "fp32"
    compile: bool = False
    documents: int = 0  # mean tokens of a document; 0 = a row is one document
    dropout: float = 0.0
    whole_logits: bool = False  # ours without its fused loss
    micro_batch: int = 4
    accumulate: int = 2
    steps: int = 6
    warmup: int = 2
    device: str = "cpu"

    @property
    def sizes(self) -> Shape:
        return SHAPES[self.shape]

    @property
    def rows(self) -> int:
        return self.micro_batch * self.accumulate


class Clock:
    """When each step ended; losses beside it."""

    def __init__(self, setting: Setting) -> None:
        self.cuda, self.losses = setting.device.startswith("cuda"), list[float]()
        self.ends, self.busy = list[float](), list[float]()

    def start(self) -> None:
        self.ends, self.busy = [self._now()], [time.process_time()]

    def step(self, loss: float) -> None:
        self.ends.append(self._now())
        self.busy.append(time.process_time())
        self.losses.append(loss)

    def _now(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


def rate_of(step: int) -> float:
    """Learning rate of update `step`, counted from 1."""
    return RATE * min(1.0, step / WARM_RATE_STEPS)


def texts(setting: Setting) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Rows (steps * rows, sequence) of a random walk that a model can learn, and the documents of each row."""
    sizes, count = setting.sizes, (setting.steps + setting.warmup) * setting.rows
    draw = np.random.default_rng(0)
    following = draw.integers(3, sizes.vocabulary, (sizes.vocabulary, 4))
    tokens = np.empty((count, sizes.sequence), dtype=np.int64)
    tokens[:, 0] = draw.integers(3, sizes.vocabulary, count)
    choices = draw.integers(0, 4, (count, sizes.sequence))
    for place in range(1, sizes.sequence):
        tokens[:, place] = following[tokens[:, place - 1], choices[:, place]]
    return tokens, [_documents(draw, sizes.sequence, setting.documents) for _ in range(count)]


def _documents(draw: np.random.Generator, length: int, mean: int) -> tuple[int, ...]:
    parts: list[int] = []
    while mean and (left := length - sum(parts)):
        parts.append(min(left, max(2, int(draw.exponential(mean)))))
    return tuple(parts) or (length,)


def stock_model(setting: Setting) -> Any:
    """`ArceeForCausalLM` in fp32 on the device, the same weights on every side (normal, residual outputs smaller)."""
    from transformers import ArceeConfig, ArceeForCausalLM

    sizes = setting.sizes
    with torch.device(setting.device):
        model = ArceeForCausalLM(
            ArceeConfig(
                vocab_size=sizes.vocabulary,
                hidden_size=sizes.hidden,
                intermediate_size=4 * sizes.hidden,
                num_hidden_layers=sizes.layers,
                num_attention_heads=sizes.heads,
                num_key_value_heads=sizes.shared,
                hidden_act="silu",
                rms_norm_eps=1e-5,
                max_position_embeddings=sizes.sequence,
                tie_word_embeddings=False,
                use_cache=False,
                bos_token_id=1,
                eos_token_id=2,
            )
        )
    fill(model, sizes, ("o_proj.weight", "down_proj.weight"))
    return model


@torch.no_grad()
def fill(model: torch.nn.Module, sizes: Shape, outputs: tuple[str, ...]) -> None:
    generator = torch.Generator(next(model.parameters()).device).manual_seed(0)
    for name, weight in sorted(model.named_parameters()):
        if weight.dim() < 2:
            weight.fill_(1.0)
            continue
        deviation = (2 / (5 * sizes.hidden)) ** 0.5 / ((2 * sizes.layers) ** 0.5 if name.endswith(outputs) else 1)
        weight.normal_(0.0, deviation, generator=generator)


def adamw(model: torch.nn.Module) -> torch.optim.AdamW:
    """The same optimizer everywhere, fused on every device."""
    weights = [weight for _, weight in sorted(model.named_parameters())]
    groups = [
        {"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": 0.1},
        {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPS, fused=True)


def by_hand(
    setting: Setting,
    clock: Clock,
    model: torch.nn.Module,
    micro_batch: Callable[[int], tuple[Any, int]],
    loss_of: Callable[[Any], torch.Tensor],
) -> None:
    """The least loop: summed losses over targets, accumulate, clip, update."""
    optimizer, weights = adamw(model), list(model.parameters())
    clock.start()
    for step in range(1, setting.warmup + setting.steps + 1):
        parts = [micro_batch((step - 1) * setting.accumulate + number) for number in range(setting.accumulate)]
        targets, total = sum(count for _, count in parts), torch.zeros((), device=setting.device)
        for batch, _ in parts:
            loss = loss_of(batch) / targets
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        clock.step(float(total))


def our_rows(setting: Setting) -> list[Any]:
    from igakulm.model.batch import Row, next_token_targets

    tokens, documents = texts(setting)
    return [Row(row, next_token_targets(row, parts), parts) for row, parts in zip(tokens, documents, strict=True)]


def our_objective(setting: Setting) -> Any:
    from igakulm.model import objective as module

    if setting.whole_logits:
        module.linear_cross_entropy = _whole_logits  # type: ignore[assignment]
    return module.Objective(stock_model(setting), dropout=setting.dropout, bf16=setting.precision == "bf16")


def _whole_logits(states: Any, head: Any, targets: Any, dtype: torch.dtype, **_: Any) -> torch.Tensor:
    logits = (states.to(dtype) @ head.to(dtype).T).float()
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


def ours_step(setting: Setting, clock: Clock) -> None:
    """Our model side (attention, loss, compilation) in the least loop: needs no part of igakulm that reads recipes."""
    from igakulm.model.batch import collate

    rows, objective = our_rows(setting), our_objective(setting).train()
    if setting.compile:
        objective.compile_layers()
    device = torch.device(setting.device)

    def micro_batch(number: int) -> tuple[Any, int]:
        batch = collate(rows[number * setting.micro_batch : (number + 1) * setting.micro_batch])
        return batch.to(device), len(batch.targets)

    by_hand(setting, clock, objective.model, micro_batch, objective)


class _Enough(BaseException):
    """Leaves the loop without its last checkpoint."""


def ours(setting: Setting, clock: Clock) -> None:
    """The loop that `igakulm pretrain` runs, log and all."""
    from igakulm.progress import SilentProgress, SilentTask
    from igakulm.recipe.schema import TrainSection
    from igakulm.training.loop import Job, train

    section = TrainSection(
        steps=10**6,
        global_batch=setting.rows,
        micro_batch=setting.micro_batch,
        learning_rate=RATE,
        warmup_steps=WARM_RATE_STEPS,
        schedule="wsd",
        weight_decay=0.1,
        precision=setting.precision,  # type: ignore[arg-type]
        compile=setting.compile,
        checkpoint_every=10**6,
        validate_every=10**6,
        seed=0,
    )
    rows = our_rows(setting)

    class InOrder:
        """Hands out the rows one after the other, as the other sides see them."""

        fingerprint, served = "benchmark", 0

        def __len__(self) -> int:
            return len(rows)

        def row(self, index: int) -> Any:
            if self.served == len(rows):
                raise _Enough
            self.served += 1
            return rows[self.served - 1]

        def names(self, index: int) -> list[str]:
            return [str(index)]

    class Ticks(SilentTask):
        def advance(self, amount: float = 1.0) -> None:
            clock.step(float("nan"))

    class Watched(SilentProgress):
        @contextmanager
        def task(self, name: str, total: float | None, unit: str = "") -> Iterator[Any]:
            clock.start()
            yield Ticks()

    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            name="benchmark",
            objective=our_objective(setting),
            rows=InOrder(),
            section=section,
            token_budget=setting.micro_batch * setting.sizes.sequence,
            folder=Path(folder),
            identity={},
        )
        with suppress(_Enough):
            train(job, Watched())
        log = [json.loads(line) for line in (Path(folder) / "logs" / "steps.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["loss"] for line in log if "loss" in line}
    clock.losses[:] = [losses.get(step, float("nan")) for step in range(1, len(clock.losses) + 1)]


def hand(setting: Setting, clock: Clock) -> None:
    """The stock model with autocast in the least loop; `compile` compiles it whole, its loss included."""
    model = stock_model(setting).train()
    called = torch.compile(model) if setting.compile else model
    tokens, documents = texts(setting)
    device, low = torch.device(setting.device), setting.precision == "bf16"
    place = torch.arange(setting.sizes.sequence)

    def micro_batch(number: int) -> tuple[Any, int]:
        part = slice(number * setting.micro_batch, (number + 1) * setting.micro_batch)
        ids = torch.from_numpy(tokens[part])
        batch = {"input_ids": ids, "labels": ids}
        if setting.documents:  # exact document masking as the stock class can: a dense mask, and positions that restart
            parts = [torch.tensor(row) for row in documents[part]]
            starts = [torch.repeat_interleave(row.cumsum(0) - row, row) for row in parts]
            start = torch.stack(starts)
            labels = ids.masked_fill(place == start, NO_TARGET)
            mask = (start[:, :, None] == start[:, None]) & (place[:, None] >= place)
            batch = {"input_ids": ids, "labels": labels, "attention_mask": mask[:, None], "position_ids": place - start}
        count = int((batch["labels"][:, 1:] != NO_TARGET).sum())
        return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()} | {"count": count}, count

    def loss_of(batch: dict[str, Any]) -> torch.Tensor:
        count = batch.pop("count")
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            return called(**batch, use_cache=False).loss * count

    by_hand(setting, clock, model, micro_batch, loss_of)


def accelerate(setting: Setting, clock: Clock) -> None:
    """The loop of Accelerate's documentation around the stock model."""
    from accelerate import Accelerator

    low = "bf16" if setting.precision == "bf16" else "no"
    accelerator = Accelerator(
        cpu=setting.device == "cpu", mixed_precision=low, gradient_accumulation_steps=setting.accumulate
    )
    model = stock_model(setting).train()
    wrapped = torch.compile(model) if setting.compile else model
    wrapped, optimizer = accelerator.prepare(wrapped, adamw(model))
    tokens, _ = texts(setting)
    clock.start()
    for step in range(1, setting.warmup + setting.steps + 1):
        total = torch.zeros((), device=accelerator.device)
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step)
        for number in range((step - 1) * setting.accumulate, step * setting.accumulate):
            part = tokens[number * setting.micro_batch : (number + 1) * setting.micro_batch]
            ids = torch.from_numpy(part).to(accelerator.device)
            with accelerator.accumulate(wrapped):
                loss = wrapped(input_ids=ids, labels=ids, use_cache=False).loss
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            total += loss.detach() / setting.accumulate
        clock.step(float(total))


def trainer(setting: Setting, clock: Clock) -> None:
    """Hugging Face's Trainer; it logs each step's loss, as ours does."""
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    model, (tokens, _) = stock_model(setting), texts(setting)
    losses: list[float] = []

    class Watch(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
            if "loss" in logs:
                losses.append(logs["loss"])

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step(float("nan"))

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    optimizer = adamw(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_of(step + 1) / RATE)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=setting.micro_batch,
            gradient_accumulation_steps=setting.accumulate,
            max_steps=setting.warmup + setting.steps,
            max_grad_norm=1.0,
            bf16=setting.precision == "bf16",
            torch_compile=setting.compile,
            use_cpu=setting.device == "cpu",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=setting.device != "cpu",
        )
        rows = [{"input_ids": row, "labels": row} for row in torch.from_numpy(tokens)]
        made = InOrder(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=lambda batch: {key: torch.stack([row[key] for row in batch]) for key in batch[0]},
            optimizers=(optimizer, schedule),
            callbacks=[Watch()],
        )
        made.remove_callback(PrinterCallback)
        made.train()
    clock.losses[:] = losses


def litgpt(setting: Setting, clock: Clock) -> None:
    """litgpt's model in the loop of its `pretrain`: Lightning Fabric, its cross entropy, SiLU put in for GELU."""
    import lightning
    from litgpt import model as models
    from litgpt.config import Config
    from litgpt.utils import chunked_cross_entropy

    sizes = setting.sizes

    class SiluMLP(models.GptNeoxMLP):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.proj(torch.nn.functional.silu(self.fc(x)))

    models.GptNeoxMLP = SiluMLP  # type: ignore[misc]
    config = Config(
        name="benchmark",
        block_size=sizes.sequence,
        n_layer=sizes.layers,
        n_embd=sizes.hidden,
        padded_vocab_size=sizes.vocabulary,
        vocab_size=sizes.vocabulary,
        n_head=sizes.heads,
        n_query_groups=sizes.shared,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="GptNeoxMLP",
        intermediate_size=4 * sizes.hidden,
    )
    low = "bf16-mixed" if setting.precision == "bf16" else "32-true"
    accelerator = "cpu" if setting.device == "cpu" else "gpu"
    fabric = lightning.Fabric(accelerator=accelerator, devices=1, precision=low)  # type: ignore[arg-type]
    model = models.GPT(config)
    fill(model, sizes, ("attn.proj.weight", "mlp.proj.weight"))
    assert sum(weight.numel() for weight in model.parameters()) == sizes.parameters
    wrapped = fabric.setup(torch.compile(model) if setting.compile else model)
    optimizer = fabric.setup_optimizers(adamw(model))
    tokens, _ = texts(setting)
    clock.start()
    for step in range(1, setting.warmup + setting.steps + 1):
        total = 0.0
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step)
        for number in range((step - 1) * setting.accumulate, step * setting.accumulate):
            part = tokens[number * setting.micro_batch : (number + 1) * setting.micro_batch]
            ids = torch.from_numpy(part).to(fabric.device)
            with fabric.no_backward_sync(wrapped, enabled=(number + 1) % setting.accumulate != 0):
                loss = chunked_cross_entropy(wrapped(ids[:, :-1]), ids[:, 1:])
                fabric.backward(loss / setting.accumulate)
            total += float(loss.detach()) / setting.accumulate
        fabric.clip_gradients(wrapped, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        clock.step(total)


SIDES: dict[str, Callable[[Setting, Clock], None]] = {
    "ours": ours,
    "ours-step": ours_step,
    "hand": hand,
    "trainer": trainer,
    "accelerate": accelerate,
    "litgpt": litgpt,
}


def run(setting: Setting) -> dict[str, Any]:
    """Train; rates over the timed steps, losses of all, memory at the peak.

    Memory is what torch took of the GPU, or on a CPU the process's largest resident set, libraries and all.
    """
    clock, cuda = Clock(setting), setting.device.startswith("cuda")
    torch.set_float32_matmul_precision("high" if cuda and setting.precision == "bf16" else "highest")
    SIDES[setting.side](setting, clock)
    durations = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]
    timed = durations[setting.warmup :]
    busy = [after - before for before, after in zip(clock.busy, clock.busy[1:], strict=False)][setting.warmup :]
    tokens = setting.rows * setting.sizes.sequence
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "setting": asdict(setting),
        "tokens_per_second": tokens / statistics.median(timed),
        "step_seconds": timed,
        "tokens_per_cpu_second": tokens / statistics.median(busy),
        "first_step_seconds": durations[0],
        "losses": clock.losses,
        "peak_gib": peak / 2**30,
        "parameters": setting.sizes.parameters,
        "flops_per_token": setting.sizes.flops_per_token,
        "device": torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
    }


def main() -> None:
    """One run, for training_rounds.py: the setting as JSON in, one line `RESULT {...}` out."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("setting", help="JSON of a Setting")
    given = json.loads(parser.parse_args().setting)
    known = {field.name for field in fields(Setting)}
    setting = Setting(**{key: value for key, value in given.items() if key in known})
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if setting.device == "cpu":
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        result = run(setting)
    except ImportError as error:
        result = {"missing": str(error)}
    except torch.cuda.OutOfMemoryError:
        result = {"out_of_memory": True}
    print("RESULT " + json.dumps(result), flush=True)


if __name__ == "__main__":
    sys.exit(main())
