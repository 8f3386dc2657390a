"""`igakulm audit` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from igakulm.serving.audit import AuditLog


def audit(path: Path, *options: str, key: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "IGAKULM_AUDIT_KEY": key}
    command = [sys.executable, "-m", "igakulm", "audit", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_a_whole_chain_and_a_changed_one(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "a", "m", key=b"k")
    log.append(event="request", status=200)
    log.close()
    good = audit(tmp_path / "a", "--json", key="k")
    assert good.returncode == 0 and json.loads(good.stdout)["requests"] == 1
    assert "the chain holds" in audit(tmp_path / "a", key="k").stdout
    text = (tmp_path / "a").read_text().replace("200", "201").replace("start", "START")
    (tmp_path / "a").write_text(text)
    for bad in (audit(tmp_path / "a", key="k"), audit(tmp_path / "absent")):
        assert bad.returncode == 2 and "Traceback" not in bad.stderr and bad.stderr.startswith("igakulm: ")
