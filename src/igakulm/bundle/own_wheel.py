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

from igakulm import version
from igakulm.bundle.licences import code_licence
from igakulm.errors import InputError

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
    root = Path(version.__file__).parent
    paths = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root.parent).as_posix(): path.read_bytes() for path in paths}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
