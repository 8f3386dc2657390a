"""Certificates for tests, made by openssl; tests are skipped where there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate(folder: Path, name: str = "ai.hospital.example", stem: str = "hospital") -> tuple[Path, Path]:
    """A self-signed certificate for a name and 127.0.0.1, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    pem, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"]
    subprocess.run([openssl, *words, "-out", str(pem), "-keyout", str(key)], check=True, capture_output=True)
    return pem, key
