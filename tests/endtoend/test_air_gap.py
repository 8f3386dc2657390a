"""A packed folder installs and serves in a network namespace without any interface but an isolated loopback."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from igakulm.bundle.offline import pack_offline
from igakulm.errors import InputError
from igakulm.inference.llamacpp import available
from igakulm.progress import SilentProgress
from tiny_bundle import write_bundle

ALONE = ("unshare", "--map-root-user", "--net")
PORT = 8791
ASK = f"""
import json, sys, time, urllib.request

def ask(path, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request("http://127.0.0.1:{PORT}" + path, data, {{"Content-Type": "application/json"}})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()

for _ in range(240):
    try:
        ask("/health")
        break
    except OSError:
        time.sleep(0.5)
messages = [{{"role": "user", "content": "発熱とは何ですか。"}}]
said = json.loads(ask("/v1/chat/completions", {{"model": "tiny", "messages": messages, "max_tokens": 4}}))
print(json.dumps({{"tokens": said["usage"]["completion_tokens"], "page": len(ask("/")), "health": ask("/health")}}))
"""
SESSION = """
set -eu
folder=$1
ip link set lo up
cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' ' > "$2/interfaces"
sh "$folder/start.sh" verify "$folder/bundle" > "$2/verified"
sh "$folder/start.sh" --port @PORT > "$2/log" 2>&1 &
server=$!
trap 'kill $server' EXIT
"$3" "$2/ask.py" > "$2/answers"
""".replace("@PORT", str(PORT))


def isolated() -> bool:
    """Whether this user may make a network namespace here."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*ALONE, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not isolated(), reason="no network namespaces for this user (unshare, ip)"),
    pytest.mark.skipif(not available(), reason="xllamacpp is not installed"),
]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("air gap 持ち出し")
    try:
        pack_offline(write_bundle(folder / "b", ("q8_0",)), folder / "carry", SilentProgress())
    except InputError as error:
        if "pip could not bring" in str(error):
            pytest.skip(f"no package index: {error.what}")
        raise
    return folder / "carry"


def bare() -> dict[str, str]:
    """Nothing of the environment that packed: no virtual environment, no pip settings, no PYTHONPATH."""
    python = Path(sys.base_prefix) / "bin"
    return {"PATH": f"{python}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/nonexistent"}


def test_installs_and_serves_without_a_network(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(ASK)
    words = [
        "unshare",
        "--map-root-user",
        "--net",
        "sh",
        "-c",
        SESSION,
        "sh",
        str(packed),
        str(tmp_path),
        sys.executable,
    ]
    session = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=bare(), start_new_session=True
    )
    try:
        said, _ = session.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(session.pid, signal.SIGKILL)
        raise
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert session.returncode == 0, said + log
    assert (tmp_path / "interfaces").read_text().split() == ["lo"]
    assert "files unchanged" in (tmp_path / "verified").read_text()
    answers = (tmp_path / "answers").read_text()
    assert '"tokens": ' in answers and '"page": 0' not in answers
    installed = {path.name.split("-")[0].lower() for path in packed.glob("env/lib/*/site-packages/*.dist-info")}
    assert {"igakulm", "xllamacpp", "tokenizers"} <= installed and not {"torch", "transformers"} & installed


def test_commands_work_with_no_interface_up(packed: Path, tmp_path: Path) -> None:
    """Not even loopback: whoever brings the model to a locked-down machine needs no server."""
    (tmp_path / "in.csv").write_text("text\n発熱と咳が続く。\n")
    words = ["extract", tmp_path / "in.csv", "--bundle", packed / "bundle", "--out", tmp_path / "out.csv"]
    start = [*ALONE, "sh", packed / "start.sh", *words]
    run = subprocess.run(list(map(str, start)), capture_output=True, text=True, env=bare(), timeout=300)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out.csv").exists()


def test_a_changed_file_is_not_installed(packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed, tmp_path / "copy", ignore=shutil.ignore_patterns("env"))
    wheel = next((tmp_path / "copy" / "wheels").glob("igakulm-*.whl"))
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)
    run = subprocess.run(
        ["sh", str(tmp_path / "copy" / "start.sh"), "--help"], capture_output=True, text=True, env=bare()
    )
    assert run.returncode == 2 and "ファイルが変わっています" in run.stderr
    assert not (tmp_path / "copy" / "env").exists()
