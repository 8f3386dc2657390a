"""A small OpenAI-compatible server on loopback that answers, or misbehaves as a test tells it to."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What goes back: a status, a body, headers; `cut` promises more bytes than it sends, then closes."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def question(self) -> str:
        return str(self.body["messages"][-1]["content"])

    @property
    def term(self) -> str:
        found = re.search("「(.+?)」", self.question)
        assert found is not None
        return found[1]


Plan = Callable[[Request, int], Reply]
"""What to reply to a request, which is the n-th (from 1) with this body."""


def chat_reply(text: str | None, finish_reason: str = "stop") -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    body = {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 50}}
    return Reply(body=json.dumps(body).encode())


def completion_reply(text: str, finish_reason: str = "stop", logprobs: object = None) -> Reply:
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}
    body = {"object": "text_completion", "choices": [choice], "usage": {"completion_tokens": 3}}
    return Reply(body=json.dumps(body).encode())


def letters_reply(candidates: dict[str, float | None]) -> Reply:
    """One token, the first candidate, with all of them as its alternatives, in the chat form."""
    entries = [{"token": token, "bytes": None, "logprob": value} for token, value in candidates.items()]
    message = {"role": "assistant", "content": entries[0]["token"]}
    logprobs = {"content": [{**entries[0], "top_logprobs": entries}]}
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "length"}
    return Reply(body=json.dumps({"choices": [choice], "usage": {"completion_tokens": 1}}).encode())


class ChatServer:
    """`with ChatServer(plan) as server`: `server.requests` holds everything that came in, in order."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests: list[Request] = []
        self.models: list[dict[str, Any]] | None = None
        self.open_now = self.most_open = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are sent apart; the body would wait 40 ms

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                outer.answer(self, Request(self.path, json.loads(raw), dict(self.headers.items())))

            def do_GET(self) -> None:
                outer.listed(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def listed(self, handler: BaseHTTPRequestHandler) -> None:
        """What the server says about its models; a server without `models` has no such route."""
        body = json.dumps({"object": "list", "data": self.models or []}).encode()
        handler.send_response(404 if self.models is None else 200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def answer(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        with self.lock:
            self.requests.append(request)
            times = sum(other.body == request.body for other in self.requests)
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
        reply = self.plan(request, times)
        with self.lock:
            self.open_now -= 1
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body) + (100 if reply.cut else 0)))
        handler.end_headers()
        handler.wfile.write(reply.body)
        if reply.cut:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True

    def __enter__(self) -> Self:
        # A short poll lets the server stop at once when a test ends.
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def unused_url() -> str:
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


class Clock:
    """Time that passes only by sleeping; `slept` lists the pauses in seconds."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def __call__(self) -> float:
        return self.time
