"""The export stage: what a bundle holds and where it may be written."""

import json
from pathlib import Path

import pytest

from igakulm.bundle.export import export, export_folder
from igakulm.bundle.verify import verify_bundle
from igakulm.errors import InputError
from igakulm.files import write_json
from igakulm.inference.llamacpp import available
from igakulm.progress import SilentProgress
from igakulm.recipe.schema import ExportSection
from tiny_bundle import SOURCES, write_bundle, write_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "b", ("f32", "q8_0"))


def test_what_a_bundle_holds(bundle: Path) -> None:
    value = json.loads((bundle / "bundle.json").read_text())
    assert set(value["gguf"]) == {"tiny-f32.gguf", "tiny-q8_0.gguf"}
    assert value["gguf"]["tiny-f32.gguf"]["largest_error"] == 0
    assert 0 < value["gguf"]["tiny-q8_0.gguf"]["largest_error"] < 0.006
    if available():
        assert value["gguf"]["tiny-f32.gguf"]["llamacpp"]["kl_max"] == 0
        assert value["gguf"]["tiny-f32.gguf"]["llamacpp"]["same_first_choice"] == 1
    on_disk = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert on_disk == {*value["files"], "bundle.json"}
    assert verify_bundle(bundle) == {
        "name": "tiny",
        "digest": value["digest"],
        "files": len(on_disk) - 1,
        "bytes": sum((bundle / name).stat().st_size for name in value["files"]),
    }


def test_records_of_other_stages_reach_card_and_description(tmp_path: Path) -> None:
    write_json(tmp_path / "corpus" / "sources.json", SOURCES)
    row = {"model": "tuned", "task": "posts", "split": "published", "metric": "kappa", "value": 0.5, "n": 9}
    write_json(tmp_path / "scores" / "scoreboard.json", {"rows": [row], "published": []})
    model, out = write_model(tmp_path / "model"), tmp_path / "out"
    config = ExportSection(gguf=(), name="tiny")
    summary = export(config, model, tmp_path / "corpus", tmp_path / "scores", out, SilentProgress())
    assert json.loads((out / "bundle.json").read_text())["licences"] == {"ward": ["CC0-1.0"]}
    card = (out / "MODEL_CARD.md").read_text()
    assert "| ward | medical | CC0-1.0 |" in card and "kappa 0.500" in card
    assert summary["gguf"] == {} and not (out / "gguf").exists()
    assert summary["files"] == verify_bundle(out)["files"]


def test_the_same_model_gives_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    again = write_bundle(tmp_path / "b", ("f32", "q8_0"))
    assert (again / "bundle.json").read_bytes() == (bundle / "bundle.json").read_bytes()


def test_names_stay_inside_the_folder(tmp_path: Path) -> None:
    for name in ("../x", "a/b", "", "..", "a\\b", "a\nb", 'a"b'):
        with pytest.raises(InputError, match="file names"):
            export(ExportSection(name=name), tmp_path, None, None, tmp_path / "out", SilentProgress())


def test_from_a_stage_s_folder_into_a_new_one(tmp_path: Path) -> None:
    model = write_model(tmp_path / "stage" / "model")
    (tmp_path / "empty").mkdir()
    config = ExportSection(gguf=(), name="ward")
    for source, out in ((tmp_path / "stage", tmp_path / "empty"), (model, tmp_path / "deep" / "new")):
        summary = export_folder(config, source, None, None, out, SilentProgress())
        assert verify_bundle(out)["digest"] == summary["digest"]
    assert (tmp_path / "empty" / "bundle.json").read_bytes() == (tmp_path / "deep/new/bundle.json").read_bytes()


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    config = ExportSection(gguf=(), name="ward")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something already"):
        export_folder(config, model, None, None, tmp_path / "full", SilentProgress())
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    (model / "chat_template.jinja").unlink()
    with pytest.raises(InputError):
        export_folder(config, model, None, None, tmp_path / "out", SilentProgress())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "model"]


def test_a_bundle_never_lies_in_the_folder_of_its_model(tmp_path: Path) -> None:
    model = write_model(tmp_path / "stage" / "model")
    before = sorted(tmp_path.rglob("*"))
    for source, out in ((model, model / "b"), (tmp_path / "stage", tmp_path / "stage" / "deep" / "b")):
        with pytest.raises(InputError, match="inside the folder of the model"):
            export_folder(ExportSection(gguf=(), name="b"), source, None, None, out, SilentProgress())
    assert sorted(tmp_path.rglob("*")) == before


def test_test_items_stay_out_of_the_bundle(tmp_path: Path) -> None:
    write_json(tmp_path / "scores" / "scoreboard.json", {"rows": [], "published": []})
    write_json(tmp_path / "scores" / "items" / "tuned" / "posts.jsonl", {"prompt": "患者の文章"})
    out = tmp_path / "out"
    export_folder(
        ExportSection(gguf=(), name="a"), write_model(tmp_path / "m"), None, tmp_path / "scores", out, SilentProgress()
    )
    assert sorted(path.name for path in (out / "evaluation").iterdir()) == ["report.html", "scoreboard.json"]
    assert "患者の文章" not in (out / "evaluation" / "report.html").read_text()
