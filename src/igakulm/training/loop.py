"""The one training loop, for pretraining and for tuning, in one process or many.

Does: accumulate gradients over micro-batches, average over the loss tokens of the global batch, clip, update, validate,
log, save, resume, and stop with a reason. Does not: know where rows come from, write models, or know how a model is
spread over processes (parallel.py).

Any number of processes computes the same: all of them cut the global batch into the micro-batches of one process and
take every n-th; the random numbers of a micro-batch (dropout, NEFTune) depend on seed, step and its number only.
"""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.machine import arithmetic
from igakulm.model.batch import Batch, Row
from igakulm.model.objective import Objective
from igakulm.progress import Progress
from igakulm.recipe.schema import TrainSection, Unhashed
from igakulm.training.background import Background
from igakulm.training.checkpoint import Checkpoints
from igakulm.training.log import Rate, StepLog, utilisation
from igakulm.training.micro_batches import Rows, micro_batches
from igakulm.training.mixture import Mixture
from igakulm.training.optimizer import learning_rate
from igakulm.training.order import mix, rows_of_step
from igakulm.training.parallel import Strategy
from igakulm.training.strategies import open_strategy
from igakulm.training.world import World, current_world

WARM_STEPS = 20
"""Steps before the running mean of the loss is trusted for `spike_factor`."""
NOT_IDENTITY = frozenset({"validate_every", "compile", "micro_batch", "spike_factor"})
"""Keys that may differ when a training goes on, beside the unhashed ones: they change rounding and the draw of dropout,
never what is learnt from."""


class TrainingStoppedError(InputError):
    """The loss became NaN or jumped; the message names the step, `logs/stopped.json` the documents."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Rows that are never trained on, the UTF-8 bytes of their text, and the task of each row (none in pretraining)."""

    rows: Sequence[Row]
    text_bytes: float
    tasks: Sequence[str] = ()

    def by_task(self) -> dict[str, list[Row]]:
        """The rows of each task; of one without a name where there are no tasks."""
        found: dict[str, list[Row]] = {task: [] for task in sorted(set(self.tasks)) or [""]}
        for row, task in zip(self.rows, self.tasks or [""] * len(self.rows), strict=True):
            found[task].append(row)
        return found


@dataclass(frozen=True, slots=True)
class Job:
    """Everything one training needs.

    Args:
        token_budget: tokens of one micro-batch.
        identity: what must not change between a checkpoint and its continuation.
        mixture: which rows a step sees; None = all rows alike, each once an epoch.
        patience: validations without a better one after which training ends with the best weights; 0 = never.
        samples: called at every validation between the first and the last step, by all processes, with the model in
            evaluation mode; its rows go into the history with their step. Finished models are sampled elsewhere.
        few_targets: whether a step has so few targets that gradients of embedding and head are best made once a step.
        flops_per_token: forward and backward, for the utilisation in the log.
        peak_flops: FLOP/s of one device, None where unknown.
    """

    name: str
    objective: Objective
    rows: Rows
    section: TrainSection
    token_budget: int
    folder: Path
    identity: Mapping[str, Any]
    validation: Validation | None = None
    mixture: Mixture | None = None
    patience: int = 0
    few_targets: bool = False
    samples: Callable[[], list[dict[str, Any]]] | None = None
    flops_per_token: float | None = None
    peak_flops: float | None = None


@dataclass(slots=True)
class History:
    """What training reports; saved in every checkpoint, so a resumed run reports the same.

    `best_step` (with patience): the step of the best validation so far, whose weights are kept. `stopped`: no
    validation was better for as long as `patience` says.
    """

    tokens: int = 0
    loss_tokens: int = 0
    loss_first: float | None = None
    loss_last: float | None = None
    loss_mean: float | None = None
    validation: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    stopped: bool = False
    samples: list[dict[str, Any]] = field(default_factory=list)


def identity_of(section: TrainSection, **others: object) -> dict[str, object]:
    """What must not change between a checkpoint and its continuation."""
    fields = type(section).model_fields.items()
    free = {name for name, info in fields if any(isinstance(mark, Unhashed) for mark in info.metadata)}
    keys = section.model_dump(mode="json", exclude=free | NOT_IDENTITY)
    return {**keys, **others}


def train(job: Job, progress: Progress) -> History:
    """Train from the newest checkpoint below `job.folder`, or from the beginning, to the last step.

    Called by every process of the training; the leading one alone writes. In the end its model holds whole weights.

    Raises:
        TrainingStoppedError: NaN, infinite loss or a spike; nothing of that step was applied.
        InputError: a checkpoint of other data or settings; a full disk.
        SystemExit: SIGTERM or SIGUSR1 came to any process; the current step was finished and saved.
    """
    section, world = job.section, current_world()
    job.objective.to(world.device())
    _choose_layers(job, world)
    strategy = world.together(lambda: open_strategy(job.objective, section, world))
    checkpoints = _checkpoints(job)
    first, history = _restore(strategy, checkpoints, progress.say)
    if first:
        progress.say(f"{job.name} goes on after step {first:,}")
    with (
        _stop_signals(alone=world.size == 1) as stop,
        Background() as writer,
        world.together(lambda: _open_log(job, first, world)) as log,
        progress.task(job.name, section.steps - first, "steps") as task,
    ):
        trainer = _Trainer(job, strategy, world, history, writer, checkpoints)
        rate = Rate()
        if not first:
            trainer.validate(0, log)
        for step in range(first + 1, 1 if history.stopped else section.steps + 1):
            record = trainer.step(step)
            task.advance()
            task.note(_speed(job, record, rate.add(record["tokens"]), world))
            if log and step % section.log_every == 0:
                log.write(record)
            last = step == section.steps
            if step % section.validate_every == 0 or last:
                trainer.validate(step, log)
                last = last or history.stopped
            received = world.largest(stop.received)
            if step % section.checkpoint_every == 0 or last or received:
                trainer.save(step)
            if received and not last:
                world.together(writer.wait)
                strategy.release()
                progress.say(f"stopped after step {step:,}; the same command goes on from there")
                raise _leave(received)
            if last:
                break
        world.together(writer.wait)
        _take_best(job, strategy, checkpoints, history, progress)
    strategy.finish()
    job.objective.use_stock_layers()
    return history


def _choose_layers(job: Job, world: World) -> None:
    """Our own functions where they are for (bf16, one process on a CPU), compiled or not; else the model's own."""
    section, on_cpu = job.section, world.device().type == "cpu"
    if section.compile and on_cpu and not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        raise InputError(
            "compiling needs a C++ compiler and none was found", where="compile", hint="set compile: false"
        )
    if on_cpu and world.size == 1 and section.precision == "bf16":
        job.objective.use_fast_layers(ends=job.few_targets, compiled=section.compile)
    elif section.compile:
        job.objective.compile_layers()


def _checkpoints(job: Job) -> Checkpoints:
    section = job.section
    return Checkpoints(
        job.folder / "checkpoints",
        job.identity,
        keep=section.keep_last,
        every=section.checkpoint_every,
        last=section.steps,
        keep_every=section.keep_every,
        arithmetic=arithmetic(current_world().device()),
        mixed=section.mixed_arithmetic,
    )


def _restore(strategy: Strategy, checkpoints: Checkpoints, say: Callable[[str], None]) -> tuple[int, History]:
    """Put the newest whole checkpoint into the model and the optimizer; its step (0 = none) and history."""
    world = strategy.world
    found = world.together(lambda: checkpoints.newest(say) if world.leads else None)
    step = world.largest(found or 0)
    if not step:
        return 0, History()
    snapshot, history = world.together(lambda: checkpoints.read(step))
    strategy.load(snapshot, step)
    return step, History(**history)


def _take_best(job: Job, strategy: Strategy, checkpoints: Checkpoints, history: History, progress: Progress) -> None:
    """Put the weights of the best validation into the model, where they were kept."""
    if not job.patience or not history.validation:
        return
    strategy.load_weights(strategy.world.together(lambda: checkpoints.read_best(history.best_step)))
    end = history.validation[-1]["step"]
    why = f"no better validation after step {history.best_step:,}" if history.stopped else "all steps are done"
    progress.say(f"{job.name} ended after step {end:,} ({why}); the weights are those of step {history.best_step:,}")


def _open_log(job: Job, first: int, world: World) -> AbstractContextManager[StepLog | None]:
    if not world.leads:
        return nullcontext()
    logs = job.folder / "logs"
    return StepLog(logs / "steps.jsonl", first, logs / "tensorboard" if job.section.tensorboard else None)


def _speed(job: Job, record: dict[str, object], rate: float, world: World) -> str:
    """The note beside the bar; the utilisation goes into the record too."""
    text = f"loss {record['loss']:.3f}, {rate:,.0f} tokens/s"
    peak = job.peak_flops * world.size if job.peak_flops else None
    share = utilisation(rate, job.flops_per_token, peak) if job.flops_per_token else None
    if share is None:
        return text
    record["mfu"] = round(share, 4)
    return f"{text}, {share:.1%} of the peak"


class _Trainer:
    """One step at a time."""

    def __init__(
        self,
        job: Job,
        strategy: Strategy,
        world: World,
        history: History,
        writer: Background,
        checkpoints: Checkpoints,
    ) -> None:
        self.job, self.strategy, self.world, self.history, self.writer = job, strategy, world, history, writer
        self.checkpoints = checkpoints
        self.seed = job.section.seed or 0
        self.device = world.device()

    def step(self, step: int) -> dict[str, Any]:
        """One update; returns the log record."""
        begin = time.perf_counter()
        section = self.job.section
        numbers = self._numbers(step - 1)
        rows = self.world.together(lambda: self._read(numbers))
        loss, targets = self._gradients(rows, step)
        norm = self.strategy.clip()
        self._check(step, loss, norm, numbers)
        rate = learning_rate(section, step)
        self.strategy.update(rate)
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

    def save(self, step: int) -> None:
        """Write a checkpoint, in the background where the weights could be copied."""
        self.world.together(self.writer.wait)
        if snapshot := self.strategy.snapshot():
            self.writer.start(partial(self.checkpoints.write, step, snapshot, asdict(self.history)))
        if not self.strategy.copies:
            self.world.together(self.writer.wait)

    def _numbers(self, step: int) -> list[int]:
        batch = self.job.section.global_batch
        if self.job.mixture is not None:
            return self.job.mixture.rows(step, batch)
        return rows_of_step(self.seed, step, len(self.job.rows), batch)

    def _read(self, numbers: Sequence[int]) -> list[Row]:
        self.writer.check()
        return [self.job.rows.row(number) for number in numbers]

    def _gradients(self, rows: Sequence[Row], step: int) -> tuple[float, int]:
        """Gradients of the rows' mean loss, as the objective counts them; the mean, and how many targets there are."""
        self.job.objective.train()
        groups = _learnt(micro_batches(rows, self.job.token_budget))
        targets = sum(row.learnt for group in groups for row in group)
        amount = sum(self.job.objective.amount(row) for group in groups for row in group)
        total = torch.zeros((), device=self.device)
        for number, batch in self._dealt(groups):
            torch.manual_seed(mix(self.seed, step, number))
            last = number // self.world.size == (len(groups) - 1) // self.world.size
            total += self.strategy.differentiate(batch, amount, last=last)
        self.job.objective.finish_step()
        return float(self.world.total(total)), targets

    def _dealt(self, groups: Sequence[Sequence[Row]]) -> Iterator[tuple[int, Batch]]:
        """This process's micro-batches with their numbers; every process gets as many as the others."""
        for start in range(0, len(groups), self.world.size):
            number = start + self.world.rank
            objective = self.job.objective
            rows = groups[number] if number < len(groups) else [objective.idle]
            yield number, objective.collate(rows).to(self.device)

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
        path = self.job.folder / "logs" / "stopped.json"
        if self.world.leads:
            rows = [{"row": number, "documents": self.job.rows.names(number)} for number in numbers]
            write_json(path, {"step": step, "loss": str(loss), "gradient_norm": str(norm), "rows": rows})
        what = f"the loss jumped to {loss:.3f} from about {mean:.3f}" if spiked else f"the loss is {loss}"
        if not spiked and math.isfinite(loss):
            what = f"the gradient's norm is {norm}"
        raise TrainingStoppedError(
            f"{self.job.name} stopped at step {step:,}: {what}",
            where=f"the documents of that step: {path}",
            hint="look at these documents, or lower learning_rate; the last checkpoint is kept",
        )

    def validate(self, step: int, log: StepLog | None) -> None:
        """Add validation loss and samples of this step to the history; samples not at the beginning and the end."""
        self.job.objective.eval()
        if self.job.validation:
            row = self._validation_loss(step, self.job.validation)
            self.history.validation.append(row)
            if log:
                log.curves({key: value for key, value in row.items() if isinstance(value, float | int)}, "validation")
            if self.job.patience:
                self._judge(step)
        if self.job.samples and 0 < step < self.job.section.steps:
            with self.strategy.whole():
                rows = self.job.samples()
            self.history.samples.extend({"step": step, **row} for row in rows)

    def _validation_loss(self, step: int, validation: Validation) -> dict[str, object]:
        """Mean loss a token (nats), bits per byte of text; of every task the mean over its rows, and the mean of these.

        `rows_loss` counts every task alike and in a task every row alike, however long its answer is.
        """
        objective, by_task = self.job.objective, validation.by_task()
        sums = torch.zeros(len(by_task), 2, dtype=torch.float64, device=self.device)
        for number, rows in enumerate(by_task.values()):
            for _, batch in self._dealt(_learnt(micro_batches(rows, self.job.token_budget))):
                with torch.no_grad():
                    losses = objective(batch, by_row=True).double()
                learnt = batch.learnt.to(self.device)
                sums[number] += torch.stack([losses.sum(), (losses / learnt.clamp(min=1)).sum()])
        self.strategy.rest()
        found = self.world.total(sums).tolist()
        targets = sum(row.learnt for row in validation.rows)
        loss = math.fsum(total for total, _ in found)
        bits = loss / math.log(2) / max(validation.text_bytes, 1)
        result: dict[str, Any] = {"step": step, "loss": loss / max(targets, 1), "bits_per_byte": bits}
        if validation.tasks:
            means = {task: means / len(by_task[task]) for task, (_, means) in zip(by_task, found, strict=True)}
            result |= {"rows_loss": math.fsum(means.values()) / len(means), "tasks": means}
        return result

    def _judge(self, step: int) -> None:
        """Keep the weights of the best validation; end when the last ones were no better."""
        history = self.history
        losses = [row.get("rows_loss", row["loss"]) for row in history.validation]
        best = min(range(len(losses)), key=lambda number: losses[number])
        history.best_step = int(history.validation[best]["step"])
        history.stopped = len(losses) - 1 - best >= self.job.patience
        if history.best_step == step:
            weights = self.strategy.whole_weights()
            if self.world.leads:
                self.writer.wait()
                self.checkpoints.write_best(step, weights)


def _learnt(groups: Sequence[list[Row]]) -> list[list[Row]]:
    """The micro-batches that have anything to learn."""
    return [group for group in groups if any(row.learnt for row in group)]


class _Stop:
    """The signal that came, 0 for none."""

    received: int = 0


def _leave(received: int) -> BaseException:
    """How to end after a signal."""
    return KeyboardInterrupt() if received == signal.SIGINT else SystemExit(128 + received)


@contextmanager
def _stop_signals(*, alone: bool) -> Iterator[_Stop]:
    """Let SIGTERM, SIGUSR1 (a job's time limit is near) and Ctrl-C wait for the end of the step; main thread only.

    A second Ctrl-C stops at once, but not under a launcher, which passes on the first one that all have received.
    """
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def remember(number: int, _: object) -> None:
        if stop.received and number == signal.SIGINT and alone:
            raise KeyboardInterrupt
        stop.received = number

    handled = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before = {number: signal.signal(number, remember) for number in handled}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
