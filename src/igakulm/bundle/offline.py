"""One folder that brings a bundle to a machine without a network: bundle, wheels, start script, hashes.

Does: copy a verified bundle, fetch the wheels that serving on a CPU needs in the versions that are installed here, make
our own wheel, write requirements with hashes, a bill of materials and SHA256SUMS. Does not: bring Python itself, or
torch and transformers unless asked: llama.cpp serves without them.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from packaging.tags import platform_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from igakulm.bundle.new_folder import new_folder, refuse_full_folder
from igakulm.bundle.offline_service import UNIT, dockerfile
from igakulm.bundle.offline_text import readme, start_script
from igakulm.bundle.own_wheel import write_own_wheel
from igakulm.bundle.sbom import (
    OURSELVES,
    Component,
    cyclonedx,
    installed_components,
    installed_metadata,
    requirements,
    wheel_components,
    wheel_metadata,
)
from igakulm.bundle.verify import verify_bundle
from igakulm.errors import InputError, did_you_mean
from igakulm.files import files_below, read_json, sha256_file, write_json, write_text
from igakulm.inference.bundle_folder import BUNDLE
from igakulm.progress import Progress

SERVING = (
    "typer", "rich", "pydantic", "pyyaml", "packaging", "sentencepiece", "tokenizers", "xllamacpp", "starlette",
    "uvicorn", "prometheus-client", "numpy", "llguidance",
)  # fmt: skip
"""What `serve`, `chat`, `ask`, `extract` and `verify` import with llama.cpp as the engine."""
MECAB = ("fugashi", "ipadic")
"""Also needed where the bundle's tokenizer runs MeCab."""
ENGINES = {"transformers": ("torch", "transformers", "safetensors", "numpy")}


def pack_offline(
    bundle: Path,
    out: Path,
    progress: Progress,
    *,
    python: str | None = None,
    engines: Sequence[str] = (),
    extras: Sequence[str] = (),
) -> dict[str, Any]:
    """Write the folder.

    Args:
        bundle: a bundle; every file is hashed again.
        out: a new or empty folder.
        progress: where to show it.
        python: version of the other machine's Python, e.g. "3.12"; None = that of this process. Processor and system
            are those of this machine.
        engines: "transformers" adds that engine.
        extras: of igakulm's own, e.g. "excel".

    Returns:
        name, digest, python, wheels (how many), bytes.

    Raises:
        InputError: a damaged bundle, one without GGUF and engines without transformers, an unknown engine or extra, no
            pip or no package index, `out` holds something.
    """
    refuse_full_folder(out)
    version = _python_version(python)
    facts = verify_bundle(bundle, progress=progress)
    roots = _roots(bundle, engines, extras)
    with new_folder(out) as partial:
        _copy_bundle(bundle, partial / "bundle", progress)
        wheels = partial / "wheels"
        wheels.mkdir()
        progress.say(f"  wheels of {len(roots)} packages and all that they need, for Python {version}")
        _fetch(roots, wheels, version)
        write_own_wheel(wheels)
        components = _write_papers(partial, str(facts["name"]), version)
        _write_hashes(partial)
        size = sum(path.stat().st_size for path in files_below(partial))
    found = {key: facts[key] for key in ("name", "digest")}
    return {**found, "python": version, "wheels": len(components), "bytes": size}


def _python_version(python: str | None) -> str:
    here = ".".join(platform.python_version_tuple()[:2])
    if python is not None and (not re.fullmatch(r"3\.\d{1,2}", python) or int(python[2:]) < 11):
        raise InputError("this is not a version of Python that IgakuLM runs on", where=f"--python {python}", hint=here)
    return python or here


def _roots(bundle: Path, engines: Sequence[str], extras: Sequence[str]) -> list[str]:
    """Names of the packages to ask for, without what they need themselves."""
    for engine in engines:
        if engine not in ENGINES:
            raise InputError(f"there is no part {engine!r} to add", where="--with", hint="the only one is transformers")
    description = read_json(bundle / BUNDLE)
    if not description.get("gguf") and "transformers" not in engines:
        hint = "export with --gguf q4_k_m,q8_0, or add --with transformers"
        raise InputError("this bundle has no GGUF file, so llama.cpp cannot serve it", where=str(bundle), hint=hint)
    encoder = bundle / "huggingface" / "encoder.json"
    mecab = encoder.is_file() and read_json(encoder).get("runtime") == "mecab"
    roots = [*SERVING, *(MECAB if mecab else ()), "pip"]
    roots += [name for engine in engines for name in ENGINES[engine]]
    metadata = installed_metadata(OURSELVES)
    known = metadata.get_all("Provides-Extra") or []
    for extra in extras:
        if extra not in known:
            near = did_you_mean(extra, known)
            raise InputError(
                f"igakulm has no extra {extra!r}", where="--extra", hint=f"did you mean {near!r}?" if near else None
            )
        always = {need.name for need in requirements(metadata, ())}
        roots += [need.name for need in requirements(metadata, [extra]) if need.name not in always]
    return list(dict.fromkeys(roots))


def _copy_bundle(source: Path, target: Path, progress: Progress) -> None:
    names = [BUNDLE, *read_json(source / BUNDLE)["files"]]
    with progress.task("copy the bundle", len(names), "files") as task:
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
            task.advance()
    verify_bundle(target)


def _fetch(roots: Sequence[str], wheels: Path, version: str) -> None:
    """Let pip bring the wheels, in the versions that are installed here; what has no wheel is built."""
    pins = {part.name: part.version for part in installed_components()}
    pins["pip"] = _installed_version("pip")
    missing = [name for name in roots if canonicalize_name(name) not in pins and not _installed_version(name)]
    if missing:
        hint = f"pip install {' '.join(missing)}"
        raise InputError(f"not installed here: {', '.join(missing)}; packed is what was tried", hint=hint)
    here = version == ".".join(platform.python_version_tuple()[:2])
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{name}=={pin}\n" for name, pin in pins.items() if name != OURSELVES))
        common = ["--quiet", "--disable-pip-version-check", "--constraint", str(constraints)]
        if here:
            _pip(["wheel", "--wheel-dir", str(wheels), *common, *roots])
            return
        pure = [name for name in roots if name in MECAB[1:]]  # has no wheel, but is the same for every Python
        tags = [f"--platform={tag}" for tag in platform_tags()]
        target = ["--only-binary=:all:", f"--python-version={version}", "--implementation=cp", *tags]
        _pip(["download", "--dest", str(wheels), *target, *common, *(name for name in roots if name not in pure)])
        if pure:
            _pip(["wheel", "--no-deps", "--wheel-dir", str(wheels), *common, *pure])


def _installed_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _pip(words: Sequence[str]) -> None:
    """Run pip of this environment, with the index that it is set to.

    Raises:
        InputError: no pip, or it could not bring everything; its own last error is told.
    """
    run = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
    if run.returncode == 0:
        return
    if "No module named pip" in run.stderr:
        raise InputError("packing needs pip in this environment", hint=f"{sys.executable} -m ensurepip")
    errors = [line.strip() for line in run.stderr.splitlines() if "ERROR" in line] or run.stderr.splitlines()[-1:]
    raise InputError(
        f"pip could not bring the wheels: {' '.join(errors[-2:])}",
        hint="pack on a machine that reaches a package index (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL), with Python "
        "packages that have wheels for the other machine",
    )


def _write_papers(folder: Path, name: str, version: str) -> list[Component]:
    """Requirements with hashes, bill of materials, start script, readme; return what is packed."""
    wheels = sorted((folder / "wheels").glob("*.whl"))
    lines = []
    for path in wheels:
        metadata = wheel_metadata(path)
        key = canonicalize_name(str(metadata["Name"]))
        if key != "pip":
            lines.append(f"{key}=={metadata['Version']} --hash=sha256:{sha256_file(path)}\n")
    write_text(folder / "requirements.txt", "".join(lines))
    components = wheel_components(wheels)
    ordered = sorted(components, key=lambda part: part.name != OURSELVES)
    write_json(folder / "sbom.json", cyclonedx(ordered))
    write_text(folder / "start.sh", start_script(version))
    (folder / "start.sh").chmod(0o755)
    write_text(folder / "igakulm.service", UNIT)
    write_text(folder / "Dockerfile", dockerfile(version))
    write_text(folder / ".dockerignore", "env\n")
    write_text(folder / "README.md", readme(name, version, platform.machine(), needed_glibc(wheels), _unpacked(wheels)))
    return components


def needed_glibc(wheels: Iterable[Path]) -> str:
    """The oldest GNU C library that all of the wheels run on, by their platform tags.

    >>> needed_glibc([Path("a-1-cp311-cp311-manylinux_2_28_x86_64.whl"), Path("b-1-py3-none-any.whl")])
    '2.28'
    """
    needed = (2, 17)
    for path in wheels:
        tags = " ".join(tag.platform for tag in parse_wheel_filename(path.name)[3])
        versions = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)", tags)]
        needed = max(needed, min(versions, default=(2, 17)))
    return ".".join(map(str, needed))


def _unpacked(wheels: Iterable[Path]) -> int:
    """Bytes that the wheels take once installed; compiled bytecode is about as large as the code."""
    return sum(
        entry.file_size * (2 if entry.filename.endswith(".py") else 1)
        for path in wheels
        for entry in zipfile.ZipFile(path).infolist()
    )


def _write_hashes(folder: Path) -> None:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    names = [path.relative_to(folder).as_posix() for path in files_below(folder)]
    write_text(folder / "SHA256SUMS", "".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))
