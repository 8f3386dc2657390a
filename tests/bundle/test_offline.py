"""Packing for a machine without a network: what can be tested without a package index."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from igakulm.bundle import offline
from igakulm.bundle.new_folder import new_folder
from igakulm.bundle.offline import needed_glibc, pack_offline
from igakulm.bundle.offline_service import UNIT, dockerfile
from igakulm.bundle.offline_text import readme, start_script
from igakulm.bundle.own_wheel import write_own_wheel
from igakulm.errors import InputError
from igakulm.inference.bundle_folder import description_digest
from igakulm.progress import SilentProgress
from tiny_bundle import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "b", ("q8_0",))


def test_our_own_wheel_is_whole(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    wheel, again = write_own_wheel(tmp_path), write_own_wheel(tmp_path / "again")
    assert wheel.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith("/RECORD"))
        listed = [line.split(",")[0] for line in archive.read(record).decode().splitlines()]
        assert sorted(listed) == sorted(names) and len(set(names)) == len(names)
        assert {"igakulm/cli/app.py", "igakulm/py.typed", "igakulm/bundle/own_wheel.py"} <= set(names)
        assert not any("__pycache__" in name for name in names)
        assert archive.testzip() is None


def test_the_start_script_is_plain_shell(tmp_path: Path) -> None:
    path = tmp_path / "start.sh"
    path.write_text(start_script("3.12"))
    for shell in filter(shutil.which, ("dash", "sh", "bash")):
        subprocess.run([shell, "-n", str(path)], check=True)
    assert "wanted=3.12\n" in path.read_text() and "@" not in path.read_text().replace('"$@"', "")


def run_start(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}
    return subprocess.run(["sh", str(folder / "start.sh")], capture_output=True, text=True, env=words)


def test_the_start_script_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "start.sh").write_text(start_script("3.99"))
    (tmp_path / "SHA256SUMS").write_text("")
    (tmp_path / "file").write_text("a")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  file\n")
    run = run_start(tmp_path)
    assert run.returncode == 2 and "ファイルが変わっています" in run.stderr
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  file\n")
    run = run_start(tmp_path)
    assert run.returncode == 2 and "Python 3.99 が見つかりません" in run.stderr
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 3.99\n")
    python.chmod(0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").touch()
    run = run_start(tmp_path, PYTHON=str(python), IGAKULM_ENV=str(tmp_path / "home"))
    assert run.returncode == 2 and "別のものが入っています" in run.stderr
    assert (tmp_path / "home" / "mine").exists()


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "igakulm.service"
    unit.write_text(UNIT.replace("/opt/igakulm/", f"{tmp_path}/"))
    (tmp_path / "README.md").touch()
    run = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    said = [line for line in run.stderr.splitlines() if "igakulm.service" in line]
    assert run.returncode == 0 and said == []
    unit.write_text(UNIT + "ProtectSistem=strict\n")
    run = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "ProtectSistem" in run.stderr or "Unknown" in run.stderr


def test_the_dockerfile_needs_no_network_but_its_base() -> None:
    """There is no Docker for tests; its step is `start.sh`, which `tests/endtoend/test_air_gap.py` runs."""
    text = dockerfile("3.12").replace("\\\n", "")
    words = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    kinds = [word for word, _ in words]
    assert kinds[:3] == ["ARG", "FROM", "COPY"] and kinds.count("FROM") == 1 and "ADD" not in kinds
    values = dict(words)
    assert values["ARG"] == "BASE=python:3.12-slim" and "start.sh" in values["RUN"]
    assert not {"curl", "wget", "apt-get", "pip"} & set(values["RUN"].split())
    assert json.loads(values["ENTRYPOINT"]) == ["sh", "/opt/igakulm/start.sh"]
    assert values["USER"] == "65532:65532"
    check = json.loads(values["HEALTHCHECK"].partition("CMD ")[2])
    compile(check[2], "HEALTHCHECK", "exec")


def test_readme_says_what_is_needed() -> None:
    text = readme("ward", "3.12", "x86_64", "2.28", 120_000_000)
    for words in ("医療機器ではありません", "Python 3.12", "glibc 2.28", "150 MB", "sh start.sh"):
        assert words in text


def test_the_oldest_library_that_all_wheels_run_on() -> None:
    names = (
        "a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "b-1-cp39-abi3-manylinux_2_34_x86_64.whl",
    )
    assert needed_glibc(map(Path, names)) == "2.34"


def test_without_an_index_one_clear_message(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match=r"pip could not bring the wheels.*typer") as caught:
        pack_offline(bundle, tmp_path / "out", SilentProgress())
    assert "package index" in str(caught.value.hint)
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*partial"))


def test_what_cannot_be_packed(bundle: Path, tmp_path: Path) -> None:
    def refused(reason: str, folder: Path = bundle, **options: object) -> None:
        with pytest.raises(InputError, match=reason):
            pack_offline(folder, tmp_path / "out", SilentProgress(), **options)  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists()

    refused("no part 'torch'", engines=["torch"])
    refused("no extra 'excell'", extras=["excell"])
    for version in ("3.10", "2.7", "3.12; rm", "three"):
        refused("not a version of Python", python=version)
    refused("not a bundle", tmp_path)
    shutil.copytree(bundle, tmp_path / "plain")
    shutil.rmtree(tmp_path / "plain" / "gguf")
    value = json.loads((tmp_path / "plain" / "bundle.json").read_text())
    value["files"] = {name: entry for name, entry in value["files"].items() if not name.startswith("gguf/")}
    value["gguf"] = {}
    value["digest"] = description_digest(value)
    (tmp_path / "plain" / "bundle.json").write_text(json.dumps(value))
    refused("has no GGUF file", tmp_path / "plain")


def test_mecab_comes_only_where_the_tokenizer_needs_it(bundle: Path, tmp_path: Path) -> None:
    assert not set(offline.MECAB) & set(offline._roots(bundle, (), ()))
    shutil.copytree(bundle, tmp_path / "m")
    path = tmp_path / "m" / "huggingface" / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "runtime": "mecab"}))
    roots = offline._roots(tmp_path / "m", ("transformers",), ("excel",))
    assert {"fugashi", "ipadic", "torch", "transformers", "openpyxl"} <= set(roots)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "a") as partial:
        (partial / "file").touch()
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    (tmp_path / ".a.partial" / "sub").mkdir(parents=True)  # what a killed process left
    with new_folder(tmp_path / "a") as partial:
        assert not any(partial.iterdir())
        (partial / "file").touch()
        with pytest.raises(InputError, match="another process"), new_folder(tmp_path / "a"):
            pass
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
    for name in ("a", "a/file"):
        with pytest.raises(InputError), new_folder(tmp_path / name):
            pass
