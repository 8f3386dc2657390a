"""Malformed and hostile requests against a server: broken HTTP, broken JSON, wrong values, and valid JSON schemas that
are made to cost much. No 500, no crash, no hang, and it answers after.

    python benchmarks/malformed_requests.py --bundle DIR [--count 10000] [--threads 4] [--seed 0]
    python benchmarks/malformed_requests.py --address http://127.0.0.1:8765

Every request is written to a socket of its own, byte by byte as it was made. After each hundred a good request must
get 200. Printed: how often each status came, connections that got no answer (what is no HTTP at all gets none, or the
client closed first), how many schemas reached the engine's grammar (status 200), and the server's memory before and
after. A whole request without an answer within the time is a failure.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hostile_schemas import root
from served import memory, served

CHAT, COMPLETE = "/v1/chat/completions", "/v1/completions"
PATHS = (CHAT, COMPLETE, "/api/extract", "/api/classify", "/api/compare", "/api/exam")
GOOD: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "熱"}], "max_tokens": 1},
    COMPLETE: {"prompt": "熱", "max_tokens": 1},
    "/api/extract": {"task": "finding", "text": "熱があり、咳が出る。"},
    "/api/classify": {"task": "triage", "text": "熱がある。"},
    "/api/compare": {"task": "similarity", "first": "熱がある。", "second": "発熱あり。"},
    "/api/exam": {"question": "どれか。", "choices": ["甲", "乙"], "wanted": 1},
}
WORDS = "熱\0\ud800\udfff\u202e😀aA{}[]\"'\\\r\n%\ufeff<|user|>&#"
NUMBERS = (0, -1, 1.5, 1e308, -1e308, 10**400, 2**63, 2**31, -(2**64), 1e-320)
Maker = Callable[[random.Random], bytes]


def request(path: str, body: bytes, *headers: str, method: str = "POST", length: object = None) -> bytes:
    """A request as bytes; `length` overrides the true one."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json")
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body


def text(draw: random.Random) -> str:
    return "".join(draw.choices(WORDS, k=draw.choice((0, 1, 3, 40, 2000))))


def value(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.randrange(7 if depth < 4 else 4)
    if kind == 0:
        return text(draw)
    if kind == 1:
        return draw.choice(NUMBERS)
    if kind in (2, 3):
        return draw.choice((None, True, False, "", 1))
    if kind == 4:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {
        draw.choice((text(draw)[:20], "type", "role", "content", "schema")): value(draw, depth + 1) for _ in range(3)
    }


FIELDS = [
    "messages",
    "model",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "n",
    "logprobs",
    "top_logprobs",
    "response_format",
    "prompt",
    "echo",
    "suffix",
    "best_of",
    "tools",
    "user",
    "task",
    "text",
    "first",
    "second",
    "question",
    "choices",
    "wanted",
]


def wrong_values(draw: random.Random) -> bytes:
    path = draw.choice(PATHS)
    body = dict(GOOD[path])
    for _ in range(draw.randrange(1, 4)):
        body[draw.choice([*FIELDS, *body, text(draw)[:30]])] = value(draw)
    return request(path, json.dumps(body).encode())


def hostile_schemas(draw: random.Random) -> bytes:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": root(draw)}}
    return request(CHAT, json.dumps({**GOOD[CHAT], "max_tokens": 4, "response_format": form}).encode())


def broken_json(draw: random.Random) -> bytes:
    path = draw.choice(PATHS)
    good = json.dumps(GOOD[path], ensure_ascii=draw.random() < 0.5).encode()
    place = draw.randrange(len(good))
    bodies = (
        good[:place],
        good[:place] + bytes([draw.randrange(256)]) + good[place + 1 :],
        b"\xef\xbb\xbf" + good,
        good.decode().encode("utf-16"),
        good.decode().encode("shift-jis"),
        b"[" * draw.choice((10, 1000, 90_000)) + b"]" * draw.choice((0, 1000)),
        b'{"a":' * draw.choice((100, 30_000)),
        b'{"max_tokens": ' + b"9" * draw.choice((30, 5000)) + b"}",
        b'{"temperature": 1e' + b"9" * 20 + b"}",
        b'{"messages": NaN}',
        good[:-1] + b', "max_tokens": 0}',
        b"null",
        b"",
        b"\0" * draw.randrange(200),
        b'{"' + b"x" * draw.choice((70, 300_000)) + b'": 1}',
    )
    return request(path, draw.choice(bodies))


def wrong_lengths(draw: random.Random) -> bytes:
    path = draw.choice(PATHS)
    body = json.dumps(GOOD[path]).encode()
    lengths = (0, 1, len(body) - 5, len(body) + 5, 10**9, 10**30, -1, "0x10", "5, 6", "", "１２", "+5", " 7 8")
    extra = draw.choice(([], ["Transfer-Encoding: chunked"], ["Content-Length: 3"], ["Expect: 100-continue"]))
    return request(path, body, *extra, length=draw.choice(lengths))


def broken_chunks(draw: random.Random) -> bytes:
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n"
    chunks = (
        b"5\r\n{}\r\n0\r\n\r\n",
        b"ZZ\r\n{}\r\n",
        b"-1\r\n\r\n",
        b"2\r\n{}\r\n",
        b"2\r\n{}\r\n0\r\n\r\n",
        b"F" * 40 + b"\r\n",
    )
    return head.encode() + draw.choice(chunks)


def odd_heads(draw: random.Random) -> bytes:
    path = draw.choice(
        ("/", "/%00", "/../../etc/passwd", "/page/%2e%2e%2fserver.py", "/v1/models/%ff", "*", "//", "/" + "a" * 70_000)
    )
    method = draw.choice(
        ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE", "PATCH", "get", "POST", "ＧＥＴ")
    )
    lines = [f"{method} {path} HTTP/{draw.choice(('1.1', '1.0', '0.9', '2.0', '9', 'x'))}"]
    headers = (
        "Host: localhost",
        "Host: evil.example",
        "Host: [::1",
        "Host:",
        "Origin: http://[",
        "Origin: null",
        "Origin: http://localhost",
        "Authorization: Bearer \x00",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "X: " + "y" * draw.choice((10, 70_000)),
        "no colon here",
        ": no name",
        "Content-Length: 5",
        "Accept: \xff",
        " folded: yes",
        "Content-Type: 患者",
        "X-Forwarded-For: 1.1.1.1",
    )
    lines += draw.choices(headers, k=draw.randrange(5))
    return "\r\n".join(lines).encode("utf-8", "replace") + draw.choice((b"\r\n\r\n", b"\n\n", b"\r\n", b""))


def noise(draw: random.Random) -> bytes:
    kinds = (
        draw.randbytes(draw.choice((1, 50, 5000))),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(300),  # how TLS begins
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 500,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20 + draw.randbytes(30),
    )
    return draw.choice(kinds)


MAKERS: tuple[Maker, ...] = (
    wrong_values,
    hostile_schemas,
    wrong_values,
    broken_json,
    broken_json,
    wrong_lengths,
    broken_chunks,
    odd_heads,
    noise,
)
HALVES = (wrong_lengths, broken_chunks, odd_heads, noise)


HANGS = -1


def ask(address: str, data: bytes, seconds: float) -> int:
    """The status of the first answer; 0 = the connection was closed without one, `HANGS` = nothing came in time."""
    host, port = address.removeprefix("http://").rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), seconds) as connection:
            connection.sendall(data)
            answer = connection.recv(64)
            while answer and b"\r\n" not in answer:
                answer += connection.recv(64)
    except TimeoutError:
        return HANGS
    except OSError:
        return 0
    parts = answer.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bundle", type=Path)
    options.add_argument("--address")
    options.add_argument("--count", type=int, default=500)
    options.add_argument("--threads", type=int, default=4)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if bool(chosen.bundle) == bool(chosen.address):
        options.error("give --bundle or --address")
    with ExitStack() as stack:
        address, pid = stack.enter_context(served(chosen.bundle)) if chosen.bundle else (chosen.address, 0)
        found = attack(address, pid, chosen.count, chosen.threads, chosen.seed)
    print(json.dumps(found) if chosen.json else "\n".join(f"{name}: {entry}" for name, entry in found.items()))
    sys.exit(1 if found["wrong"] else 0)


def attack(address: str, pid: int, count: int, threads: int, seed: int, seconds: float = 60) -> dict[str, Any]:
    """All requests, some at once; every hundredth is a good one. `seconds`: until a whole request counts as hung."""
    good = request(CHAT, json.dumps(GOOD[CHAT]).encode())

    def one(number: int) -> tuple[str, int, bytes]:
        draw = random.Random(f"{seed}/{number}")
        maker = MAKERS[number % len(MAKERS)]
        data = maker(draw)
        # Half a request gets no answer while the server waits for the rest; the client goes.
        return maker.__name__, ask(address, data, 0.3 if maker in HALVES else seconds), data

    def check() -> bool:
        return any(ask(address, good, 60) == 200 for _ in range(3))  # 429 is no failure

    if not check():
        raise SystemExit("the server does not answer a good request")
    before, statuses, wrong, deaf, reached = memory(pid), Counter[str](), Counter[str](), 0, 0
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, count, 100):
            for name, status, data in pool.map(one, range(start, min(start + 100, count))):
                statuses[str(status)] += 1
                reached += name == "hostile_schemas" and status == 200
                if status == HANGS and name not in {maker.__name__ for maker in HALVES}:
                    wrong[f"{name} hangs"] += 1
                    print(f"{name} got no answer in {seconds:.0f} s: {data[:300]!r}", file=sys.stderr)
                if status >= 500 and status != 505:
                    wrong[f"{name} {status}"] += 1
                    print(f"{name} got {status}: {data[:300]!r}", file=sys.stderr)
            deaf += not check()
    wrong.update({"good requests without an answer": deaf} if deaf else {})
    return {
        "requests": count,
        "schemas that reached the grammar": reached,
        "statuses (0 = closed without an answer, -1 = none in time)": dict(sorted(statuses.items())),
        "wrong": dict(wrong),
        "memory before, MB": before,
        "memory after, MB": memory(pid),
    }


if __name__ == "__main__":
    main()
