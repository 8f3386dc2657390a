"""A server that sends exactly the bytes that a test gives it, and then closes: for what no honest server says."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def head(content_type: str = "text/event-stream", *more: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", "Connection: close", *more, "", ""]
    return "\r\n".join(lines).encode()


def event(ids: Iterable[int], reason: str | None = None) -> bytes:
    """A chunk of a stream as vLLM writes it."""
    choice = {"index": 0, "text": "", "token_ids": list(ids), "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


@contextmanager
def hostile(answer: Iterable[bytes]) -> Iterator[str]:
    """The address up to /v1; every connection gets the pieces of `answer`, which may be endless."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            begin, _, body = received.partition(b"\r\n\r\n")
            length = int(begin.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65536)
            for piece in answer:
                connection.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
