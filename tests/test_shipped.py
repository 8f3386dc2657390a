"""What a wheel holds, from both builders, and the folder that `igakulm init` makes out of it."""

import zipfile
from pathlib import Path

import pytest

from igakulm import shipped
from igakulm.bundle.own_wheel import write_own_wheel
from igakulm.errors import InputError
from igakulm.pipeline.doctor import examine
from igakulm.pipeline.new_project import init_project
from igakulm.recipe import load_recipe
from igakulm.recipe.loading import data_files, data_paths
from igakulm.shipped import shipped_files
from small_evaluation import igakulm

NEEDED = {
    "igakulm/report/words.toml",
    "igakulm/report/report.css",
    "igakulm/py.typed",
    "igakulm/shipped_files/recipes/quickstart.yaml",
    "igakulm/shipped_files/samples/corpus/web.jsonl",
    "igakulm/shipped_files/samples/own-task/notes.xlsx",
}


def built_files(project: Path) -> set[str]:
    """The files of the wheel that the build tool would write."""
    wheel = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(project))
    forced = wheel.recurse_forced_files(wheel.get_forced_inclusion_map(wheel.get_default_build_data()))
    files = [*wheel.recurse_selected_project_files(), *forced]
    return {Path(file.distribution_path).as_posix() for file in files}


def test_a_built_wheel_has_every_file_of_the_package(project: Path) -> None:
    built = built_files(project)
    assert built >= NEEDED
    assert any(name.startswith("igakulm/report/templates/") for name in built)
    assert any(name.startswith("igakulm/serving/page/") and name.endswith(".js") for name in built)
    assert {f"igakulm/shipped_files/{name}" for name in shipped_files()} <= built


def test_the_offline_wheel_has_the_same_files(project: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(write_own_wheel(tmp_path)) as archive:
        own = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert (
            archive.read("igakulm/shipped_files/recipes/quickstart.yaml")
            == (project / "recipes" / "quickstart.yaml").read_bytes()
        )
    assert own == built_files(project)


def test_the_repository_is_not_copied(project: Path) -> None:
    assert shipped_files()["recipes/quickstart.yaml"] == project / "recipes" / "quickstart.yaml"
    assert not any("__pycache__" in name for name in shipped_files())


def test_init_writes_a_folder_to_work_in(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a b" / "私の仕事"
    done = igakulm("init", str(folder))
    assert done.code == 0 and f"{len(shipped_files()) + 1} files written" in done.out
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        *shipped_files(),
        "README.md",
    }
    paths = list(data_paths(load_recipe(folder / "recipes" / "quickstart.yaml")))
    assert paths and all(data_files(path) for path in paths)
    assert all(Path(path).is_relative_to(folder) for path in paths)


def test_init_finishes_what_was_killed_and_touches_nothing_else(tmp_path: Path) -> None:
    first = init_project(tmp_path)
    assert init_project(tmp_path) == []
    (tmp_path / "samples" / "README.md").unlink()
    (tmp_path / "mine.txt").write_text("mine")
    assert init_project(tmp_path) == ["samples/README.md"] and len(first) == len(shipped_files()) + 1
    (tmp_path / "recipes" / "quickstart.yaml").write_text("name: mine\n")
    (tmp_path / "samples" / "README.md").unlink()
    with pytest.raises(InputError, match="another one") as caught:
        init_project(tmp_path)
    assert "quickstart.yaml" in str(caught.value) and not (tmp_path / "samples" / "README.md").exists()
    assert (tmp_path / "recipes" / "quickstart.yaml").read_text() == "name: mine\n"


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = igakulm("init", str(tmp_path / "file"))
    assert done.code == 2 and "Not a directory" in done.err


def test_doctor_says_that_a_recipe_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {finding.subject: finding for finding in examine(tmp_path / "recipes" / "quickstart.yaml")}
    assert found["recipe"].state == "bad" and "igakulm init" in found["recipe"].advice
    assert found["recipes and samples"].state == "ok"
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "src" / "igakulm")
    found = {finding.subject: finding for finding in examine(tmp_path / "recipes" / "quickstart.yaml")}
    assert found["recipes and samples"].state == "bad"
    with pytest.raises(InputError, match="did not come"):
        init_project(tmp_path / "new")
    assert not (tmp_path / "new").exists()
