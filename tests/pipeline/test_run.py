"""The runner on a small graph of its own: fingerprints, locks, interruption, refusals of the system."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import igakulm.pipeline.run as run_module
from igakulm import hashes
from igakulm.errors import InputError
from igakulm.files import locked, sha256_file
from igakulm.manifest import read_manifest
from igakulm.pipeline.run import Runner
from igakulm.pipeline.stages import STAGES, Inputs, Stage, stages_for
from igakulm.progress import Progress, SilentProgress
from igakulm.recipe import Recipe, load_recipe

RECIPE = """\
name: t
runs_folder: {folder}/runs
corpus: {{sources: [{{name: a, path: a.txt, format: text, licence: CC0-1.0}}]}}
"""


def _letters(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
    (out / "letters.txt").write_text(Path(recipe.corpus.sources[0].path).read_text().lower())
    (out / "logs").mkdir()
    (out / "logs" / "time.txt").write_text(os.urandom(8).hex())
    return {"letters": 1}


def _count(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
    text = (inputs["letters"] / "letters.txt").read_text()
    (out / "count.txt").write_text(str(len(text) * recipe.pack.sequence_length))
    return {}


LETTERS = Stage("letters", 1, ("corpus",), (), _letters, "lower case")
COUNT = Stage("count", 1, ("pack",), ("letters",), _count, "how many")


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def use(*stages: Stage) -> None:
        monkeypatch.setattr(run_module, "stages_of", lambda recipe: stages)
        monkeypatch.setattr(run_module, "stages_for", lambda target, recipe: stages)

    use(LETTERS, COUNT)
    yield use


@pytest.fixture
def recipe_path(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("ABC")
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.format(folder=tmp_path))
    return path


def runner(path: Path, *overrides: str) -> Runner:
    return Runner(load_recipe(path, overrides), SilentProgress())


def states(path: Path, *overrides: str) -> dict[str, tuple[str, str]]:
    return {row.stage: (row.state, row.why) for row in runner(path, *overrides).status()}


@pytest.mark.usefixtures("graph")
def test_a_second_run_does_nothing_and_a_changed_key_reruns_what_depends_on_it(recipe_path: Path) -> None:
    assert states(recipe_path)["letters"] == ("missing", "never run")
    first = runner(recipe_path).run("count")
    finished = {name: (folder / "manifest.json").stat().st_mtime_ns for name, folder in first.items()}
    assert runner(recipe_path).run("count") == first
    assert {name: (folder / "manifest.json").stat().st_mtime_ns for name, folder in first.items()} == finished

    change = "pack.sequence_length=9"
    assert states(recipe_path, change) == {
        "letters": ("done", ""),
        "count": ("stale", "pack.sequence_length: 2048 -> 9"),
    }
    second = runner(recipe_path, change).run("count")
    assert second["letters"] == first["letters"]
    assert second["count"] != first["count"]
    assert (second["count"].parent / "latest" / "count").resolve() == second["count"].resolve()


@pytest.mark.usefixtures("graph")
def test_keys_that_change_no_result_leave_everything_done(recipe_path: Path) -> None:
    runner(recipe_path).run("count")
    changes = ("corpus.workers=7", "pack.workers=3", "pretrain.steps=9")
    assert {state for state, _ in states(recipe_path, *changes).values()} == {"done"}


@pytest.mark.usefixtures("graph")
def test_the_content_of_inputs_counts_not_their_dates(recipe_path: Path) -> None:
    runner(recipe_path).run("count")
    source = recipe_path.parent / "a.txt"
    os.utime(source, (1, 1))
    assert {state for state, _ in states(recipe_path).values()} == {"done"}
    source.write_text("ABCD")
    state, why = states(recipe_path)["letters"]
    assert (state, why) == ("stale", "corpus.sources.0.path.a.txt: the file's content changed")


@pytest.mark.usefixtures("graph")
def test_the_same_result_from_changed_input_stops_the_rerun(recipe_path: Path) -> None:
    first = runner(recipe_path).run("count")
    (recipe_path.parent / "a.txt").write_text("abc")  # the stage lowers it to the same content
    assert runner(recipe_path).run("count")["count"] == first["count"]


def test_a_new_stage_version_is_a_new_result(recipe_path: Path, graph: Callable[..., None]) -> None:
    runner(recipe_path).run("count")
    graph(LETTERS, dataclasses.replace(COUNT, version=2))
    assert states(recipe_path)["count"] == ("stale", "version: 1 -> 2")


@pytest.mark.usefixtures("graph")
def test_a_truncated_file_of_a_finished_stage_is_not_built_upon(recipe_path: Path) -> None:
    folder = runner(recipe_path).run("count")["letters"]
    (folder / "letters.txt").write_text("a")
    with pytest.raises(InputError, match="has 1 bytes instead of 3"):
        runner(recipe_path).run("count")
    shutil.rmtree(folder)
    runner(recipe_path).run("count")


def edit_unseen(path: Path, data: bytes) -> None:
    """Other content, with size and modification time as they were; the kernel's clock for files has gone on."""
    before = path.stat()
    assert len(data) == before.st_size
    while time.time_ns() < before.st_ctime_ns + 100_000_000:
        time.sleep(0.01)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.usefixtures("graph")
@pytest.mark.parametrize("change", ["pack.sequence_length=9", "pack.sequence_length=2048"])
def test_flipped_bytes_of_a_finished_stage_are_not_built_upon(recipe_path: Path, change: str) -> None:
    """Neither when another stage reads them now, nor when all that read them are finished."""
    folder = runner(recipe_path).run("count")["letters"]
    runner(recipe_path).run("count")  # hashes are known by now
    edit_unseen(folder / "letters.txt", b"abX")
    with pytest.raises(InputError, match="has changed"):
        runner(recipe_path, change).run("count")
    shutil.rmtree(folder)
    runner(recipe_path, change).run("count")


def test_bytes_flipped_while_another_stage_ran_are_noticed(recipe_path: Path, graph: Callable[..., None]) -> None:
    def flips(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
        edit_unseen(inputs["letters"] / "letters.txt", b"abX")
        return {}

    middle = Stage("middle", 1, (), ("letters",), flips, "an accident")
    graph(LETTERS, middle, dataclasses.replace(COUNT, needs=("letters", "middle")))
    with pytest.raises(InputError, match="has changed"):
        runner(recipe_path).run("count")


@pytest.mark.usefixtures("graph")
def test_a_source_edited_at_the_same_size_and_date_is_noticed(recipe_path: Path) -> None:
    runner(recipe_path).run("count")
    runner(recipe_path).run("count")
    edit_unseen(recipe_path.parent / "a.txt", b"ABX")
    assert states(recipe_path)["letters"][1] == "corpus.sources.0.path.a.txt: the file's content changed"


@pytest.mark.usefixtures("graph")
def test_files_that_did_not_change_are_hashed_once(recipe_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runner(recipe_path).run("count")["count"]
    while time.time_ns() < folder.stat().st_ctime_ns + 100_000_000:
        time.sleep(0.01)
    runner(recipe_path).run("count")
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_file(path)

    monkeypatch.setattr(hashes, "sha256_file", counted)
    runner(recipe_path).run("count")
    assert hashed == []
    (folder.parent / ".hashes.json").write_text('{"a": [1, 2, "old"]}')
    runner(recipe_path).run("count")
    assert len(hashed) == 3  # the source and what the two stages made


def test_an_interrupted_stage_starts_afresh_or_continues(recipe_path: Path, graph: Callable[..., None]) -> None:
    def stops(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
        seen = sorted(path.name for path in out.iterdir())
        (out / "half.txt").write_text("half")
        if recipe.pretrain.log_every == 1:  # a key outside the fingerprint
            raise KeyboardInterrupt
        (out / "seen.txt").write_text(" ".join(seen))
        return {}

    for resumable, seen in ((False, ""), (True, "half.txt")):
        name = f"s{resumable}".lower()
        graph(Stage(name, 1, ("pretrain",), (), stops, "stops", resumable))
        with pytest.raises(KeyboardInterrupt):
            runner(recipe_path).run(name)
        assert states(recipe_path)[name][0] == "partial"
        folder = runner(recipe_path, "pretrain.log_every=2").run(name)[name]
        assert (folder / "seen.txt").read_text() == seen


def test_bad_input_leaves_nothing_half_written(recipe_path: Path, graph: Callable[..., None]) -> None:
    def refuses(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
        (out / "x").touch()
        raise InputError("no")

    graph(Stage("refuses", 1, (), (), refuses, "refuses"))
    with pytest.raises(InputError):
        runner(recipe_path).run("refuses")
    assert list((recipe_path.parent / "runs" / "t").glob("refuses*")) == []


@pytest.mark.usefixtures("graph")
def test_two_runs_at_once(recipe_path: Path) -> None:
    folder = recipe_path.parent / "runs" / "t"
    code = (
        "import sys, time; from pathlib import Path; from igakulm.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {holder.pid} on"):
            runner(recipe_path).run("count")
    finally:
        holder.kill()
        holder.wait()
    runner(recipe_path).run("count")  # the lock died with its process


def test_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), locked(tmp_path):
        raise ValueError("x")
    with locked(tmp_path):
        pass


@pytest.mark.usefixtures("graph")
def test_a_place_that_cannot_be_written(recipe_path: Path) -> None:
    (recipe_path.parent / "file").touch()
    with pytest.raises(InputError, match="where"):
        runner(recipe_path, f"runs_folder={recipe_path.parent}/file").run("count")


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting a small disk needs root")
def test_a_full_disk_is_one_line_and_heals(recipe_path: Path, graph: Callable[..., None], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this sandbox may not mount a small disk")

    def large(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
        (out / "large").write_bytes(bytes(600_000 * recipe.pretrain.log_every))
        return {}

    try:
        graph(Stage("large", 1, (), (), large, "fills the disk"))
        where = f"runs_folder={disk}"
        with pytest.raises(InputError, match="disk is full") as caught:
            runner(recipe_path, where, "pretrain.log_every=2").run("large")
        assert "\n" not in caught.value.what
        assert read_manifest(runner(recipe_path, where).run("large")["large"]) is not None
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_every_stage_needs_only_earlier_ones(recipe_path: Path) -> None:
    seen: set[str] = set()
    for stage in STAGES:
        assert set(stage.needs) <= seen
        assert set(stage.sections) <= set(Recipe.model_fields)
        seen.add(stage.name)
    found = stages_for("pack", load_recipe(recipe_path))
    assert [stage.name for stage in found] == ["lexicon", "synth", "corpus", "tokenizer", "pack"]


def test_a_base_that_is_taken_as_it_is_needs_no_text(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text("name: t\nmodel: {from_folder: base}\npretrain: {steps: 0}\n")
    recipe = load_recipe(path)
    assert [stage.name for stage in stages_for("finetune", recipe)] == ["lexicon", "tokenizer", "pretrain", "finetune"]
    with pytest.raises(InputError, match="no stage corpus"):
        stages_for("corpus", recipe)
    assert recipe.tokenizer.from_folder == recipe.model.from_folder == str(tmp_path / "base")


@pytest.mark.usefixtures("graph")
def test_manifest_lists_every_file(recipe_path: Path) -> None:
    folder = runner(recipe_path).run("count")["letters"]
    value = json.loads((folder / "manifest.json").read_text())
    assert set(value["files"]) == {"letters.txt", "logs/time.txt"}
    assert value["ingredients"]["recipe"]["corpus"]["sources"][0]["path"].keys() == {"a.txt"}


def _train_a_little(recipe: Recipe, inputs: Inputs, out: Path, progress: Progress) -> dict[str, Any]:
    """A training that is stopped by its first checkpoint and finished when it goes on."""
    checkpoint = out / "checkpoints" / "step-0000001"
    if not checkpoint.exists():
        checkpoint.mkdir(parents=True)
        (checkpoint / "state.json").write_text(json.dumps({"batch": recipe.pretrain.global_batch}))
        raise KeyboardInterrupt
    return {}


TRAINING = Stage("pretrain", 1, ("pretrain",), ("letters",), _train_a_little, "train", resumable=True, shared=True)


def test_an_unfinished_training_is_not_left_lying_for_another(recipe_path: Path, graph: Callable[..., None]) -> None:
    graph(LETTERS, TRAINING)
    with pytest.raises(KeyboardInterrupt):
        runner(recipe_path).run("pretrain")
    (begun,) = (recipe_path.parent / "runs" / "t").glob("pretrain-*")
    with pytest.raises(InputError, match=r"pretrain\.global_batch: 1024 -> 8") as refused:
        runner(recipe_path, "pretrain.global_batch=8").run("pretrain")
    assert refused.value.where == str(begun)
    state, why = states(recipe_path, "pretrain.global_batch=8")["pretrain"]
    assert state == "partial" and "1024 -> 8" in why
    (recipe_path.parent / "a.txt").write_text("ABCD")
    with pytest.raises(InputError, match="letters has a new result"):
        runner(recipe_path).run("pretrain")
    assert [path.name for path in (recipe_path.parent / "runs" / "t").glob("pretrain-*")] == [begun.name]


def test_an_unfinished_training_goes_on_with_another_micro_batch(recipe_path: Path, graph: Callable[..., None]) -> None:
    graph(LETTERS, TRAINING)
    with pytest.raises(KeyboardInterrupt):
        runner(recipe_path).run("pretrain")
    folder = runner(recipe_path, "pretrain.micro_batch=2", "pretrain.compile=true").run("pretrain")["pretrain"]
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints", "manifest.json"]
    assert not list(folder.parent.glob("*.partial"))


def test_the_keys_that_may_change_are_those_that_checkpoints_leave_out() -> None:
    from igakulm.training.loop import NOT_IDENTITY

    assert {f"{stage}.{key}" for stage in ("pretrain", "finetune") for key in NOT_IDENTITY} == run_module.ADJUSTABLE
