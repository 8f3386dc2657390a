"""Put on PYTHONPATH by the offline test: every Python process of the run refuses, and records, any network use."""

import os
import socket
from pathlib import Path
from typing import Any

_connect = socket.socket.connect
_getaddrinfo = socket.getaddrinfo


def _record(what: object) -> None:
    with Path(os.environ["IGAKULM_TEST_NETWORK_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{os.getpid()} {what!r}\n")


def connect(self: socket.socket, address: Any) -> None:
    if self.family == socket.AF_UNIX:
        _connect(self, address)
        return
    _record(address)
    raise PermissionError(f"network use in an offline run: {address}")


def getaddrinfo(*arguments: Any, **options: Any) -> Any:
    _record(arguments)
    raise PermissionError(f"name look-up in an offline run: {arguments}")


if "IGAKULM_TEST_NETWORK_LOG" in os.environ:  # not when a test collector merely imports this file
    socket.socket.connect = connect  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = getaddrinfo
