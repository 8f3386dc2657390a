"""The server behind real reverse proxies, set up with the very lines of docs/serve.md."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from certificates import certificate
from http_server import running
from igakulm.inference.model import Model
from igakulm.serving.audit import AuditLog
from igakulm.serving.keys import Keys
from igakulm.serving.place import place_of
from igakulm.serving.server import Options, app_of
from page_server import PageEngine
from tiny_bundle import encoder

TINY = encoder()
NAME, KEY, SAY = "ai.hospital.example", "0123456789abcdef", "糖尿病の治療です。"
PUBLIC = f"https://{NAME}"
CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "熱"}]}


def recipe(project: Path, language: str, upstream: str, port: int, folder: Path) -> str:
    """The lines of the documentation with this test's ports and files."""
    found = re.search(rf"```{language}\n(.*?)```", (project / "docs" / "serve.md").read_text(), re.DOTALL)
    assert found
    text = found[1].replace("127.0.0.1:8765", upstream).replace("/etc/ssl", str(folder))
    return text.replace("listen 443", f"listen 127.0.0.1:{port}").replace(f"{NAME} {{", f"{NAME}:{port} {{")


def nginx(project: Path, upstream: str, port: int, folder: Path) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    lines = recipe(project, "nginx", upstream, port, folder)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{places}{lines} }}\n"
    )
    return ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(folder / "nginx.conf")]


def caddy(project: Path, upstream: str, port: int, folder: Path) -> list[str]:
    options = f"{{\n admin off\n auto_https disable_redirects\n storage file_system {folder}/store\n}}\n"
    (folder / "Caddyfile").write_text(options + recipe(project, "caddy", upstream, port, folder))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextmanager
def proxied(words: list[str], port: int, folder: Path) -> Iterator[None]:
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
                    time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("program", [nginx, caddy])
def test_behind_a_real_proxy(
    tmp_path: Path, project: Path, program: Callable[[Path, str, int, Path], list[str]]
) -> None:
    name = program.__name__
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    pem, _ = certificate(tmp_path)
    engine, port = PageEngine(TINY, {"": SAY}), free_port()
    log = AuditLog(tmp_path / "audit", "m")
    options = Options(Keys(KEY), place_of("127.0.0.1", PUBLIC), audit=log)
    with running(app_of(Model(engine, TINY, "tiny", "x"), options)) as address:
        words = program(project, address.removeprefix("http://"), port, tmp_path)
        trusted = ssl.create_default_context(cafile=str(pem))
        headers = {"authorization": f"Bearer {KEY}", "host": NAME}
        with (
            proxied(words, port, tmp_path),
            httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted, headers=headers, timeout=60) as web,
        ):
            _ask(web, engine)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert {line["client"] for line in lines if line["event"] in ("request", "refused")} == {"127.0.0.1"}


def _ask(web: httpx.Client, engine: PageEngine) -> None:
    server = {"sni_hostname": NAME}
    page = web.get("/", extensions=server)
    assert page.status_code == 200 and "IgakuLM" in page.text
    forged = {"origin": PUBLIC, "x-forwarded-for": "6.6.6.6"}
    whole = web.post(CHAT, json=ASK, headers=forged, extensions=server)
    assert whole.status_code == 200 and whole.json()["choices"][0]["message"]["content"] == SAY
    refused = web.post(CHAT, json=ASK, headers={"origin": "https://evil.example"}, extensions=server)
    assert refused.status_code == 403 and refused.json()["error"]["code"] == "origin_not_allowed"
    assert web.post(CHAT, json=ASK, headers={"authorization": "Bearer x"}, extensions=server).status_code == 401
    engine.gate.clear()  # after the third token nothing comes until the gate is open
    told = []
    with web.stream("POST", CHAT, json={**ASK, "stream": True}, headers=forged, extensions=server) as events:
        for line in events.iter_lines():
            told.append(line)
            if "糖" in line:
                engine.gate.set()
    assert told.count("data: [DONE]") == 1
    assert engine.closed.wait(60)
