"""The one training loop, for pretraining and for tuning.

Does: accumulate gradients over micro-batches, average over the loss tokens of the global batch, clip, update, validate,
log, save, resume, and stop with a reason. Does not: know where rows come from, write models, or use several devices
(the place for that is around `Objective` and `_gradients`).
"""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.model.objective import Objective
from igakulm.progress import Progress
from igakulm.recipe.schema import TrainSection
from igakulm.training.batch import Row, Rows, collate, micro_batches
from igakulm.training.checkpoint import Checkpoints
from igakulm.training.log import Rate, StepLog
from igakulm.training.optimizer import build_optimizer, learning_rate
from igakulm.training.order import mix, rows_of_step

WARM_STEPS = 20
"""Steps before the running mean of the loss is trusted for `spike_factor`."""
NOT_IDENTITY = frozenset(
    {"checkpoint_every", "keep_last", "log_every", "validate_every", "compile", "micro_batch", "spike_factor"}
)
"""Keys that may differ when a training goes on: they change no result beyond rounding."""


class TrainingStoppedError(InputError):
    """The loss became NaN or jumped; the message names the step, `logs/stopped.json` the documents."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Rows that are never trained on, and the UTF-8 bytes of their text."""

    rows: Sequence[Row]
    text_bytes: float


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one training needs; `token_budget` = tokens of one micro-batch."""

    name: str
    objective: Objective
    rows: Rows
    section: TrainSection
    token_budget: int
    folder: Path
    identity: Mapping[str, Any]
    validation: Validation | None = None


@dataclass(slots=True)
class History:
    """What training reports; saved in every checkpoint, so a resumed run reports the same."""

    tokens: int = 0
    loss_tokens: int = 0
    loss_first: float | None = None
    loss_last: float | None = None
    loss_mean: float | None = None
    validation: list[dict[str, float]] = field(default_factory=list)


def training_device() -> torch.device:
    """The first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def identity_of(section: TrainSection, **others: Any) -> dict[str, Any]:
    """What must not change between a checkpoint and its continuation."""
    keys = {key: value for key, value in section.model_dump(mode="json").items() if key not in NOT_IDENTITY}
    return {**keys, **others}


def train(job: Job, progress: Progress) -> History:
    """Train from the newest checkpoint below `job.folder`, or from the beginning, to the last step.

    Raises:
        TrainingStoppedError: NaN, infinite loss or a spike; nothing of that step was applied.
        InputError: a checkpoint of other data or settings; a full disk.
        SystemExit: SIGTERM came; the current step was finished and saved.
    """
    section, objective = job.section, job.objective
    objective.to(training_device())
    _compile_layers(objective, section)
    optimizer = build_optimizer(objective.model, section)
    checkpoints = Checkpoints(
        job.folder / "checkpoints",
        job.identity,
        keep=section.keep_last,
        every=section.checkpoint_every,
        last=section.steps,
    )
    restored = checkpoints.restore(objective.model, optimizer, progress.say)
    first, history = (restored[0], History(**restored[1])) if restored else (0, History())
    if first:
        progress.say(f"{job.name} goes on after step {first:,}")
    trainer = _Trainer(job, optimizer, history)
    with (
        _stop_signals() as stop,
        StepLog(job.folder / "logs" / "steps.jsonl", first) as log,
        progress.task(job.name, section.steps - first, "steps") as task,
    ):
        rate = Rate()
        for step in range(first + 1, section.steps + 1):
            record = trainer.step(step)
            speed = rate.add(record["tokens"])
            if step % section.log_every == 0:
                log.write(record)
            task.advance()
            task.note(f"loss {record['loss']:.3f}, {speed:,.0f} tokens/s")
            last = step == section.steps
            if job.validation and (step % section.validate_every == 0 or last):
                history.validation.append(trainer.validate(step, job.validation))
            if step % section.checkpoint_every == 0 or last or stop.received:
                checkpoints.save(step, objective.model, optimizer, asdict(history))
            if stop.received and not last:
                progress.say(f"stopped after step {step:,}; the same command goes on from there")
                raise stop.exit()
    return history


class _Trainer:
    """One step at a time."""

    def __init__(self, job: Job, optimizer: torch.optim.Optimizer, history: History) -> None:
        self.job, self.optimizer, self.history = job, optimizer, history
        self.seed = job.section.seed or 0
        self.device = next(job.objective.parameters()).device
        self.parameters = [weight for weight in job.objective.parameters() if weight.requires_grad]

    def step(self, step: int) -> dict[str, Any]:
        """One update; returns the log record."""
        begin = time.perf_counter()
        section = self.job.section
        numbers = rows_of_step(self.seed, step - 1, len(self.job.rows), section.global_batch)
        rows = [self.job.rows.row(number) for number in numbers]
        rate = learning_rate(section, step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(mix(self.seed, step))
        loss, targets = self._gradients(rows)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, section.clip))
        self._check(step, loss, norm, numbers)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        tokens = sum(len(row.tokens) for row in rows)
        self._remember(loss, tokens, targets)
        return {
            "step": step,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm,
            "tokens": tokens,
            "loss_tokens": targets,
            "seconds": round(time.perf_counter() - begin, 4),
        }

    def _gradients(self, rows: Sequence[Row]) -> tuple[float, int]:
        """Gradients of the mean loss over all targets of the rows; the mean, and how many targets there are."""
        objective = self.job.objective.train()
        batches = [collate(group) for group in micro_batches(rows, self.job.token_budget)]
        targets = sum(len(batch.targets) for batch in batches)
        total = torch.zeros((), device=self.device)
        for batch in batches:
            if not len(batch.targets):
                continue
            loss = objective(batch.to(self.device)) / targets
            loss.backward()
            total += loss.detach()
        return float(total), targets

    def _remember(self, loss: float, tokens: int, targets: int) -> None:
        history = self.history
        history.tokens += tokens
        history.loss_tokens += targets
        history.loss_first = loss if history.loss_first is None else history.loss_first
        history.loss_last = loss
        history.loss_mean = loss if history.loss_mean is None else 0.98 * history.loss_mean + 0.02 * loss

    def _check(self, step: int, loss: float, norm: float, numbers: Sequence[int]) -> None:
        factor, mean = self.job.section.spike_factor, self.history.loss_mean
        spiked = bool(factor and mean is not None and step > WARM_STEPS and loss > factor * mean)
        if math.isfinite(loss) and math.isfinite(norm) and not spiked:
            return
        rows = [{"row": number, "documents": self.job.rows.names(number)} for number in numbers]
        path = self.job.folder / "logs" / "stopped.json"
        write_json(path, {"step": step, "loss": str(loss), "gradient_norm": str(norm), "rows": rows})
        what = f"the loss jumped to {loss:.3f} from about {mean:.3f}" if spiked else f"the loss is {loss}"
        if not spiked and math.isfinite(loss):
            what = f"the gradient's norm is {norm}"
        raise TrainingStoppedError(
            f"{self.job.name} stopped at step {step:,}: {what}",
            where=f"the documents of that step: {path}",
            mend="look at these documents, or lower learning_rate; the last checkpoint is kept",
        )

    def validate(self, step: int, validation: Validation) -> dict[str, float]:
        """Mean loss a token (nats) and bits per byte of text over the validation rows."""
        objective = self.job.objective.eval()
        total, targets = 0.0, 0
        with torch.no_grad():
            for group in micro_batches(validation.rows, self.job.token_budget):
                batch = collate(group).to(self.device)
                if len(batch.targets):
                    total += float(objective(batch))
                    targets += len(batch.targets)
        bits = total / math.log(2) / max(validation.text_bytes, 1)
        return {"step": step, "loss": total / max(targets, 1), "bits_per_byte": bits}


class _Stop:
    """Whether a signal came, and how to leave for it."""

    received: int | None = None

    def exit(self) -> BaseException:
        if self.received == signal.SIGINT:
            return KeyboardInterrupt()
        return SystemExit(128 + (self.received or 0))


@contextmanager
def _stop_signals() -> Iterator[_Stop]:
    """Let SIGTERM and Ctrl-C wait for the end of the step (main thread only); a second Ctrl-C stops at once."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def remember(number: int, _: object) -> None:
        if stop.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.received = number

    before = {number: signal.signal(number, remember) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _compile_layers(objective: Objective, section: TrainSection) -> None:
    """Compile each layer by itself: quick to compile, and equal layers share the result."""
    if not section.compile:
        return
    if training_device().type == "cpu" and not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        raise InputError(
            "compiling needs a C++ compiler and none was found", where="compile", mend="set compile: false"
        )
    for layer in objective.model.model.layers:
        layer.compile(dynamic=True)
