"""A wheel and an sdist in an empty environment: the package's own files are all that a folder elsewhere needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of this tree, by hatchling as pip would call it."""
    out = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "hatchling", "build", "--directory", str(out)]
    subprocess.run(words, cwd=project, check=True, capture_output=True)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


@pytest.mark.slow
def test_the_wheel_of_the_sdist_holds_the_same_files(built: dict[str, Path], tmp_path: Path) -> None:
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "--directory", str(tmp_path / "again")]
    subprocess.run(words, cwd=source, check=True, capture_output=True)
    (again,) = (tmp_path / "again").glob("*.whl")
    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(built["wheel"]).namelist()


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(built: dict[str, Path], tmp_path: Path) -> None:
    """The dependencies are lent by this environment; what is tried is that no file of the repository is needed."""
    environment = tmp_path / "env"
    venv.create(environment, with_pip=False)
    packages = next(environment.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(built["wheel"]) as archive:
        archive.extractall(packages)
    (packages / "zz_lent.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    folder = tmp_path / "ward"
    python = str(environment / "bin" / "python")
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def igakulm(*words: str, cwd: Path) -> str:
        command = [python, "-m", "igakulm", *words]
        done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    where = subprocess.run(
        [python, "-c", "import igakulm; print(igakulm.__file__)"],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(environment)
    assert "files written" in igakulm("init", "ward", cwd=tmp_path)
    assert "bad " not in igakulm("doctor", cwd=folder)
    assert "lexicon" in igakulm("status", cwd=folder)
    igakulm("run", "recipes/quickstart.yaml", "--until", "tokenizer", cwd=folder)
    assert "tokenizer  done" in igakulm("status", cwd=folder)
    igakulm("task", "init", "samples/own-task/notes.xlsx", "--yes", cwd=folder)
    assert (folder / "task.yaml").is_file()


def test_the_image_is_built_of_what_is_here(project: Path) -> None:
    """No container is started: the files and extras that the Dockerfile names exist, and torch is the pinned one."""
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    for copied in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for name in copied.split():
            assert (project / name).exists(), name
    (extras,) = set(re.findall(r"'\.\[(.+?)\]'", text))
    declared = (project / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", declared, re.MULTILINE) for extra in extras.split(","))
    assert "grep '^torch==' constraints.txt" in text
    assert re.search(r"^torch==", (project / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    stages = set(re.findall(r" AS (\S+)$", text, re.MULTILINE))
    (device,) = re.findall(r"^ARG DEVICE=(\S+)$", text, re.MULTILINE)
    assert {"torch-cpu", "torch-cuda", f"torch-{device}"} <= stages
    assert text.count("COPY src src") == 1 and re.search(r"^FROM torch-\$\{DEVICE\}$", text, re.MULTILINE)
