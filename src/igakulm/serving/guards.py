"""What stands before every request: host, origin, key, headers. A plain ASGI layer that reads no body.

Does: refuse DNS rebinding, pages of other origins and missing keys; forbid caching, and everything in a page that does
not come from here. Does not: parse requests.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from igakulm.errors import InputError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SHORTEST_KEY = 16
PAGE_RULES = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
"""Content security policy: a page uses what this server sends, and nothing else."""
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", "; ".join(PAGE_RULES).encode()),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_OPEN = ("/health", "/", "/openapi.json")
"""Paths that tell nothing of the model's work; with `/page/…` the only ones that never need a key."""


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "ward-pc")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, api_key: str | None) -> None:
    """Refuse to open a model to a network without a key.

    Raises:
        InputError: another host than loopback without a key, or a key that can be guessed.
    """
    if api_key is not None and len(api_key.encode()) < SHORTEST_KEY:
        raise InputError(
            f"the key is shorter than {SHORTEST_KEY} characters",
            where="IGAKULM_API_KEY",
            hint="make one with: openssl rand -hex 24",
        )
    if not is_loopback(host) and api_key is None:
        raise InputError(
            f"{host} can be reached from other machines, and without a key everybody there could use the model",
            where="--host",
            hint="set IGAKULM_API_KEY, or stay with 127.0.0.1",
        )


def error_response(status: int, message: str, code: str, param: str | None = None) -> Response:
    """An error in OpenAI's form."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    # In ASCII: a message may quote half a surrogate pair, which UTF-8 cannot hold.
    body = json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
    headers = {"Retry-After": "5"} if status in (429, 503) else None
    return Response(body, status, headers, media_type="application/json")


def same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header names the host of the request.

    >>> same_origin("http://127.0.0.1:8765", "127.0.0.1:8765"), same_origin("http://evil.example", "127.0.0.1:8765")
    (True, False)
    >>> same_origin("null", "127.0.0.1:8765"), same_origin("http://[", "127.0.0.1:8765")
    (False, False)
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def host_name(header: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("127.0.0.1:8765"), host_name("[::1]:8765"), host_name("Localhost")
    ('127.0.0.1', '::1', 'localhost')
    """
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


class Guard:
    """The layer around the application.

    Args:
        app: what is guarded.
        api_key: None = no key is asked for.
        hosts: names that a Host header may carry; None = any (with a key, rebinding gains nothing).
    """

    def __init__(self, app: ASGIApp, *, api_key: str | None, hosts: frozenset[str] | None) -> None:
        self.app, self.hosts = app, hosts
        self._key = None if api_key is None else api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add headers to the answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            name = name.lower()
            if name in headers and name in (b"host", b"origin", b"authorization", b"content-length", b"content-type"):
                return error_response(400, "a header is there twice", "repeated_header")
            headers[name] = value
        host = headers.get(b"host", b"").decode("latin-1")
        if self.hosts is not None and host_name(host) not in self.hosts:
            return error_response(421, "this host name is not served here", "host_not_allowed")
        origin = headers.get(b"origin")
        if origin is not None and not same_origin(origin.decode("latin-1"), host):
            return error_response(403, "requests from pages of another origin are refused", "origin_not_allowed")
        if self._key is not None and not _is_open(scope):
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, b"Bearer " + self._key):
                return error_response(401, "a valid key is needed: Authorization: Bearer KEY", "invalid_api_key")
        return None


def _is_open(scope: Scope) -> bool:
    path = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path in _OPEN or path.startswith("/page/"))
