"""One HTTP request for one page, with a limit on time and size.

Does: send who we are; never follow a redirect by itself; stop reading what is too large, too slow or no web page.
Does not: decide what to ask for, wait between requests, or try again.
"""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass, field
from typing import Any

from igakulm.corpus.warc import HTML_TYPES
from igakulm.errors import InputError
from igakulm.version import __version__

ROBOT = "IgakuLM"
"""Our name in robots.txt."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `problem`: why there is no whole body (`connection`, `too_slow`, `too_large`, `not_html`)."""

    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    problem: str | None = None

    def header(self, name: str) -> str:
        """A header's value, all of them joined by commas, "" if there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)

    def retry_after(self, now: float) -> float | None:
        """Seconds to wait that the server asked for; `now` is in seconds since 1970."""
        value = self.header("retry-after").strip()
        if value.isdigit():
            return float(value)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
        except (ValueError, TypeError):
            return None


class Fetcher:
    """Asks for pages, one at a time.

    Args:
        contact: address or page of who crawls; part of the User-Agent.
        timeout: seconds for one answer, from the request to its last byte.
        proxy: http://host:port, or None.

    Raises:
        InputError: the extra `crawl` is not installed.
    """

    def __init__(self, contact: str, timeout: float, proxy: str | None = None) -> None:
        try:
            import httpx
        except ImportError as error:
            raise InputError("crawling needs the package httpx", hint="pip install 'igakulm[crawl]'") from error
        self.user_agent = f"{ROBOT}/{__version__} (+{contact})"
        headers = {"User-Agent": self.user_agent, "Accept": ", ".join(HTML_TYPES), "Accept-Encoding": "gzip"}
        headers["Accept-Language"] = "ja"
        self._timeout = timeout
        self._client = httpx.Client(headers=headers, timeout=timeout, proxy=proxy, trust_env=False)

    def close(self) -> None:
        """Close open connections."""
        self._client.close()

    def fetch(self, address: str, max_bytes: int, *, any_type: bool = False) -> Fetched:
        """Ask once.

        Args:
            address: a canonical address.
            max_bytes: of the unpacked body; more is `too_large`, and the body ends there.
            any_type: False: only the body of an HTML page with status 200 is read.
        """
        import httpx

        started = time.monotonic()
        pieces: list[bytes] = []
        problem: str | None = None
        try:
            self._client.cookies.clear()
            with self._client.stream("GET", address) as answer:
                headers = [
                    (name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in answer.headers.raw
                ]
                about = Fetched(answer.status_code, answer.reason_phrase, headers)
                if not any_type:
                    problem = _unwanted(about, max_bytes)
                if answer.status_code == 200 and problem is None:
                    size = 0
                    for piece in answer.iter_bytes(1 << 14):
                        size += len(piece)
                        pieces.append(piece)
                        problem = "too_large" if size > max_bytes else self._late(started)
                        if problem:
                            break
        except httpx.TimeoutException:
            return Fetched(problem="too_slow")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Fetched(reason=type(error).__name__, problem="connection")
        return Fetched(about.status, about.reason, about.headers, b"".join(pieces)[:max_bytes], problem)

    def _late(self, started: float) -> str | None:
        return "too_slow" if time.monotonic() - started > self._timeout else None


def _unwanted(answer: Fetched, max_bytes: int) -> str | None:
    """Why the body of a good answer is not read."""
    if answer.status != 200:
        return None
    if answer.header("content-type").partition(";")[0].strip().lower() not in HTML_TYPES:
        return "not_html"
    length: Any = answer.header("content-length")
    return "too_large" if length.isdigit() and int(length) > max_bytes else None
