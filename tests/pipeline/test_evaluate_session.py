"""One evaluation outside of a recipe: names, defaults, the folder, the record of what was asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from character_model import RuleEngine, opened
from chat_server import ChatServer, chat_reply
from igakulm.errors import InputError
from igakulm.evaluation import target
from igakulm.evaluation.baselines import BASELINES
from igakulm.evaluation.recorded import Recorded
from igakulm.evaluation.target import Options, Target, manners_for
from igakulm.files import locked, read_json
from igakulm.inference.model import Model
from igakulm.manifest import read_manifest
from igakulm.pipeline import evaluate_session as session
from igakulm.pipeline.evaluate_session import default_folder, evaluate_model, store_name
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import BenchmarksSection, RowTask
from small_evaluation import results, write_exam, write_rows

SERVER = "http://127.0.0.1:1/v1"
QUICK = Options(baselines=False, samples=100)


@pytest.fixture
def benchmarks(tmp_path: Path) -> BenchmarksSection:
    exam = write_exam(tmp_path / "exam.jsonl", questions=6)
    return BenchmarksSection(rows=(RowTask(name="exam", kind="exam", test=str(exam)),))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> RuleEngine:
    """What every path opens: an engine that prefers B."""
    engine = RuleEngine(text="a")

    def open_any_model(path: Path, name: str, *, precision: str, **options: object) -> Model:
        return replace(opened(engine), precision=precision)

    monkeypatch.setattr(target, "open_any_model", open_any_model)
    return engine


def run(benchmarks: BenchmarksSection, target: Target, out: Path, options: Options = QUICK) -> dict[str, Any]:
    return evaluate_model(benchmarks, target, options, out, SilentProgress())


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (Target(model=Path("models/gemma.Q8_0.gguf")), "gemma.Q8_0"),
        (Target(model=Path("models/tuned/")), "tuned"),
        (Target(model=Path("models/tuned"), name="first try"), "first try"),
        (Target(endpoint=SERVER, name="org/model:latest"), "org/model:latest"),
        (Target(recorded=Recorded("gpt4", {})), "gpt4"),
        (Target(recorded=Recorded("gpt4", {}), name="GPT-4"), "GPT-4"),
        (Target(model=Path("m"), name="日本語　モデル"), "日本語　モデル"),
    ],
)
def test_labels(target: Target, label: str) -> None:
    assert target.label() == label


def test_a_folder_s_label_is_its_own_name_and_not_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "export-1a2b").mkdir()
    (tmp_path / "latest").symlink_to("export-1a2b")
    assert Target(model=tmp_path / "latest").label() == "export-1a2b"
    monkeypatch.chdir(tmp_path / "export-1a2b")
    assert Target(model=Path()).label() == "export-1a2b"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target(), "either a model or an endpoint"),
        (Target(model=Path("m"), endpoint=SERVER, name="x"), "either a model or an endpoint"),
        (Target(endpoint=SERVER), "not named"),
        (Target(endpoint=SERVER, name=""), "not named"),
        (Target(model=Path("m"), name="a\u2028b"), "control characters"),
        (Target(model=Path("m\x1b[0m")), "control characters"),
        (Target(model=Path("m"), name="\ud800"), "control characters"),
        *((Target(model=Path("m"), name=name), "name of a baseline") for name in BASELINES),
        (Target(recorded=Recorded("majority", {})), "name of a baseline"),
    ],
)
def test_labels_that_cannot_be(target: Target, said: str) -> None:
    with pytest.raises(InputError, match=said):
        target.label()


def test_default_folders_of_different_models_differ() -> None:
    names = ["org/model", "org-model", "org model", "..", ".", "", "a" * 100, "a" * 101, "模型", "模形"]
    folders = [default_folder("jmed", name) for name in names]
    assert len(set(folders)) == len(names)
    assert all(folder.parent == Path("evaluations") and len(folder.name) < 120 for folder in folders)


def test_each_address_has_a_store_of_its_own() -> None:
    first, same, other = (
        store_name(Target(endpoint=url, name="m")) for url in (SERVER, f"{SERVER}/", "http://127.0.0.1:2/v1")
    )
    assert first == same != other
    with pytest.raises(InputError, match="plain http"):
        store_name(Target(endpoint="nonsense", name="m"))


def test_how_models_are_asked_when_nothing_is_said(tmp_path: Path) -> None:
    (foreign,) = manners_for(replace(opened(RuleEngine()), ours=False), Options())
    assert (foreign.style, foreign.answer, foreign.max_new_tokens) == ("published", "options", 512)
    (own,) = manners_for(opened(RuleEngine()), Options())
    assert (own.style, own.answer, own.max_new_tokens) == ("chat", "options", 512)
    (server,) = manners_for(Recorded("x", {}), Options())
    assert (server.style, server.answer) == ("published", "generate")
    (chat,) = manners_for(opened(RuleEngine()), Options(prompts="chat", max_new_tokens=7))
    assert (chat.style, chat.max_new_tokens) == ("chat", 7)
    (published,) = manners_for(opened(RuleEngine()), Options(prompts="published"))
    assert published.style == "published"
    several = manners_for(opened(RuleEngine()), Options(answers=("generate", "options", "generate")))
    assert [manner.answer for manner in several] == ["generate", "options"]
    with pytest.raises(InputError, match="--prompts published"):
        manners_for(opened(RuleEngine()), Options(prompts="chat", shots=tmp_path / "x"))


@pytest.mark.usefixtures("model")
def test_the_folder_and_its_record(benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    out = tmp_path / "out"
    board = run(benchmarks, Target(model=tmp_path / "m"), out)
    assert board == read_json(out / "scoreboard.json")
    assert {path.name for path in out.iterdir()} == session.OURS - {
        "left_out.jsonl",
        *session.OF_OWN_TASKS,
    }  # every row was asked
    manifest = read_manifest(out)
    assert manifest is not None and manifest.stage == "evaluation"
    assert set(results(out)) <= set(manifest.files) and "lock" not in manifest.files
    assert manifest.ingredients["options"]["samples"] == 100
    with locked(out):
        pass


def test_no_address_and_no_answers_stand_in_the_record(benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    with ChatServer(lambda request, times: chat_reply("b")) as server:
        run(benchmarks, Target(endpoint=server.url, name="m"), tmp_path / "out")
    said = Recorded("said", {f"q{n}": "秘密" for n in range(6)})
    run(benchmarks, Target(recorded=said), tmp_path / "said")
    assert "127.0.0.1" not in (tmp_path / "out" / "manifest.json").read_text(encoding="utf-8")
    assert "秘密" not in (tmp_path / "said" / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.usefixtures("model")
def test_a_path_that_is_not_utf_8_ends_in_the_record(benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    run(benchmarks, Target(model=tmp_path / "m\udcff", name="m"), tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest is not None and manifest.ingredients["target"]["model"].endswith("m\ufffd")


def test_kept_answers_are_those_of_one_precision(
    benchmarks: BenchmarksSection, tmp_path: Path, model: RuleEngine
) -> None:
    run(benchmarks, Target(model=tmp_path / "m", precision="fp32"), tmp_path / "out")
    assert len(model.prompts) == 6
    run(benchmarks, Target(model=tmp_path / "m", precision="fp32"), tmp_path / "out")
    assert len(model.prompts) == 6, "the same command asks nothing again"
    run(benchmarks, Target(model=tmp_path / "m", precision="bf16"), tmp_path / "out")
    assert len(model.prompts) == 12


@pytest.mark.usefixtures("model")
def test_a_start_that_fails_leaves_what_was_there(benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    out, target = tmp_path / "out", Target(model=tmp_path / "m")
    run(benchmarks, target, out)
    before = results(out)
    broken = BenchmarksSection(rows=(RowTask(name="x", kind="exam", test=str(tmp_path / "absent")),))
    for wrong, options in (
        (broken, QUICK),
        (BenchmarksSection(), QUICK),
        (benchmarks, dataclasses.replace(QUICK, split="fold-9-of-5")),
        (benchmarks, dataclasses.replace(QUICK, wording=tmp_path / "absent")),
    ):
        with pytest.raises(InputError):
            run(wrong, target, out, options)
        assert results(out) == before and (out / "manifest.json").is_file()
        with pytest.raises(InputError):
            run(wrong, target, tmp_path / "new", options)
        assert not (tmp_path / "new").exists()


def test_an_empty_folder_that_was_there_stays(benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="no model"):
        run(benchmarks, Target(model=tmp_path / "absent"), tmp_path / "out")
    assert (tmp_path / "out").is_dir()


@pytest.mark.usefixtures("model")
def test_other_files_beside_results_make_a_folder_somebody_s(benchmarks: BenchmarksSection, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(benchmarks, Target(model=tmp_path / "m"), out)
    write_rows(out / "my-notes.jsonl", [{"a": 1}])
    before = results(out)
    with pytest.raises(InputError, match="something else"):
        run(benchmarks, Target(model=tmp_path / "m"), out)
    assert results(out) == before
