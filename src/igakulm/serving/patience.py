"""The HTTP protocol with an end to its patience: a connection that brings no whole request head is closed.

Does: close connections that open and say nothing, or say it a byte at a time. Does not: time bodies (room.py) or
answers (answer.py); idle connections between requests have uvicorn's own limit.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""From the first byte of a request, or the opening of a connection, to the end of its headers."""


class PatientProtocol(H11Protocol):
    """uvicorn's protocol in pure Python, which reads HTTP strictly, with a limit of time for the head of a request."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._end()
        elif self._limit is None:
            self._begin()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _begin(self) -> None:
        self._limit = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _give_up(self) -> None:
        self._limit = None
        if not self._answering and not self.transport.is_closing():
            self.transport.close()
