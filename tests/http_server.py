"""An ASGI application behind a real loopback port, in a thread, for tests with real clients."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from igakulm.serving.guards import Guard
from igakulm.serving.listening import bind, server_settings


@contextmanager
def running(
    app: Guard | ASGIApp, tls: ssl.SSLContext | None = None, proxies: frozenset[str] = frozenset()
) -> Iterator[str]:
    """The address of the application while it runs, with the settings of `igakulm serve`."""
    listener = bind("127.0.0.1", 0)
    listener.listen()
    server = uvicorn.Server(server_settings(app, tls, proxies))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive()
