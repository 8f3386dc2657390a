"""The wheel of this very program, made from the files that run.

Does: zip the package and its metadata as the wheel specification says (PyPA, "Binary distribution format" 1.0). Does
not: need a build tool, a source tree or a network. The same files give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

from igakulm.bundle.licences import code_licence
from igakulm.errors import InputError
from igakulm.shipped import PACKAGE, SHIPPED, shipped_files

_WHEEL = "Wheel-Version: 1.0\nGenerator: igakulm\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_ENTRY_POINTS = "[console_scripts]\nigakulm = igakulm.cli.app:main\n"
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can tell


def write_own_wheel(folder: Path) -> Path:
    """Write `igakulm-VERSION-py3-none-any.whl`; return its path.

    Raises:
        InputError: the program does not run as an installed package.
    """
    try:
        metadata = importlib.metadata.distribution("igakulm")
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError("igakulm is not installed as a package", hint="pip install, then again") from error
    record = f"igakulm-{metadata.version}.dist-info"
    files = {
        **_package(),
        f"{record}/METADATA": (metadata.read_text("METADATA") or "").encode(),
        f"{record}/WHEEL": _WHEEL.encode(),
        f"{record}/entry_points.txt": _ENTRY_POINTS.encode(),
        f"{record}/licenses/LICENSE": code_licence().encode(),
    }
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{record}/RECORD"] = "\n".join([*lines, f"{record}/RECORD,,", ""]).encode()
    path = folder / f"igakulm-{metadata.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return path


def _package() -> dict[str, bytes]:
    paths = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    code = {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in paths}
    # From a repository these are taken from beside the package, as the build tool does it.
    return code | {f"{PACKAGE.name}/{SHIPPED}/{name}": path.read_bytes() for name, path in shipped_files().items()}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
