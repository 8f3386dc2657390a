"""The export stage and `verify`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm.bundle.build import export, verify_bundle
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


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "has changed": lambda folder: change(folder / "huggingface" / "model.safetensors"),
    "bytes instead of": lambda folder: cut(folder / "gguf" / "tiny-q8_0.gguf"),
    "is missing": lambda folder: (folder / "huggingface" / "tokenizer.json").unlink(),
    "no part of the bundle": lambda folder: (folder / "huggingface" / "model.py").touch(),
    "there is no bundle.json": lambda folder: (folder / "bundle.json").unlink(),
    "not of format": lambda folder: (folder / "bundle.json").write_text('{"format": 1, "files": {"a": 3}}'),
    "not valid JSON": lambda folder: (folder / "bundle.json").write_text('{"format": 1,'),
}


@pytest.mark.parametrize("reason", list(DAMAGES))
def test_damaged_bundles(bundle: Path, tmp_path: Path, reason: str) -> None:
    shutil.copytree(bundle, tmp_path / "b")
    DAMAGES[reason](tmp_path / "b")
    with pytest.raises(InputError, match=reason):
        verify_bundle(tmp_path / "b")


def test_the_stage_s_manifest_protects_the_description(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "b")
    write_json(tmp_path / "b" / "manifest.json", {"files": {"bundle.json": {"sha256": "0" * 64}}})
    with pytest.raises(InputError, match=r"bundle\.json has changed"):
        verify_bundle(tmp_path / "b")


def test_names_stay_inside_the_folder(tmp_path: Path) -> None:
    for name in ("../x", "a/b", "", ".."):
        with pytest.raises(InputError, match="file names"):
            export(ExportSection(name=name), tmp_path, None, None, tmp_path / "out", SilentProgress())
