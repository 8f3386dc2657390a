"""`verify`: whatever is changed, missing, added or linked in a bundle is refused."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from igakulm import hashes
from igakulm.bundle import verify
from igakulm.bundle.verify import verify_bundle
from igakulm.errors import InputError
from igakulm.files import sha256_file, write_json
from igakulm.inference.bundle_folder import description_digest, read_bundle
from tiny_bundle import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_bundle(tmp_path_factory.mktemp("bundle") / "b")
    assert read_bundle(folder)["format"] == 2
    return folder


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def link(path: Path) -> None:
    """The same content, reached by a link."""
    elsewhere = path.parent.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def edit(folder: Path, renewed: bool, **changes: object) -> None:
    """Edit bundle.json, with a renewed digest or the old one."""
    value = {**json.loads((folder / "bundle.json").read_text()), **changes}
    if renewed:
        value["digest"] = description_digest(value)
    write_json(folder / "bundle.json", value)


def name_a_file(folder: Path, name: str) -> None:
    value = json.loads((folder / "bundle.json").read_text())
    edit(folder, True, files={**value["files"], name: {"bytes": 0, "sha256": "0" * 64}})


MODEL = "huggingface/model.safetensors"
DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a bit of the weights": ("has changed", lambda folder: change(folder / MODEL)),
    "a bit of the card": ("has changed", lambda folder: change(folder / "MODEL_CARD.md")),
    "cut": ("bytes instead of", lambda folder: cut(folder / MODEL)),
    "missing": ("is missing", lambda folder: (folder / "huggingface" / "tokenizer.json").unlink()),
    "foreign": ("no part of the bundle", lambda folder: (folder / "huggingface" / "model.py").touch()),
    "hidden": ("no part of the bundle", lambda folder: (folder / ".hidden").touch()),
    "logs": ("no part of the bundle", lambda folder: write_json(folder / "logs" / "a.json", 1)),
    "linked file": ("link or a special file", lambda folder: link(folder / MODEL)),
    "linked folder": ("link or a special file", lambda folder: (folder / "more").symlink_to(folder.parent)),
    "pipe": ("link or a special file", lambda folder: os.mkfifo(folder / "pipe")),
    "no description": ("there is no bundle.json", lambda folder: (folder / "bundle.json").unlink()),
    "description linked": ("is a link", lambda folder: link_description(folder)),
    "other format": ("not of format", lambda folder: (folder / "bundle.json").write_text('{"format": 1, "files": {}}')),
    "an older format": ("not of format", lambda folder: edit(folder, False, format=1)),
    "half a description": ("not valid JSON", lambda folder: (folder / "bundle.json").write_text('{"format": 1,')),
    "nested": ("nested too deeply", lambda folder: (folder / "bundle.json").write_text("[" * 100_000)),
    "edited description": ("bundle.json has changed", lambda folder: edit(folder, False, name="other")),
    "no digest": ("bundle.json has changed", lambda folder: edit(folder, False, digest=None)),
    "odd sizes": ("not of format", lambda folder: edit(folder, True, files={"a": {"bytes": True, "sha256": "0" * 64}})),
    "odd hashes": ("not of format", lambda folder: edit(folder, True, files={"a": {"bytes": 1, "sha256": "0"}})),
    "gguf elsewhere": ("not of format", lambda folder: edit(folder, True, gguf={"../../x.gguf": {"kind": "f32"}})),
    "outside": ("outside of itself", lambda folder: name_a_file(folder, "../../secret")),
    "absolute": ("outside of itself", lambda folder: name_a_file(folder, "/etc/hostname")),
    "itself": ("outside of itself", lambda folder: name_a_file(folder, "bundle.json")),
}


def link_description(folder: Path) -> None:
    (folder / "bundle.json").rename(folder.parent / "elsewhere.json")
    (folder / "bundle.json").symlink_to(folder.parent / "elsewhere.json")


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damaged_bundles(bundle: Path, tmp_path: Path, damage: str) -> None:
    reason, hurt = DAMAGES[damage]
    shutil.copytree(bundle, tmp_path / "b")
    hurt(tmp_path / "b")
    with pytest.raises(InputError, match=reason):
        verify_bundle(tmp_path / "b")


def test_a_copy_is_as_good(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "b")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert verify_bundle(tmp_path / "link") == verify_bundle(bundle)


def test_the_digest_tells_one_bundle_from_another(bundle: Path, tmp_path: Path) -> None:
    digest = verify_bundle(bundle)["digest"]
    assert verify_bundle(bundle, expected=digest[:12].upper())["digest"] == digest
    with pytest.raises(InputError, match="another bundle"):
        verify_bundle(bundle, expected="0" * 64)
    for short in (digest[:11], ""):
        with pytest.raises(InputError, match="too few"):
            verify_bundle(bundle, expected=short)
    # Whoever changes a file and writes new hashes gets another digest.
    shutil.copytree(bundle, tmp_path / "b")
    edit(tmp_path / "b", True, name="other")
    assert verify_bundle(tmp_path / "b")["digest"] != digest
    with pytest.raises(InputError, match="another bundle"):
        verify_bundle(tmp_path / "b", expected=digest)


def test_reading_a_bundle_needs_no_heavy_library() -> None:
    import subprocess
    import sys

    heavy = "torch transformers numpy gguf pyarrow sklearn"
    code = f"import sys, igakulm.bundle.verify; print([n for n in {heavy.split()} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_at_start_only_changed_files_are_hashed_again(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_file(path)

    monkeypatch.setattr(hashes, "sha256_file", counted)
    folder, cache = shutil.copytree(bundle, tmp_path / "b"), tmp_path / "cache" / "verified.json"
    time.sleep(0.1)  # a file that changed within the kernel's tick is hashed again, whatever is remembered
    facts = verify.verify_at_start(folder, cache)
    first = len(hashed)
    assert first == facts["files"]
    assert verify.verify_at_start(folder, cache) == facts and len(hashed) == first
    cache.write_text("[")
    assert verify.verify_at_start(folder, cache) == facts and len(hashed) == 2 * first
    weights = folder / "huggingface" / "model.safetensors"
    before, data = weights.stat(), bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))  # size and mtime as before
    with pytest.raises(InputError, match="has changed"):
        verify.verify_at_start(folder, cache)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="has changed"):
        verify.verify_at_start(folder, tmp_path / "file" / "no folder")
