"""What a server counts, for Prometheus: requests, times, tokens, the queue, the child, memory. No text, and no name.

Does: `GET /metrics`. Does not: keep a history, or label anything with what a client may choose.
Source: Prometheus text exposition format 0.0.4; names after prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client import generate_latest as exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from igakulm.serving.audit import AuditLog
from igakulm.serving.dispatcher import Dispatcher, check_allowed
from igakulm.serving.keys import METRICS
from igakulm.serving.refusals import Refusals
from igakulm.serving.request_counts import RequestCounts
from igakulm.version import __version__

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """Counts of one server.

    Args:
        dispatcher: the engine and its queue.
        audit: the log; None = there is none.
        refusals: what was refused before a request was read.
    """

    def __init__(self, dispatcher: Dispatcher, audit: AuditLog | None, refusals: Refusals) -> None:
        self.paths: Collection[str] = ()
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "igakulm_requests", "Requests by path and status", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "igakulm_request_seconds",
            "Seconds from a request's head to the end of its answer",
            ["path"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter(
            "igakulm_tokens", "Tokens read (prompt) and made (answer)", ["kind"], registry=self._registry
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(_Now(dispatcher, audit, refusals))

    def count(self, path: str, status: int, seconds: float, counts: RequestCounts) -> None:
        """One request has ended."""
        name = path if path in self.paths else "other"
        self._requests.labels(name, str(status)).inc()
        self._seconds.labels(name).observe(seconds)
        self._tokens.labels("prompt").inc(counts.prompt_tokens)
        self._tokens.labels("answer").inc(counts.completion_tokens)

    async def answer(self, request: Request) -> Response:
        """`GET /metrics`."""
        check_allowed(request, METRICS)
        return Response(exposition(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})


class _Now(Collector):
    """What is read when it is asked for."""

    def __init__(self, dispatcher: Dispatcher, audit: AuditLog | None, refusals: Refusals) -> None:
        self._dispatcher, self._audit, self._refusals = dispatcher, audit, refusals

    def collect(self) -> Iterator[Metric]:
        engine, turns = self._dispatcher.inner, self._dispatcher.admission
        about = GaugeMetricFamily("igakulm_info", "Always 1", labels=["version"])
        about.add_metric([__version__], 1)
        yield about
        yield GaugeMetricFamily("igakulm_lanes", "Answers that are made at once", engine.lanes)
        yield GaugeMetricFamily("igakulm_running", "Answers being made", turns.running)
        yield GaugeMetricFamily("igakulm_waiting", "Requests that wait for a turn", turns.waiting)
        alive = bool(getattr(engine, "alive", True))
        yield GaugeMetricFamily("igakulm_engine_alive", "Whether the child or endpoint lives", int(alive))
        restarts = int(getattr(engine, "restarts", 0))
        yield CounterMetricFamily("igakulm_engine_restarts", "Children that died and were replaced", restarts)
        if (memory := _resident(getattr(engine, "pid", 0))) is not None:
            yield GaugeMetricFamily("igakulm_engine_resident_memory_bytes", "Memory of the child", memory)
        refused = CounterMetricFamily("igakulm_refused", "Refused before a request was read", labels=["code"])
        for code, count in self._refusals.totals.items():
            refused.add_metric([code], count)
        yield refused
        if self._audit is not None:
            lost = self._audit.lost
            yield GaugeMetricFamily("igakulm_audit_lost_lines", "Lines that the disk refuses at the moment", lost)


def _resident(pid: int) -> int | None:
    """Bytes of memory that a process has; None where this cannot be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
