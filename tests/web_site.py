"""A web site on loopback that answers as a test tells it to, and remembers who asked for what, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Page:
    """What goes back; `cut` promises more bytes than it sends, then closes. `pieces` are sent with a pause between."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0


@dataclass(frozen=True)
class Request:
    path: str
    time: float
    headers: dict[str, str]


Answer = Page | Callable[[int], Page]
"""A page, or a function from the n-th request for it (from 1) to the page."""


def html(text: str, *links: str, head: str = "", nofollow: str = "") -> Page:
    """A page with enough prose that its main text is found."""
    paragraphs = "".join(
        f"<p>{text}は第{number}段落で説明される。本文は十分に長い文章である。</p>" for number in range(5)
    )
    anchors = "".join(f'<a href="{link}">次の頁</a>' for link in links)
    anchors += f'<a rel="nofollow" href="{nofollow}">x</a>' if nofollow else ""
    body = f"<body><nav>{anchors}</nav><article>{paragraphs}</article></body>"
    page = f"<html><head><title>{text}</title>{head}</head>{body}</html>"
    return Page(page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


class WebSite:
    """`with WebSite({"/": html("…")}) as site`: `site.requests` holds everything that came in, in order."""

    def __init__(self, pages: dict[str, Answer], now: Callable[[], float] = lambda: 0.0) -> None:
        self.pages = pages
        self.requests: list[Request] = []
        self.stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(Request(self.path, now(), {k.lower(): v for k, v in self.headers.items()}))
                count = sum(request.path == self.path for request in outer.requests)
                found = outer.pages.get(self.path, Page(b"none", 404))
                page = found if isinstance(found, Page) else found(count)
                self.send_response(page.status)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in page.headers and not page.pieces:
                    self.send_header("Content-Length", str(len(page.body) + (100 if page.cut else 0)))
                self.end_headers()
                try:
                    self.wfile.write(page.body)
                    for piece in page.pieces:
                        self.wfile.write(piece)
                        self.wfile.flush()
                        outer.stop.wait(page.pause)
                except OSError:
                    pass  # the client had enough

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def paths(self) -> list[str]:
        """Everything that was asked for, in order."""
        return [request.path for request in self.requests]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
