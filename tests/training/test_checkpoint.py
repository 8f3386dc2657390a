"""Checkpoints: kill at any moment, damage, other settings, signals; the final weights stay the same bits."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from igakulm.errors import InputError
from igakulm.files import sha256_file
from igakulm.machine import Arithmetic, arithmetic
from igakulm.progress import Progress
from igakulm.training import loop
from igakulm.training.checkpoint import Checkpoints, damage
from igakulm.training.loop import train
from small_training import CountingRows, kill_after, run, small_job, start


class Said(Progress):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(weight, other[name]) for name, weight in one.items())


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / "step-0000012" / "model.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of a run that nothing disturbed."""
    return run(tmp_path_factory.mktemp("whole"))[0]


def test_an_undisturbed_run_keeps_the_last_two(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    run(tmp_path)
    assert names(tmp_path) == ["step-0000009", "step-0000012"]
    assert same(final_weights(tmp_path), whole)
    assert damage(tmp_path / "checkpoints" / "step-0000012") is None


def test_resuming_gives_the_same_bits_and_the_same_report(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    kill_after(tmp_path, 7)
    assert names(tmp_path) == ["step-0000003", "step-0000006"]
    weights, history = run(tmp_path)
    assert same(weights, whole)
    _, undisturbed = run(tmp_path / "other")
    assert history == undisturbed
    steps = [json.loads(line)["step"] for line in (tmp_path / "logs" / "steps.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 13))


def test_a_finished_run_does_nothing_again(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    run(tmp_path)
    before = (tmp_path / "checkpoints" / "step-0000012" / "model.safetensors").stat().st_mtime_ns
    assert same(run(tmp_path)[0], whole)
    assert (tmp_path / "checkpoints" / "step-0000012" / "model.safetensors").stat().st_mtime_ns == before


def test_killed_at_random_moments_until_it_is_done(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    rng = random.Random(4)
    log = tmp_path / "logs" / "steps.jsonl"
    for _ in range(5):
        before = names(tmp_path) if log.exists() else []
        process = start(tmp_path, checkpoint_every=1)
        while process.is_alive() and (not log.exists() or names(tmp_path) == before):
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
    assert same(run(tmp_path, checkpoint_every=1)[0], whole)
    assert same(final_weights(tmp_path), whole)


@pytest.mark.parametrize("harm", ["truncate", "flip", "missing", "hashes"])
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, whole: dict[str, torch.Tensor], harm: str
) -> None:
    kill_after(tmp_path, 8)
    newest = tmp_path / "checkpoints" / "step-0000006"
    path = newest / ("optimizer.safetensors" if harm != "hashes" else "hashes.json")
    content = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "flip":
        content[-5] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2])
    assert damage(newest)
    said = Said()
    job = small_job(tmp_path)
    train(job, said)
    assert any("step-0000006 is damaged" in line for line in said.lines)
    assert any("goes on after step 3" in line for line in said.lines)
    assert same(dict(job.objective.model.named_parameters()), whole)


def test_half_written_checkpoints_are_swept_away(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    leftover = tmp_path / "checkpoints" / ".step-0000009.tmp"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    assert same(run(tmp_path)[0], whole)
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"global_batch": 4}, "another global batch: 6 then, 4 now"),
        ({"learning_rate": 1e-2}, "another learning rate"),
        ({"steps": 20}, "another steps: 12 then, 20 now"),
        ({"seed": 2}, "another seed"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    run(tmp_path)
    with pytest.raises(InputError, match=said):
        run(tmp_path, **keys)


def test_other_data_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    rows = CountingRows()
    rows.fingerprint = "other"
    with pytest.raises(InputError, match="another data: counting then, other now"):
        train(small_job(tmp_path, rows), Said())


def test_bookkeeping_keys_may_change(tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    kill_after(tmp_path, 5)
    assert same(run(tmp_path, checkpoint_every=2, keep_last=3, validate_every=100)[0], whole)
    assert names(tmp_path) == ["step-0000008", "step-0000010", "step-0000012"]


def test_sigterm_saves_and_exits(tmp_path: Path) -> None:
    process = start(tmp_path, checkpoint_every=1000, steps=400)
    log = tmp_path / "logs" / "steps.jsonl"
    while process.is_alive() and not (log.exists() and log.stat().st_size):
        time.sleep(0.002)
    assert process.pid
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 128 + signal.SIGTERM
    (saved,) = names(tmp_path)
    step = int(saved.removeprefix("step-"))
    assert 0 < step < 400
    said = Said()
    job = small_job(tmp_path, checkpoint_every=1000, steps=400)
    checkpoints = Checkpoints(tmp_path / "checkpoints", job.identity, keep=2, every=1000, last=400)
    assert checkpoints.newest(said.say) == step == json.loads(log.read_text().splitlines()[-1])["step"]


def test_stopped_by_a_signal_late_it_leaves_the_same_files(
    tmp_path: Path, whole: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = loop._Trainer.step

    def step(self: loop._Trainer, step: int) -> dict[str, object]:
        if step == 11:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Trainer, "step", step)
        with pytest.raises(SystemExit) as left:
            run(tmp_path)
    assert left.value.code == 128 + signal.SIGTERM
    assert names(tmp_path) == ["step-0000006", "step-0000009", "step-0000011"]
    assert same(run(tmp_path)[0], whole)
    assert names(tmp_path) == ["step-0000009", "step-0000012"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_full_disk_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from igakulm.training import checkpoint

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28), str(tmp_path))

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(InputError, match="disk is full"):
        run(tmp_path)
    assert names(tmp_path) == []


def test_an_error_of_the_background_stops_a_long_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from igakulm.training import checkpoint

    original, calls = checkpoint.save_file, []  # type: ignore[attr-defined]

    def full_later(*arguments: Any, **keys: Any) -> None:
        calls.append(1)
        if len(calls) > 2:
            raise OSError(28, os.strerror(28), str(tmp_path))
        original(*arguments, **keys)

    monkeypatch.setattr(checkpoint, "save_file", full_later)
    with pytest.raises(InputError, match="disk is full"):
        run(tmp_path, steps=1000)
    assert names(tmp_path) == ["step-0000003"]
    assert damage(tmp_path / "checkpoints" / "step-0000003") is None


def test_some_checkpoints_are_kept_for_ever(tmp_path: Path) -> None:
    run(tmp_path, checkpoint_every=2, keep_last=1, keep_every=4)
    assert names(tmp_path) == ["step-0000004", "step-0000008", "step-0000012"]


def test_a_stop_between_two_schedules_is_not_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = loop._Trainer.step

    def step(self: loop._Trainer, step: int) -> dict[str, object]:
        if step == 4:
            os.kill(os.getpid(), signal.SIGUSR1)
        return original(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Trainer, "step", step)
        with pytest.raises(SystemExit) as left:
            run(tmp_path, keep_every=4)
    assert left.value.code == 128 + signal.SIGUSR1
    assert names(tmp_path) == ["step-0000003", "step-0000004"]
    run(tmp_path, keep_every=4)
    assert names(tmp_path) == ["step-0000009", "step-0000012"]


def test_the_snapshot_is_of_its_own_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing is held back until training has gone on: the file must still hold the weights of step 3."""
    run(tmp_path / "whole", steps=12, keep_last=4)
    original = Checkpoints.write

    def late(self: Checkpoints, *arguments: Any) -> None:
        time.sleep(0.2)
        original(self, *arguments)

    monkeypatch.setattr(Checkpoints, "write", late)
    run(tmp_path / "late", steps=12, keep_last=4)
    for name in names(tmp_path / "whole"):
        for file in ("model.safetensors", "optimizer.safetensors"):
            one, other = (tmp_path / folder / "checkpoints" / name / file for folder in ("whole", "late"))
            assert one.read_bytes() == other.read_bytes()


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch with two threads; the other tests use one."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def parts(folder: Path, step: int) -> list[tuple[int, int]]:
    state = json.loads((folder / "checkpoints" / f"step-{step:07d}" / "state.json").read_text())
    return [(part["after_step"], part["threads"]) for part in state["arithmetic"]]


def test_another_number_of_threads_goes_on_only_when_told(tmp_path: Path, two_threads: None) -> None:
    kill_after(tmp_path, 7)  # a process of its own, with one thread
    assert parts(tmp_path, 6) == [(0, 1)]
    with pytest.raises(InputError, match="threads: 1 then, 2 now") as refused:
        run(tmp_path)
    assert "mixed_arithmetic: true" in str(refused.value) and names(tmp_path) == ["step-0000003", "step-0000006"]
    said = Said()
    train(small_job(tmp_path, mixed_arithmetic=True), said)
    assert any("threads: 1 then, 2 now" in line for line in said.lines)
    assert parts(tmp_path, 12) == [(0, 1), (6, 2)]


def test_the_same_number_of_threads_goes_on_to_the_same_bits(tmp_path: Path, two_threads: None) -> None:
    short: dict[str, Any] = {"steps": 4, "checkpoint_every": 2}
    wanted, _ = run(tmp_path / "whole", **short)
    run(tmp_path / "cut", **short)
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "step-0000004")
    weights, _ = run(tmp_path / "cut", **short)
    assert same(weights, wanted) and parts(tmp_path / "cut", 4) == [(0, 2)]


def test_another_instruction_set_and_a_checkpoint_that_says_nothing(
    tmp_path: Path,
) -> None:
    run(tmp_path)
    state = tmp_path / "checkpoints" / "step-0000012" / "state.json"
    whole = json.loads(state.read_text())
    checkpoints = small_checkpoints(tmp_path)
    assert checkpoints.newest(print) == 12
    other = replace(arithmetic_here(), instructions="AMD AVX2 avx2")
    with pytest.raises(InputError, match=r"instructions: .* then, AMD AVX2 avx2 now"):
        small_checkpoints(tmp_path, other).newest(print)
    del whole["arithmetic"]  # as older versions wrote it
    state.write_text(json.dumps(whole))
    hashes = state.with_name("hashes.json")
    hashes.write_text(json.dumps({**json.loads(hashes.read_text()), "state.json": sha256_file(state)}))
    said: list[str] = []
    assert small_checkpoints(tmp_path, other).newest(said.append) == 12
    assert "does not say" in said[0]


def arithmetic_here() -> Arithmetic:
    found = arithmetic(torch.device("cpu"))
    assert found is not None and found.threads == torch.get_num_threads() and found.instructions
    return found


def small_checkpoints(folder: Path, computed: Arithmetic | None = None) -> Checkpoints:
    identity = small_job(folder).identity
    computed = computed or arithmetic_here()
    return Checkpoints(folder / "checkpoints", identity, keep=2, every=3, last=12, arithmetic=computed)
