"""The step log: what a resumed run keeps, what TensorBoard gets."""

import json
import sys
from pathlib import Path

import pytest

from igakulm.errors import InputError
from igakulm.training.log import Rate, StepLog, utilisation


def rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_resumed_run_forgets_what_it_repeats(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "steps.jsonl"
    with StepLog(path, 0) as log:
        for step in range(1, 6):
            log.write({"step": step, "loss": 9.0})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 6, "lo')  # cut by a kill
    with StepLog(path, 3) as log:
        log.write({"step": 4, "loss": 1.0})
    assert [(row["step"], row["loss"]) for row in rows(path)] == [(1, 9.0), (2, 9.0), (3, 9.0), (4, 1.0)]


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    with StepLog(path, 0) as log:
        log.write({"step": 1, "loss": 2.0})
        assert rows(path) == [{"step": 1, "loss": 2.0}]


def test_tensorboard_gets_every_number_and_no_repeated_step(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events, path = tmp_path / "tensorboard", tmp_path / "steps.jsonl"
    with StepLog(path, 0, events) as log:
        for step in (1, 2, 3):
            log.write({"step": step, "loss": 9.0, "name": "text", "flag": True})
    with StepLog(path, 1, events) as log:
        log.write({"step": 2, "loss": 4.0})
        log.curves({"step": 2, "loss": 5.0}, "validation")
    found = EventAccumulator(str(events))
    found.Reload()
    assert set(found.Tags()["scalars"]) == {"train/loss", "validation/loss"}
    assert [(event.step, event.value) for event in found.Scalars("train/loss")] == [(1, 9.0), (2, 4.0)]
    assert len(rows(path)) == 2


def test_tensorboard_is_not_needed_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with StepLog(tmp_path / "a.jsonl", 0) as log:
        log.write({"step": 1, "loss": 1.0})
    with pytest.raises(InputError, match="TensorBoard is not installed") as caught:
        StepLog(tmp_path / "b.jsonl", 0, tmp_path / "events")
    assert caught.value.hint and "igakulm[tensorboard]" in caught.value.hint
    assert not (tmp_path / "b.jsonl").exists()


def test_utilisation_is_unknown_without_a_peak() -> None:
    assert utilisation(1000.0, 1e9, 4e12) == 0.25
    assert utilisation(1000.0, 1e9, None) is None


def test_the_rate_counts_the_last_steps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("igakulm.training.log.time.monotonic", lambda: float(next(clock)))
    rate = Rate(steps=2)
    assert [rate.add(tokens) for tokens in (10, 30, 50, 50)] == [10, 20, 40, 50]
