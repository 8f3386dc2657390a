"""Many mixed clients for a long time, while the model's process is killed and an upstream server cuts its answers.

    python benchmarks/soak.py --bundle DIR [--minutes 30] [--clients 64] [--kill-every 20]

Two servers run: one with llama.cpp, whose child is killed again and again, and one whose model is an endpoint that
answers well, stops in the middle, sends HTML, or says nothing more. Both keep a strict audit log.

What must hold: every request has an outcome (an answer with its end, a refusal, an error, or its client left); none is
lost with a reset connection or without an answer in time; an answer of the endpoint that was cut is never an ended one;
the logs hold exactly the requests that were answered, and their chains are whole; the fronts' memory does not grow
after the first quarter by more than a tenth; when all is over nothing runs or waits.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from hostile_schemas import root
from served import children, memory, served

from igakulm.serving.audit_check import check_audit_log

TEXTS = ("熱があり、咳が出る。", "糖尿病の治療にはインスリンを用いる。" * 8, "The patient has fever. " * 20)
PATIENCE = 300.0
Outcomes = Counter[str]


class Upstream(BaseHTTPRequestHandler):
    """An endpoint in the form of vLLM that keeps its promises half of the time."""

    protocol_version = "HTTP/1.0"
    whole: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        how = random.choice(("whole", "whole", "whole", "cut", "html", "closed", "no end"))
        if how == "closed":
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if how == "html" else "text/event-stream")
        self.end_headers()
        if how == "html":
            self.wfile.write(b"<html>busy</html>")
            return
        most = min(int(asked.get("max_tokens", 1)), 6)
        with suppress(OSError):
            for number in range(most):
                if how == "cut" and number == most - 1:
                    return
                self._event({"index": 0, "text": "", "token_ids": [20 + number], "finish_reason": None})
            if how == "whole":
                with self.lock:
                    self.whole["answers"] += 1
                self._event({"index": 0, "text": "", "token_ids": [], "finish_reason": "stop"})
                self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, choice: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def request(draw: random.Random) -> tuple[str, dict[str, Any], bool]:
    """Path, body, and whether the client leaves in the middle."""
    text, stream = draw.choice(TEXTS), draw.random() < 0.5
    chat = {"messages": [{"role": "user", "content": text}], "max_tokens": draw.choice((1, 8, 40)), "stream": stream}
    kind = draw.randrange(8)
    if kind == 0:
        return "/api/extract", {"task": "finding", "text": text}, False
    if kind == 1:
        return "/api/exam", {"question": text[:40], "choices": ["甲", "乙"]}, False
    if kind == 2:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": root(draw)}}
        return "/v1/chat/completions", {**chat, "response_format": form}, False
    if kind == 3:
        return "/v1/chat/completions", {**chat, "temperature": "hot"}, False
    if kind == 4:
        return "/v1/completions", {"prompt": text, "max_tokens": 8, "stream": stream}, False
    return "/v1/chat/completions", {**chat, "temperature": 1.0, "seed": kind}, kind == 5 and stream


def outcome(address: str, path: str, body: dict[str, Any], leaves: bool) -> str:
    """How one request ended."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if leaves and answer.status == 200:
            answer.read(1)
            return "left"
        text = answer.read().decode()
    except TimeoutError:
        return "LOST: no answer in time"
    except (OSError, http.client.HTTPException) as error:
        return f"LOST: {type(error).__name__}"
    finally:
        connection.close()
    if answer.status != 200:
        return f"refused {answer.status}"
    if not body.get("stream"):
        return "ended"
    return (
        "ended" if text.endswith("data: [DONE]\n\n") else "error in the stream" if '"error"' in text else "LOST: no end"
    )


def client(address: str, number: int, end: float, outcomes: Outcomes, lock: threading.Lock, *, gentle: bool) -> None:
    draw = random.Random(number)
    while time.monotonic() < end:
        path, body, leaves = request(draw)
        if gentle:
            path, leaves = "/v1/completions", False
            body = {"prompt": draw.choice(TEXTS), "max_tokens": 6, "stream": draw.random() < 0.5}
        found = outcome(address, path, body, leaves)
        with lock:
            outcomes[found] += 1
        time.sleep(0.2 if found in ("refused 429", "refused 503") else draw.random() * 0.05)


def health(address: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENCE)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"/health got {answer.status}: {text[:300]!r}")
    found: dict[str, Any] = json.loads(text)
    return found


def soak(bundle: Path, minutes: float, clients: int, kill_every: float) -> dict[str, Any]:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{upstream.server_port}/v1"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs = [folder / "child", folder / "endpoint"]
        strict = [["--audit-strict", "--audit-log", str(log)] for log in logs]
        with (
            served(bundle, *strict[0]) as first,
            served(bundle, *strict[1], "--engine", "endpoint", "--endpoint", endpoint) as second,
        ):
            found = _run([first, second], minutes * 60, clients, kill_every)
            print(json.dumps(found, ensure_ascii=False), file=sys.stderr)
            time.sleep(2)
            found["queues afterwards"] = [health(address)["queue"] for address, _ in (first, second)]
            found["restarts"] = health(first[0])["engine"]["restarts"]
        found["ended answers of the endpoint, whole ones it sent"] = [
            found["outcomes"][1].get("ended", 0),
            Upstream.whole["answers"],
        ]
        for number, log in enumerate(logs):
            _wait_for_the_end(log)
            chain = check_audit_log(log)
            told = sum(found["outcomes"][number].values())
            found[f"requests of clients, in log {number}"] = [told, chain.requests]
            found[f"begun without an end, lost lines, stops in log {number}"] = [
                chain.open_requests,
                chain.lost,
                chain.stops,
            ]
    upstream.shutdown()
    found["wrong"] = _wrong(found)
    return found


def _run(servers: list[tuple[str, int]], seconds: float, clients: int, kill_every: float) -> dict[str, Any]:
    outcomes, lock, end = [Counter[str](), Counter[str]()], threading.Lock(), time.monotonic() + seconds
    threads = [
        threading.Thread(
            target=client,
            args=(servers[number % 4 == 3][0], number, end, outcomes[number % 4 == 3], lock),
            kwargs={"gentle": number % 4 == 3},
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    kills, last, samples = 0, time.monotonic(), [[memory(pid)["front"] for _, pid in servers]]
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)
        samples.append([memory(pid)["front"] for _, pid in servers])
        if time.monotonic() - last > kill_every and time.monotonic() < end:
            last = time.monotonic()
            for child in children(servers[0][1])[:1]:
                os.kill(child, signal.SIGKILL)
                kills += 1
    quarter = samples[len(samples) // 4]
    return {
        "seconds": round(seconds),
        "clients": clients,
        "kills": kills,
        "outcomes": [dict(sorted(one.items())) for one in outcomes],
        "front's MB: start, after a quarter, end, highest": [
            [round(s, 1) for s in (samples[0][k], quarter[k], samples[-1][k], max(one[k] for one in samples))]
            for k in range(2)
        ],
    }


def _wait_for_the_end(log: Path) -> None:
    end = time.monotonic() + 60
    while b'"event": "stop"' not in log.read_bytes()[-1000:] and time.monotonic() < end:
        time.sleep(0.1)


def _wrong(found: dict[str, Any]) -> list[str]:
    wrong = [name for one in found["outcomes"] for name in one if name.startswith("LOST") or name == "refused 500"]
    ended, whole = found["ended answers of the endpoint, whole ones it sent"]
    wrong += ["answers that were cut look ended"] * (ended > whole)
    for number in range(2):
        told, logged = found[f"requests of clients, in log {number}"]
        wrong += [f"log {number} does not hold each request once"] * (told != logged)
        whole = found[f"begun without an end, lost lines, stops in log {number}"] == [0, 0, 1]
        wrong += [f"log {number} is not closed"] * (not whole)
        _, quarter, last, _ = found["front's MB: start, after a quarter, end, highest"][number]
        wrong += [f"front {number} grows"] * (last > quarter * 1.1)
    busy = any(one["running"] or one["waiting"] for one in found["queues afterwards"])
    wrong += ["something still runs or waits"] * busy
    return wrong


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bundle", type=Path, required=True)
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--clients", type=int, default=64)
    options.add_argument("--kill-every", type=float, default=20)
    chosen = options.parse_args()
    found = soak(chosen.bundle, chosen.minutes, chosen.clients, chosen.kill_every)
    print(json.dumps(found, ensure_ascii=False, indent=1))
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
